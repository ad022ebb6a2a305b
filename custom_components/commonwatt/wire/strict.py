"""The bytes of a message and the strict way back: canonical JSON, hashes, and readers that refuse.

Nothing here signs: the edges sign and keep raw bytes, and never write them anew to verify them.
"""

from collections.abc import Mapping
from dataclasses import fields
from datetime import UTC, datetime
from hashlib import sha256
from itertools import accumulate
import json
import re
from typing import Any

VERSION = 1
BODY_BYTES_MAX = 1024 * 1024  # what an endpoint takes in one request
DEPTH_MAX = 32
INTEGER_MAX = 2**53 - 1  # what every JSON reader keeps exactly
TIME_MAX = 253_402_300_799  # the last second of the year 9999
GENESIS = "0" * 64  # `prev` of the very first batch

IDENTIFIER = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
HASH = re.compile(r"[0-9a-f]{64}")
TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T(?!24)[0-9]{2}:[0-9]{2}:[0-9]{2}Z")  # no day has an hour 24 here
STRING = re.compile(rb'"(?:[^"\\]++|\\.)*+"?', re.DOTALL)  # to its end or the text's, never read twice: linear
STEPS = {ord("{"): 1, ord("["): 1, ord("}"): -1, ord("]"): -1}
OTHERS = bytes(set(range(256)) - set(STEPS))
SPACES = {0xA0: " ", 0x3000: " "}


class WireError(ValueError):
    """A message that does not say what it must; `where` names the member, `reason` what is wrong with it."""

    def __init__(self, where: str, reason: str) -> None:
        """Keep the place and the reason apart so that a caller can translate them."""
        super().__init__(f"{where}: {reason}")
        self.where = where
        self.reason = reason


def to_bytes(message: Any) -> bytes:
    """Write a message value, or plain JSON data, in its one canonical form: sorted members, no spaces, UTF-8."""
    plain = message if isinstance(message, (dict, list)) else message.plain()
    return json.dumps(plain, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()


def digest(raw: bytes) -> str:
    """Return the SHA-256 of raw bytes as 64 lower-case hex digits."""
    return sha256(raw).hexdigest()


def load(raw: bytes, where: str = "body") -> dict[str, Any]:
    """Read one JSON object strictly: no NaN, no member twice, no number that is not whole or exact, bounded depth."""
    if len(raw) > BODY_BYTES_MAX:
        raise WireError(where, f"is larger than {BODY_BYTES_MAX} bytes")
    if _nesting(raw) > DEPTH_MAX:
        raise WireError(where, f"is nested deeper than {DEPTH_MAX}")
    try:
        data = json.loads(
            raw.decode("utf-8"), object_pairs_hook=_no_doubles, parse_constant=_no_constant, parse_float=_no_float
        )
    except WireError:
        raise
    except (ValueError, RecursionError) as error:
        raise WireError(where, f"is not JSON: {type(error).__name__}") from None
    if not isinstance(data, dict):
        raise WireError(where, "is not a JSON object")
    return data


def _nesting(raw: bytes) -> int:
    """Count how deep brackets outside strings nest, before a parser meets them."""
    brackets = STRING.sub(b"", raw).translate(None, OTHERS)
    return max(accumulate(map(STEPS.__getitem__, brackets)), default=0)


def _no_doubles(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    data = dict(pairs)
    if len(data) != len(pairs):
        raise WireError("body", "names a member twice")
    return data


def _no_constant(text: str) -> None:
    raise WireError("body", f"holds {text}, which is no number")


def _no_float(text: str) -> None:
    raise WireError("body", f"holds {text[:24]}, where only whole numbers are allowed")


def take(data: Mapping[str, Any], key: str, where: str) -> Any:
    """Return a member that must be there."""
    if key not in data:
        raise WireError(f"{where}.{key}", "is missing")
    return data[key]


def text(data: Mapping[str, Any], key: str, where: str, longest: int = 200) -> str:
    """Return a member that is a text of printable characters."""
    value = take(data, key, where)
    if not isinstance(value, str) or not 0 < len(value) <= longest or not printable(value):
        raise WireError(f"{where}.{key}", f"is not a text of 1 to {longest} printable characters")
    return value


def printable(value: str) -> bool:
    """Tell whether every character can be printed; the wide space between Japanese names is a space like any other."""
    return value.translate(SPACES).isprintable()


def identifier(value: Any, where: str) -> str:
    """Return an identifier: of a site, tap, owner, community, notice."""
    if not isinstance(value, str) or not IDENTIFIER.fullmatch(value):
        raise WireError(where, "is not an identifier (letters, digits, _ . -, at most 64)")
    return value


def flag(data: Mapping[str, Any], key: str, where: str) -> bool:
    """Return a member that is true or false."""
    value = take(data, key, where)
    if not isinstance(value, bool):
        raise WireError(f"{where}.{key}", "is neither true nor false")
    return value


def hash_text(data: Mapping[str, Any], key: str, where: str) -> str:
    """Return a member that is a SHA-256 in hex."""
    value = take(data, key, where)
    if not isinstance(value, str) or not HASH.fullmatch(value):
        raise WireError(f"{where}.{key}", "is not a SHA-256 in hex")
    return value


def whole(value: Any, where: str, least: int = -INTEGER_MAX, most: int = INTEGER_MAX) -> int:
    """Return a whole number within bounds; true, false and 1.0 are none."""
    if type(value) is not int or not least <= value <= most:
        raise WireError(where, f"is not a whole number from {least} to {most}")
    return value


def time_text(at: int) -> str:
    """Write a time as `YYYY-MM-DDTHH:MM:SSZ`."""
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def parse_time(value: Any, where: str) -> int:
    """Read a UTC time to whole seconds; years 1970 to 9999."""
    if not isinstance(value, str) or not TIME.fullmatch(value):
        raise WireError(where, "is not a UTC time like 2026-11-21T05:30:00Z")
    try:
        at = int(datetime.fromisoformat(value).timestamp())
    except ValueError:
        raise WireError(where, "is not a date of the calendar") from None
    return whole(at, where, 0)


def items(data: Mapping[str, Any], key: str, where: str, most: int) -> list[Any]:
    """Return a member that is a list, empty where it is missing."""
    value = data.get(key, [])
    if not isinstance(value, list) or len(value) > most:
        raise WireError(f"{where}.{key}", f"is not a list of at most {most}")
    return value


def members(data: Mapping[str, Any], key: str, where: str, most: int) -> dict[str, Any]:
    """Return a member that is an object."""
    value = take(data, key, where)
    if not isinstance(value, dict) or len(value) > most:
        raise WireError(f"{where}.{key}", f"is not an object of at most {most} members")
    return value


def plain_members(value: Any) -> dict[str, Any]:
    """Return a value's members as JSON data, those that are None left out."""
    named = {item.name: getattr(value, item.name) for item in fields(value)}
    return {name: member for name, member in named.items() if member is not None}


def check_version(data: Mapping[str, Any], where: str) -> None:
    """Refuse a message of another version of this language."""
    if take(data, "v", where) != VERSION:
        raise WireError(f"{where}.v", f"is not {VERSION}: update the older side")
