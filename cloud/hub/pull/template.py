"""Fills the templates of a description: `{since}`, `{until}`, `{page}`, `{cursor}`, `{device}`, each escaped. Pure."""

from collections.abc import Mapping
from datetime import UTC, datetime
import json
import re
from typing import Literal
from urllib.parse import quote, urlencode, urlsplit

PLACE = re.compile(r"\{([a-z_]+)\}")

type Times = Literal["iso", "iso-ms", "seconds", "milliseconds", "date"]


def places_of(*templates: str) -> frozenset[str]:
    """Return the names that stand in templates."""
    return frozenset(name for template in templates for name in PLACE.findall(template))


def host_is_fixed(url: str) -> bool:
    """Tell whether nothing that is filled in can change whom a URL is of."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    return not places_of(parts.scheme, parts.netloc) and bool(parts.netloc)


def filled_url(template: str, query: Mapping[str, str], values: Mapping[str, str]) -> str:
    """Return a URL with its query; a member of the query that needs a value which is empty is left out."""
    url = PLACE.sub(lambda found: quote(values.get(found[1], ""), safe=""), template)
    return with_query(
        url,
        {name: _plain(text, values) for name, text in query.items() if all(values.get(n) for n in places_of(text))},
    )


def with_query(url: str, query: Mapping[str, str]) -> str:
    """Return a URL with more members in its query."""
    return f"{url}{'&' if '?' in url else '?'}{urlencode(query, quote_via=quote)}" if query else url


def _plain(template: str, values: Mapping[str, str]) -> str:
    return PLACE.sub(lambda found: values.get(found[1], ""), template)


def filled_json(template: str, values: Mapping[str, str]) -> bytes:
    """Return a JSON body; a value is escaped as it is within a JSON text."""
    return PLACE.sub(lambda found: json.dumps(values.get(found[1], ""))[1:-1], template).encode()


def filled_form(fields: Mapping[str, str], values: Mapping[str, str]) -> bytes:
    """Return the body of a form."""
    return urlencode({name: _plain(text, values) for name, text in fields.items()}).encode()


def time_text(at_ms: int, form: Times) -> str:
    """Write a time as a maker's cloud wants it, in UTC."""
    at = datetime.fromtimestamp(at_ms // 1000, UTC)
    match form:
        case "iso":
            return at.strftime("%Y-%m-%dT%H:%M:%SZ")
        case "iso-ms":
            return f"{at.strftime('%Y-%m-%dT%H:%M:%S')}.{at_ms % 1000:03}Z"
        case "seconds":
            return str(at_ms // 1000)
        case "milliseconds":
            return str(at_ms)
        case "date":
            return at.strftime("%Y-%m-%d")
