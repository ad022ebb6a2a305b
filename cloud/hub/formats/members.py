"""The members of a definition as functions on a row: texts, numbers and times. Pure."""

from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal
import re
from typing import Any

from .definition import CsvParse, Member, Of, Parse, TimeRule
from .path import DefinitionError, Finder, UnfindableError, finder
from .tables import plain_name
from .times import (
    NoTimeError,
    Told,
    at_period,
    from_number,
    local_ms,
    ms_of,
    shifted_ms,
    texts_of,
    zone_of,
)
from .units import NoNumber, number_of, shortened

TIME_LETTERS_MAX = 60

type TimeKey = tuple[int, tuple[str, ...]]  # the rule of a time, and the series where times are told in order


@dataclass(slots=True)
class Place:
    """Where in a message we are: its row, what it stands in, the message, and the times of the rows before."""

    message: Any
    number: int = 0
    row: Any = None
    outer: Any = None
    part: str = ""  # what `*` stands for in the name of the column
    series: tuple[str, ...] = ()  # whose times follow one another
    before_ms: dict[TimeKey, int] = field(default_factory=dict)
    told: dict[TimeKey, Told | None] = field(default_factory=dict)  # the times of this row
    wrong: set[tuple[str, str]] = field(default_factory=set)  # what was said of this row already
    once: dict[Any, Any] = field(default_factory=dict)  # what is the same for every row, by what looked it up

    def enter(self, number: int, row: Any, outer: Any) -> None:
        """Go to a row."""
        self.number, self.row, self.outer = number, row, outer
        self.told.clear()
        self.wrong.clear()

    def found(self, find: Finder) -> Any:
        """Return what is found in the message, looked for once however many rows ask; raises UnfindableError."""
        if find not in self.once:
            try:
                self.once[find] = find(self.message)
            except UnfindableError as error:
                self.once[find] = error
        if isinstance(self.once[find], UnfindableError):
            raise UnfindableError(str(self.once[find]))
        return self.once[find]


class MemberError(ValueError):
    """A member that cannot be read; `reason` and `where` are for programs, the text for people."""

    def __init__(self, reason: str, where: str, why: str) -> None:
        """Keep them apart."""
        super().__init__(why)
        self.reason = reason
        self.where = where


type Getter = Callable[[Place], Any]  # None where there is nothing; raises MemberError
type Number = Callable[[Any], Decimal | NoNumber]
type Clock = Callable[[Place], Told | None]  # None where the row tells no time and need not; raises MemberError


def getter(path: str, of: Of, parse: Parse, where: str) -> Getter:
    """Return what reads the place a path leads to; raises DefinitionError where there is no such place."""
    if of == "outer" and getattr(parse, "inner", None) is None:
        raise DefinitionError(where, "there is no outer row without parse.inner")
    find: Finder
    if parse.kind == "json":
        find = finder(path, where)
    else:
        if parse.kind == "csv" and of != "row":
            raise DefinitionError(where, "a table has nothing but rows")
        name = plain_name(path) if parse.kind == "csv" else path
        if parse.kind == "binary":
            part = parse.header if of == "message" else parse.record
            if part is None or path not in part.names:
                raise DefinitionError(where, f"{shortened(path)} is no field there")
        find = _cell(name)

    def get(place: Place) -> Any:
        try:
            return place.found(find) if of == "message" else find(place.row if of == "row" else place.outer)
        except UnfindableError as error:
            raise MemberError("wrong-shape", where, str(error)) from None

    return get


def _cell(name: str) -> Finder:
    return lambda row: row.get(name)


def text_of(value: Any) -> str | None:
    """Return what was found as a text: numbers as they are written, and true and false in small letters."""
    match value:
        case None:
            return None
        case bool():
            return "true" if value else "false"
        case str():
            return value
        case int() | Decimal():
            return str(value)
        case _:
            return None


def member(rule: Member, parse: Parse, where: str) -> Getter:
    """Return what reads a text or number of a row; raises DefinitionError."""
    if rule.constant is not None:
        constant = rule.constant
        return lambda _: constant
    found = getter(rule.path, rule.of, parse, f"{where}.path") if rule.path is not None else (lambda place: place.part)
    names, default = rule.names, rule.default

    def get(place: Place) -> Any:
        value = found(place)
        if value is None or value == "":
            return default
        if names is None:
            return value
        text = text_of(value)
        return names.get(text, text) if text is not None else value

    return get


