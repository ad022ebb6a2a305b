"""Verifies statements with the network cut: gathers what this site holds, lets the rules judge, says it in words."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Final, cast

from homeassistant.config_entries import ConfigEntryState
from homeassistant.core import HomeAssistant, ServiceCall, ServiceResponse, SupportsResponse, callback
from homeassistant.exceptions import HomeAssistantError, ServiceValidationError
from homeassistant.helpers import config_validation as cv
from homeassistant.helpers.translation import async_get_translations
from homeassistant.util import dt as dt_util
from homeassistant.util.json import JsonValueType
import probatio

from .const import CONF_CLOUD_KEY, CONF_COMMUNITY, CONF_OWNER, CONF_SITE, DOMAIN
from .coordinator import CommonwattConfigEntry
from .errors import BadSignature, OutboxError
from .link import Outbox, Paper, verify_compact, verify_detached
from .link.prices import window_of
from .link.statements import ALTERED, FINAL, OPEN, ROOT
from .link.witness import Witnessed
from .site import is_paired
from .verify import Kept, Own, OwnInterval, Promised, Report, verify
from .wire import WireError, time_text
from .wire.root import DAY_SECONDS
from .wire.statement import Statement
from .wire.statement_reader import parse_statement

SERVICE_VERIFY_STATEMENT: Final = "verify_statement"
CONF_CONFIG_ENTRY_ID: Final = "config_entry_id"
CONF_FROM: Final = "from"
CONF_TO: Final = "to"
TOLD_MAX: Final = 200  # of what nobody here can witness; their number is told in any case

VERIFY_STATEMENT = probatio.Schema(
    {
        probatio.Required(CONF_CONFIG_ENTRY_ID): cv.string,
        probatio.Optional(CONF_OWNER): cv.string,
        probatio.Optional(CONF_FROM): cv.datetime,
        probatio.Optional(CONF_TO): cv.datetime,
    }
)


@dataclass(frozen=True, slots=True)
class Wish:
    """What is to be verified: whose statements, of the pages that overlap [start, end); without times the newest."""

    owner: str
    start: int | None
    end: int | None


@callback
def async_setup_verification(hass: HomeAssistant) -> None:
    """Offer the action."""
    hass.services.async_register(
        DOMAIN,
        SERVICE_VERIFY_STATEMENT,
        async_verify_statement,
        schema=VERIFY_STATEMENT,
        supports_response=SupportsResponse.ONLY,
    )


async def async_verify_statement(call: ServiceCall) -> ServiceResponse:
    """Recompute kept statements from this site's own records; the cloud is asked for the newest, and never needed."""
    hass, entry = call.hass, paired_entry(call.hass, call.data[CONF_CONFIG_ENTRY_ID])
    settings = entry.runtime_data.coordinator.settings
    wish = Wish(
        owner=call.data.get(CONF_OWNER, settings.main_owner),
        start=seconds_of(call.data.get(CONF_FROM)),
        end=seconds_of(call.data.get(CONF_TO)),
    )
    store = entry.runtime_data.store
    if entry.runtime_data.cloud is not None:
        await entry.runtime_data.cloud.async_fetch_statements()
    try:
        kept, own = await store.run(partial(gather, store.outbox, entry.data, wish))
    except (BadSignature, WireError, OutboxError) as error:
        raise HomeAssistantError(
            translation_domain=DOMAIN,
            translation_key="statement_unreadable",
            translation_placeholders={"error": str(error)},
        ) from error
    if not kept:
        words = {"owner": settings.owners.get(wish.owner, wish.owner)}
        raise ServiceValidationError(
            translation_domain=DOMAIN, translation_key="no_statement", translation_placeholders=words
        )
    report = await hass.async_add_executor_job(verify, kept, own)
    return await _response(hass, report, kept, settings.owners.get(wish.owner, wish.owner))


def paired_entry(hass: HomeAssistant, entry_id: str) -> CommonwattConfigEntry:
    """Return the running, paired site of a config entry; raises what a person is told."""
    entry: CommonwattConfigEntry | None = hass.config_entries.async_get_entry(entry_id)
    if entry is None or entry.domain != DOMAIN or entry.state is not ConfigEntryState.LOADED:
        raise ServiceValidationError(translation_domain=DOMAIN, translation_key="site_not_loaded")
    if not is_paired(entry.data):
        raise ServiceValidationError(translation_domain=DOMAIN, translation_key="site_without_cloud")
    return entry


def seconds_of(at: datetime | None) -> int | None:
    """Return a time as seconds since 1970; one without a zone is by Home Assistant's clock."""
    return None if at is None else int(dt_util.as_utc(at).timestamp())


def gather(outbox: Outbox, data: Mapping[str, str], wish: Wish) -> tuple[list[Kept], Own]:
    """Return the kept pages and all this site holds of their time; raises BadSignature for an unsigned page."""
    papers = _pages(outbox, wish)
    kept = [_kept(outbox, paper, data[CONF_CLOUD_KEY]) for paper in papers]
    start, end = min((k.page.start for k in kept), default=0), max((k.page.end for k in kept), default=0)
    first = min((item.start for k in kept for item in k.page.corrections), default=start)
    own = Own(
        site=data[CONF_SITE],
        community=data[CONF_COMMUNITY],
        owner=wish.owner,
        intervals=_intervals(outbox, wish.owner, min(first, start), end),
        promised=_promised(outbox, wish, kept),
        roots=_roots(outbox, start, end),
    )
    return kept, own


