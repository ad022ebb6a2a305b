"""What the headers of an answer say: its sender's clock, how long to wait, how it is packed. Pure."""

from collections.abc import Mapping
from datetime import UTC
from email.utils import parsedate_to_datetime
import re
from urllib.parse import urljoin
import zlib

from .driver import PullFailed

HALF_SECOND_MS = 500
WAIT_SECONDS_MOST = 86_400  # a server that asks for more is asked again tomorrow
LINK = re.compile(r'<([^<>]{1,8000})>((?:\s*;\s*[\w*]+\s*=\s*(?:"[^"]*"|[^",;\s]+))*)')
NEXT = re.compile(r';\s*rel\s*=\s*(?:"(?:[^"]*\s)?next(?:\s[^"]*)?"|next(?=$|[\s;,]))', re.IGNORECASE)


def date_ms(headers: Mapping[str, str]) -> int | None:
    """Return the server's clock, in the middle of the second it names; None where a cache has kept the answer."""
    if headers.get("age", "0").strip() != "0":
        return None
    at = _http_date(headers.get("date", ""))
    return None if at is None else at * 1000 + HALF_SECOND_MS


def _http_date(text: str) -> int | None:
    try:
        found = parsedate_to_datetime(text)
        return int((found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp())
    except ValueError, OverflowError:
        return None


def retry_after(headers: Mapping[str, str], now_ms: int) -> int | None:
    """Return for how many seconds a server asks to be left alone: given as seconds, or as a time by its own clock."""
    text = headers.get("retry-after", "").strip()
    if text.isascii() and text.isdigit() and len(text) < 10:
        return min(int(text), WAIT_SECONDS_MOST)
    until, own = _http_date(text), _http_date(headers.get("date", ""))
    if until is None:
        return None
    return min(max(until - (now_ms // 1000 if own is None else own), 0), WAIT_SECONDS_MOST)


def next_link(text: str) -> str | None:
    """Return the URL that a Link header (RFC 8288) names as the next page."""
    for url, rest in LINK.findall(text[:16_000]):
        if NEXT.search(rest):
            return str(url)
    return None


def onward(url: str, link: str) -> str:
    """Return where a server's word leads to from a URL."""
    try:
        return urljoin(url, link)
    except ValueError:
        raise PullFailed("redirected", "it leads to what is no URL") from None


def decoded(raw: bytes, encoding: str, most: int) -> bytes:
    """Return an answer unpacked, at most so many bytes: a small answer may unpack to a very large one."""
    kind = encoding.strip().lower()
    if kind in ("", "identity"):
        return raw
    if kind not in ("gzip", "x-gzip", "deflate"):
        raise PullFailed("unreadable", "the answer is packed in a way that was not asked for")
    unpacker = zlib.decompressobj(wbits=47)  # finds out by itself whether it is gzip or zlib
    try:
        plain = unpacker.decompress(raw, most + 1)
    except zlib.error:
        raise PullFailed("unreadable", "the answer cannot be unpacked") from None
    if len(plain) > most:
        raise PullFailed("too-large", f"an answer unpacks to more than {most} bytes")
    if not unpacker.eof or unpacker.unused_data:
        raise PullFailed("unreadable", "the answer is cut off, or has something behind its end")
    return plain