def numbers_of(parse: Parse) -> Number:
    """Return what reads numbers: in a table, with its decimal sign and thousands."""
    if not isinstance(parse, CsvParse) or (parse.decimal, parse.thousands) == (".", ""):
        return number_of
    decimal, thousands = parse.decimal, parse.thousands
    point = re.escape(decimal)
    groups = rf"\d{{1,3}}({re.escape(thousands)}\d{{3}})+" if thousands else r"\d+"
    written = re.compile(rf"[+-]?(\d+|{groups})?({point}\d*)?([eE][+-]?\d{{1,3}})?", re.ASCII)

    def read(seen: Any) -> Decimal | NoNumber:
        if isinstance(seen, str) and len(seen) <= TIME_LETTERS_MAX:
            if not written.fullmatch(seen):
                return NoNumber("not-a-number", f"{shortened(repr(seen))} is not a number as this table writes them")
            return number_of((seen.replace(thousands, "") if thousands else seen).replace(decimal, "."))
        return number_of(seen)

    return read


def clock(rule: TimeRule, parse: Parse, where: str) -> Clock:
    """Return what tells the time of a row, reckoned once for all its values; raises DefinitionError."""
    name, ordered = id(rule), rule.ambiguous == "in-order"
    found = getter(rule.path, rule.of, parse, f"{where}.path")
    then = getter(rule.then, rule.of, parse, f"{where}.then") if rule.then is not None else None
    as_ms = _reckoner(rule, parse, where)

    def tell(place: Place) -> Told | None:
        key = (name, place.series if ordered else ())
        if key not in place.told:
            place.told[key] = reckon(place, key)
        return place.told[key]

    def reckon(place: Place, key: TimeKey) -> Told | None:
        value = found(place)
        if value is None or value == "":
            if rule.optional:
                return None
            raise MemberError("no-time", where, f"there is no {shortened(rule.path)}")
        if then is not None:
            value = f"{text_of(value)} {text_of(then(place))}"
        try:
            at_ms = as_ms(value, place, place.before_ms.get(key))
        except NoTimeError as error:
            raise MemberError(error.reason, where, str(error)) from None
        except ValueError, OverflowError:
            why = f"{shortened(repr(value))} is no time in the form {rule.form}"
            raise MemberError("not-a-time", where, why) from None
        place.before_ms[key] = at_ms
        return Told(at_ms)

    return tell


def _reckoner(rule: TimeRule, parse: Parse, where: str) -> Callable[[Any, Place, int | None], int]:
    texts = texts_of(rule.form, f"{where}.form")
    zone = zone_of(rule.zone, f"{where}.zone") if rule.zone is not None else None
    if texts is None:
        if zone is not None or rule.period is not None or rule.offset_path is not None:
            raise DefinitionError(where, f"{rule.form} needs neither zone nor period")
        return lambda value, _, __: from_number(value, rule.form)
    offset = None
    if rule.offset_path is not None:
        offset = getter(rule.offset_path, "message", parse, f"{where}.offset_path")
    if rule.period is not None:
        if zone is None:
            raise DefinitionError(f"{where}.zone", "a period of the local day needs the zone of the day")
        period, number = rule.period, getter(rule.period.path, rule.of, parse, f"{where}.period.path")
        return lambda value, place, _: at_period(texts(_text(value)), zone, number(place), period.minutes, period.first)

    def as_ms(value: Any, place: Place, before_ms: int | None) -> int:
        at = texts(_text(value))
        if at.tzinfo is not None:
            return ms_of(at)
        if offset is not None:
            return shifted_ms(at, offset(place))
        if zone is None:
            raise NoTimeError("no-zone", f"{shortened(_text(value))} has no offset, and the format names no zone")
        return local_ms(at, zone, rule.ambiguous, before_ms)

    return as_ms


def _text(value: Any) -> str:
    text = text_of(value)
    if text is None or len(text) > TIME_LETTERS_MAX:
        raise ValueError(value)
    return text
