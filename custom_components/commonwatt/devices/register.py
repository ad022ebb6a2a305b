"""Values in registers: where one stands in a unit, how its words become a value, and how a command becomes words."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import isfinite
import struct
from typing import Literal

from modbus_connection.decode import combine_words, decode_float64, decode_string
from modbus_connection.encode import encode_float32, encode_float64, encode_int, encode_string

from .port import Range, Value

type Space = Literal["holding", "input", "coil", "discrete"]
type WordOrder = Literal["big", "little"]
type Pace = Literal["poll", "slow", "contact"]

WIDTHS: Mapping[str, int] = {
    "bit": 1,
    "uint16": 1,
    "int16": 1,
    "uint32": 2,
    "int32": 2,
    "uint64": 4,
    "int64": 4,
    "float32": 2,
    "float64": 4,
    "string": 0,
}
REGISTER_WH_MAX = 2**53  # from here on a counter is not waited for to begin anew
NEARLY = 1e-9  # of a step: 6.1 A in 0.1 A are 61 steps, whatever binary fractions make of it


@dataclass(frozen=True, slots=True)
class ProfileField:
    """One value of a device: where it stands, how it is written, and what makes it Wh, W, or a word.

    `absent` is the register's content, unsigned, where the device has no such value. `states` gives numbers words;
    `true` are the numbers that mean yes. Both look at the bits of `mask` alone, if there is one.
    """

    address: int
    type: str
    space: Space
    count: int
    pace: Pace = "poll"
    word_order: WordOrder = "big"
    factor: int = 1
    divisor: int = 1
    absent: int | None = None
    equals: int | str | None = None
    mask: int | None = None
    states: Mapping[int, str] | None = None
    true: frozenset[int] | None = None
    boolean: bool = False

    def value(self, words: Sequence[int], *, swapped: bool = False) -> Value | None:
        """Return what the words say, None for no value; `swapped` reads them in the order this field has not."""
        ordered = list(words) if (self.word_order == "big") is not swapped else list(reversed(words))
        match self.type:
            case "string":
                return decode_string(list(words)).strip() or None
            case "float32":
                number: float | None = shortest_float32(ordered)
            case "float64":
                number = decode_float64(ordered)
            case _:
                number = self._integer(ordered)
        if number is None or not isfinite(number):
            return None
        return self._meaning(number)

    def raw_identity(self, words: Sequence[int]) -> int | str | None:
        """Return what is compared with `equals`: the bare number, or the text."""
        return decode_string(list(words)).strip() if self.type == "string" else self._integer(self._ordered(words))

    @property
    def wraps_wh(self) -> int | None:
        """The energy in Wh at which this counter begins anew; None where it never does, or nobody can tell."""
        if not self.type.startswith("uint"):
            return None
        wraps_wh, remainder = divmod(2 ** (16 * self.count) * self.factor, self.divisor)
        return wraps_wh if not remainder and 0 < wraps_wh < REGISTER_WH_MAX else None

    def _ordered(self, words: Sequence[int]) -> list[int]:
        return list(words) if self.word_order == "big" else list(reversed(words))

    def _integer(self, ordered: list[int]) -> int | None:
        raw = combine_words(ordered)
        if raw == self.absent:
            return None
        bits = 16 * self.count
        return raw - (1 << bits) if self.type.startswith("int") and raw >> (bits - 1) else raw

    def _meaning(self, number: float) -> Value | None:
        masked = int(number) if self.mask is None else int(number) & self.mask
        if self.states is not None:
            return self.states.get(masked)
        if self.true is not None:
            return masked in self.true
        if self.boolean:
            return bool(masked)
        scaled = (number if self.mask is None else masked) * self.factor
        return scaled if self.divisor == 1 else scaled / self.divisor


@dataclass(frozen=True, slots=True)
class ProfileCommand:
    """What a device obeys: where it is written, what is accepted, and how that becomes words.

    A command with `repeat_s` is forgotten by the device after a while, so it is written again that often. `within`
    names the field with the largest amount this very device takes, if it tells.
    """

    address: int
    type: str
    space: Literal["holding", "coil"]
    count: int
    range: Range
    word_order: WordOrder = "big"
    factor: int = 1
    divisor: int = 1
    options: Mapping[str, int] = field(default_factory=dict)
    on: int | None = None
    off: int | None = None
    multiple: bool = False
    repeat_s: int | None = None
    within: str | None = None

    def words(self, value: Value) -> list[int]:
        """Return the words (of a coil: one, 0 or 1) that say a value; raise ValueError for one that is not accepted."""
        if self.type == "string":
            return self._string(value)
        number = self.raw(value)
        ordered: list[int]
        match self.type:
            case "float32":
                ordered = encode_float32(number)
            case "float64":
                ordered = encode_float64(number)
            case _:
                ordered = encode_int(int(number), count=self.count)
        return ordered if self.word_order == "big" else list(reversed(ordered))

    def is_at(self, field: ProfileField) -> bool:
        """Tell whether this field is the very register that is written."""
        return (field.space, field.address, field.count) == (self.space, self.address, self.count)

    def _string(self, value: Value) -> list[int]:
        if not isinstance(value, str) or not value.isascii() or not value.isprintable() or len(value) > self.count * 2:
            raise ValueError(f"must be at most {self.count * 2} plain characters, not {value!r}")
        return encode_string(value, length=self.count)

    def raw(self, value: Value) -> float:
        """Return the number that a register holds for a value; raise ValueError for one that is not accepted."""
        if self.on is not None and self.off is not None:
            if not isinstance(value, bool):
                raise ValueError(f"must be on or off, not {value!r}")
            return self.on if value else self.off
        if self.options:
            if not isinstance(value, str) or value not in self.options:
                raise ValueError(f"must be one of {', '.join(self.options)}, not {value!r}")
            return self.options[value]
        least, most = self.range.least, self.range.most
        if isinstance(value, bool | str) or not least <= value <= most:
            raise ValueError(f"must be a number from {least:g} to {most:g}, not {value!r}")
        raw = value * self.divisor / self.factor
        # between two steps of the register the one nearer to zero: never more than was asked for
        return raw if self.type.startswith("float") else int(raw + (NEARLY if raw > 0 else -NEARLY))


def shortest_float32(words: Sequence[int]) -> float:
    """Return a float32 as the shortest decimal that means the same: 230.2, not 230.1999969482422."""
    raw = struct.pack(">HH", *words)
    exact = float(struct.unpack(">f", raw)[0])
    if not isfinite(exact):
        return exact
    for digits in (6, 7, 8):
        short = float(f"{exact:.{digits}g}")
        if abs(short) < FLOAT32_MAX and struct.pack(">f", short) == raw:
            return short
    return exact


FLOAT32_MAX = 3.4e38  # struct refuses to round what lies beyond