def _intervals(outbox: Outbox, owner: str, start: int, end: int) -> dict[int, OwnInterval]:
    amended = {item.interval.start: _own(item, owner) for item in outbox.amended(start, end)}
    return {
        item.interval.start: _own(item, owner, amended.get(item.interval.start))
        for item in outbox.witnessed(start, end)
    }


def _own(item: Witnessed, owner: str, amended: OwnInterval | None = None) -> OwnInterval:
    interval = item.interval
    return OwnInterval(interval.start, interval.seconds, interval.net_wh.get(owner, 0), item.batch, amended)


def _pages(outbox: Outbox, wish: Wish) -> list[Paper]:
    """Return the papers of the pages wanted: of each day what stands for ever, else what was said of it last."""
    start, end = wish.start, wish.end
    if start is None and end is None:
        newest = _newest(outbox, wish.owner)
        start, end = (0, 0) if newest is None else (newest, newest + DAY_SECONDS)
    end = end if end is not None else (start or 0) + DAY_SECONDS
    start = start if start is not None else end - DAY_SECONDS
    papers = []
    for day in range(start // DAY_SECONDS * DAY_SECONDS, end, DAY_SECONDS):
        names = _name(wish.owner, day), _name(wish.owner, day + DAY_SECONDS - 1)
        papers += outbox.papers(FINAL, *names) or outbox.papers(OPEN, *names)
    return papers


def _newest(outbox: Outbox, owner: str) -> int | None:
    """Return the newest day of an owner that is kept whole and tells of something, else the one that still grows."""
    found = None
    for kind in (FINAL, OPEN):
        paper = outbox.newest_paper(kind, f"{owner}|~")
        if paper is None or not paper.name.startswith(f"{owner}|"):
            continue
        page = parse_statement(paper.raw)
        found = page.start // DAY_SECONDS * DAY_SECONDS
        if page.lines:
            break
    return found


def _name(owner: str, at: int) -> str:
    return f"{owner}|{time_text(at)}"


def _kept(outbox: Outbox, paper: Paper, cloud_key: str) -> Kept:
    verify_detached(cloud_key, paper.signature, paper.raw)
    page = parse_statement(paper.raw)
    roots, refused = [], 0
    for signed in page.roots:
        try:
            roots.append(verify_compact(cloud_key, signed))
        except BadSignature:
            refused += 1
    return Kept(page, tuple(roots), refused, _earlier(outbox, paper), paper.kept_at)


def _earlier(outbox: Outbox, paper: Paper) -> tuple[Statement, ...]:
    """Return what the cloud had said of the same page before and then said otherwise."""
    before = outbox.paper(ALTERED, paper.name)
    return () if before is None else (parse_statement(before.raw),)


def _promised(outbox: Outbox, wish: Wish, kept: Iterable[Kept]) -> dict[int, Promised]:
    """Return the price that stands for each interval these pages tell of, as far as one was ever told."""
    starts = sorted({line.start for item in kept for line in item.page.lines})
    if not starts:
        return {}
    window = window_of(outbox, starts[0], starts[-1])
    found = {start: window.price_at(wish.owner, start) for start in starts}
    return {
        start: Promised(price.local_micro_per_wh, price.grid_buy_micro_per_wh, price.grid_sell_micro_per_wh)
        for start, price in found.items()
        if price is not None
    }


def _roots(outbox: Outbox, start: int, end: int) -> dict[int, bytes]:
    """Return the payloads of the roots kept since the time of these pages: corrections are sealed later."""
    papers = outbox.papers(ROOT, time_text(max(start - DAY_SECONDS, 0)), time_text(end + 31 * DAY_SECONDS))
    return {parse_day(paper): paper.raw for paper in papers}


def parse_day(paper: Paper) -> int:
    """Return the day of a kept root by its name."""
    return int(datetime.fromisoformat(paper.name).timestamp())


async def _response(hass: HomeAssistant, report: Report, kept: list[Kept], owner: str) -> ServiceResponse:
    start, end = min(item.page.start for item in kept), max(item.page.end for item in kept)
    told = [item.plain() for item in report.unwitnessed[:TOLD_MAX]]
    return {
        "verified": report.verified,
        "owner": owner,
        "from": time_text(start),
        "to": time_text(end),
        "lines": report.lines,
        "checked": report.checked,
        "lines_altered": cast("list[JsonValueType]", [item.plain() for item in report.altered]),
        "not_witnessed": cast("list[JsonValueType]", told),
        "not_witnessed_count": len(report.unwitnessed),
        "summary": await _summary(hass, report, {"owner": owner, "from": time_text(start), "to": time_text(end)}),
    }


async def _summary(hass: HomeAssistant, report: Report, words: Mapping[str, str]) -> str:
    """Say in Home Assistant's language what came of it."""
    numbers = {"lines": report.lines, "checked": report.checked, "unwitnessed": len(report.unwitnessed)}
    placeholders = {**words, **{name: str(number) for name, number in numbers.items()}}
    key = "statement_verified" if report.verified else "statement_empty"
    if report.altered:
        first = next((item for item in report.altered if item.start is not None), report.altered[0])
        key = "statement_altered"
        placeholders |= {name: value or "-" for name, value in first.plain().items()}
        placeholders["altered"] = str(len(report.altered))
    texts = await async_get_translations(hass, hass.config.language, "common", {DOMAIN})
    return texts[f"component.{DOMAIN}.common.{key}"].format(**placeholders)
