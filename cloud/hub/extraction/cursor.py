"""Where the next page goes on, as a text that only this cloud can write: made up or altered ones are refused. Pure."""

from base64 import urlsafe_b64decode
import binascii
from hashlib import sha256
import hmac
import json

from cloud.wire import base64url

from .row import Position

TAG_BYTES = 16
LETTERS_MAX = 1000  # three names of 64 letters and a point, with room
PURPOSE = "hub cursor"


def cursor_text(key: bytes, mark: str, position: Position) -> str:
    """Write a position in the answer to the question of this mark."""
    raw = json.dumps([mark, position.ms, position.stream, *position.key], separators=(",", ":")).encode()
    return base64url(_tag(key, raw) + raw)


def position_of(key: bytes, mark: str, text: str) -> Position:
    """Read a cursor; raises ValueError unless it was written for this very question."""
    try:
        whole = urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except ValueError, binascii.Error:
        raise ValueError("is no cursor") from None
    tag, raw = whole[:TAG_BYTES], whole[TAG_BYTES:]
    if not hmac.compare_digest(tag, _tag(key, raw)):
        raise ValueError("is no cursor of this cloud")
    asked, ms, stream, *names = json.loads(raw)
    if asked != mark:
        raise ValueError("is the cursor of another question, or what may be read has changed since")
    return Position(ms, stream, tuple(names))


def _tag(key: bytes, raw: bytes) -> bytes:
    return hmac.new(key, raw, sha256).digest()[:TAG_BYTES]
