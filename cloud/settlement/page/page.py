"""A statement as a page to read and to print: no script, nothing fetched from anywhere, every name escaped."""

from base64 import b64encode
from functools import cache
from hashlib import sha256

from jinja2 import Environment, PackageLoader, StrictUndefined, Template

from .picture import HEIGHT, WIDTH, picture
from .sheet import Sheet, near_share_percent
from .words import WORDS, kwh, local_date, local_time, money, points

PACKAGE = "cloud.settlement.page"


@cache
def _environment() -> Environment:
    loader = PackageLoader(PACKAGE)
    return Environment(loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)


@cache
def _style() -> str:
    return _environment().get_template("statement.css").render().strip()


def style_policy() -> str:
    """Return the Content-Security-Policy under which the page shows itself and does nothing else."""
    digest = b64encode(sha256(_style().encode()).digest()).decode()
    return (
        f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )


def page(sheet: Sheet, csv_url: str | None = None) -> str:
    """Return the page in the reader's language."""
    template: Template = _environment().get_template("statement.html")
    terms = sheet.terms
    return template.render(
        sheet=sheet,
        words=WORDS[terms.language],
        rows=sheet.rows(),
        total=sheet.total,
        percent=near_share_percent(sheet.total.flows),
        picture=picture(sheet.rows()),
        width=WIDTH,
        height=HEIGHT,
        style=_style(),
        csv_url=csv_url,
        kwh=kwh,
        points=points,
        money=lambda micro: money(micro, terms),
        time=lambda at: local_time(at, terms),
        row_time=lambda at: local_date(at, terms) if sheet.by_days else local_time(at, terms),
    )
