"""A message's bytes, read as JSON or as text once, however many formats ask; bounded and strict. Pure."""

from collections import Counter
from decimal import Decimal
from itertools import accumulate
import json
from typing import Any, Literal

from cloud.wire.strict import BODY_BYTES_MAX, DEPTH_MAX, OTHERS, STEPS, STRING

RAW_BYTES_MAX = BODY_BYTES_MAX  # of one message, by whatever way it comes
BOM = "\ufeff"

Encoding = Literal["utf-8", "utf-16", "cp932", "shift_jis", "euc_jp", "latin-1", "cp1252"]


class UnreadableError(ValueError):
    """Bytes that are not what a format says they are; `reason` is for programs, the text for people."""

    def __init__(self, reason: str, why: str, where: str = "") -> None:
        """Keep them apart."""
        super().__init__(why)
        self.reason = reason
        self.where = where


class Document:
    """The bytes of one message."""

    def __init__(self, raw: bytes) -> None:
        """Take the bytes; nothing is read before it is asked for."""
        self.raw = raw
        self._json: Any = None
        self._no_json: UnreadableError | None = None
        self._read = False

    def json(self) -> Any:
        """Return the JSON data, numbers with a point as Decimal; raises UnreadableError."""
        if not self._read:
            self._read = True
            try:
                self._json = _json(self.raw)
            except UnreadableError as error:
                self._no_json = error
        if self._no_json is not None:
            raise self._no_json
        return self._json

    @property
    def is_json(self) -> bool:
        """Whether the bytes are JSON."""
        try:
            self.json()
        except UnreadableError:
            return False
        return True

    def text(self, encodings: tuple[str, ...]) -> str:
        """Return the text in the first of these encodings that fits the bytes; raises UnreadableError."""
        for encoding in encodings:
            try:
                return self.raw.decode(encoding).removeprefix(BOM)
            except UnicodeDecodeError:
                continue
        raise UnreadableError("not-text", f"the bytes are no text in {' or '.join(encodings)}")


def _json(raw: bytes) -> Any:
    if raw.lstrip()[:1] not in (b"{", b"[", b"\xef"):
        raise UnreadableError("not-json", "the message is no JSON object or list")
    if max(accumulate(map(STEPS.__getitem__, STRING.sub(b"", raw).translate(None, OTHERS))), default=0) > DEPTH_MAX:
        raise UnreadableError("not-json", f"the message is nested deeper than {DEPTH_MAX}")
    try:
        return json.loads(
            raw.decode("utf-8-sig"), object_pairs_hook=_once, parse_constant=_no_constant, parse_float=Decimal
        )
    except UnreadableError:
        raise
    except UnicodeDecodeError:
        raise UnreadableError("not-json", "the message is not UTF-8") from None
    except json.JSONDecodeError as error:
        raise UnreadableError("not-json", f"line {error.lineno}, column {error.colno}: {error.msg}") from None
    except ArithmeticError, ValueError, RecursionError:
        raise UnreadableError("not-json", "the message holds a number nobody can reckon with") from None


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    data = dict(pairs)
    if len(data) != len(pairs):
        names = Counter(name for name, _ in pairs)
        raise UnreadableError("not-json", f"the message names {names.most_common(1)[0][0][:40]!a} twice in one object")
    return data


def _no_constant(text: str) -> None:
    raise UnreadableError("not-json", f"the message holds {text}, which is no number")
