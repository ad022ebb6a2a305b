"""Where the next page goes on, as a text that only this cloud can write and read. Pure.

It is sealed: a page may end with a row that its reader may not see. Made up or altered ones are refused.
"""

from base64 import urlsafe_b64decode
import json

from nacl.exceptions import CryptoError
from nacl.secret import SecretBox

from cloud.wire import base64url

from .row import Position

LETTERS_MAX = 1000  # three names of 64 letters and a point, with room
PURPOSE = "hub cursor"


def cursor_text(key: bytes, mark: str, position: Position) -> str:
    """Write a position in the answer to the question of this mark."""
    said = [mark, position.ms, position.stream, *position.key]
    # a letter of any script is four bytes at most, escaped it would be twelve
    return base64url(SecretBox(key).encrypt(json.dumps(said, separators=(",", ":"), ensure_ascii=False).encode()))


def position_of(key: bytes, mark: str, text: str) -> Position:
    """Read a cursor; raises ValueError unless it was written for this very question."""
    try:
        sealed = urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except ValueError:
        raise ValueError("is no cursor") from None
    try:
        raw = SecretBox(key).decrypt(sealed)
    except CryptoError, ValueError:  # ValueError: shorter than what a seal adds
        raise ValueError("is no cursor of this cloud") from None
    asked, ms, stream, *names = json.loads(raw)
    if asked != mark:
        raise ValueError("is the cursor of another question, or what may be read has changed since")
    return Position(ms, stream, tuple(names))
