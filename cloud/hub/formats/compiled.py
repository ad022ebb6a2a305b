"""A definition made ready: its paths, times and units looked up once, then run over the rows of a message. Pure."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from cloud.hub.quantity import MEASURES, Quantity
from cloud.hub.reading import Reading

from .book import Format, Matches, Reads
from .definition import Definition, Member, Parse, ValueRule
from .document import Document
from .finding import matcher
from .gathered import DEVICE_LETTERS_MAX, POINT_LETTERS_MAX, Gathered, wrong_name
from .members import Clock, Getter, MemberError, Number, Place, clock, getter, member, numbers_of, text_of
from .path import DefinitionError
from .tables import Table, Tabled, binary_table, columns_like, csv_table, json_table, plain_name
from .times import Told
from .units import NoNumber, Unit, shortened, unit_of, whole_of

SCALE_MAX = 20  # a power of ten beyond says that nobody set it

type Units = Callable[[Place], Unit]  # raises MemberError


@dataclass(frozen=True, slots=True)
class Value:
    """One value rule, ready for use."""

    where: str
    quantity: Quantity
    of_columns: tuple[str, str] | None  # what stands before and behind `*`
    found: Getter
    number: Number
    unit: Units
    factor: Decimal
    scale: Getter | None
    missing: frozenset[str]
    picks: tuple[tuple[Getter, str], ...]
    seconds: Getter | None
    device: Getter | None
    point: Getter | None
    clock: Clock | None
    ends: bool  # the time told is the end of the interval
    in_order: bool  # a time that comes twice is told by the rows of the same series before it


def compiled(code: str, version: int, definition: Definition, *, built_in: bool = False) -> Format:
    """Return a format ready for use; raises DefinitionError, naming the member that cannot be used."""
    return Format(
        code=code,
        version=version,
        name=definition.name,
        matches=matches_of(definition),
        reads=reads_of(definition),
        ahead=definition.ahead,
        definition=definition,
        built_in=built_in,
    )


def matches_of(definition: Definition) -> Matches:
    """Return what finds the messages of a definition."""
    return matcher(definition.find, definition.parse)


def reads_of(definition: Definition) -> Reads:
    """Return what reads the messages of a definition."""
    parse = definition.parse
    tabled = _tabled(definition)
    values = [_value(rule, definition, f"values[{number}]") for number, rule in enumerate(definition.values)]
    sent = clock(definition.sent.model_copy(update={"of": "message"}), parse, "sent") if definition.sent else None

    def reads(document: Document, into: Gathered) -> int | None:
        table = tabled(document)
        place = Place(table.message)
        for number, row, outer in table.rows:
            place.enter(number, row, outer)
            for value in values:
                _take(value, place, table, into)
        return _sent_ms(sent, place, into)

    return reads


def _sent_ms(sent: Clock | None, place: Place, into: Gathered) -> int | None:
    if sent is None:
        return None
    try:
        told = sent(place)
    except MemberError as wrong:
        into.fault(None, wrong.reason, wrong.where, str(wrong))
        return None
    return None if told is None else told.at_ms


def _tabled(definition: Definition) -> Tabled:
    parse = definition.parse
    match parse.kind:
        case "json":
            return json_table(parse)
        case "binary":
            return binary_table(parse)
        case "csv":
            return csv_table(parse, _needed(definition) if parse.header else frozenset())


def _needed(definition: Definition) -> frozenset[str]:
    """Return the columns that a table must have: those of its times, and of what is said of every row."""
    found: list[str | None] = []
    for rule in (definition.time, *(value.time for value in definition.values)):
        if rule is not None and not rule.optional:
            found += [rule.path, rule.then, rule.period.path if rule.period else None]
    for each in (definition.device, definition.point):
        if each is not None and each.default is None:
            found.append(each.path)
    for value in definition.values:
        found += [value.path, *(value.where or ())]
    return frozenset(plain_name(name) for name in found if name is not None)


def _value(rule: ValueRule, definition: Definition, where: str) -> Value:
    parse = definition.parse
    time = rule.time or definition.time
    before, _, behind = plain_name(rule.columns or "").partition("*")
    if rule.columns is not None and parse.kind == "binary":
        raise DefinitionError(f"{where}.columns", "a binary record has no columns")
    path = rule.path

    def optional(each: Member | None, name: str) -> Getter | None:
        return None if each is None else member(each, parse, name)

    return Value(
        where=where,
        quantity=rule.quantity,
        of_columns=(before, behind) if rule.columns is not None else None,
        number=numbers_of(parse),
        found=getter(path, rule.of, parse, f"{where}.path") if path is not None else lambda _: None,
        unit=_unit(rule, parse, f"{where}.unit"),
        factor=Decimal(rule.factor) * (-1 if rule.sign == "export_positive" else 1),
        scale=optional(rule.scale, f"{where}.scale"),
        missing=frozenset(text for each in rule.missing if (text := text_of(each)) is not None),
        picks=tuple((getter(name, "row", parse, f"{where}.where"), text) for name, text in (rule.where or {}).items()),
        seconds=_seconds(rule, definition, f"{where}.seconds"),
        device=optional(rule.device or definition.device, f"{where}.device" if rule.device else "device"),
        point=optional(rule.point or definition.point, f"{where}.point" if rule.point else "point"),
        clock=clock(time, parse, f"{where}.time" if rule.time else "time") if time is not None else None,
        ends=time is not None and time.label == "end" and MEASURES[rule.quantity].shape == "interval",
        in_order=time is not None and time.ambiguous == "in-order",
    )


def _unit(rule: ValueRule, parse: Parse, where: str) -> Units:
    quantity = rule.quantity
    if isinstance(rule.unit, str):
        unit = _known(quantity, rule.unit, where)
        return lambda _: unit
    if rule.unit.constant is not None or rule.unit.default is not None:  # a wrong one is told at once
        _known(quantity, str(rule.unit.constant or rule.unit.default), where)
    found = member(rule.unit, parse, where)

    def get(place: Place) -> Unit:
        text = text_of(found(place))
        unit = None if text is None else unit_of(quantity, text)
        if unit is None:
            raise MemberError("unknown-unit", where, f"{shortened(str(text))} is no unit of {quantity}")
        return unit

    return get


def _known(quantity: Quantity, name: str, where: str) -> Unit:
    unit = unit_of(quantity, name)
    if unit is None:
        raise DefinitionError(where, f"{shortened(name)} is no unit of {quantity}")
    return unit


def _seconds(rule: ValueRule, definition: Definition, where: str) -> Getter | None:
    if MEASURES[rule.quantity].shape != "interval":
        return None
    if isinstance(rule.seconds, int):
        seconds = rule.seconds
        return lambda _: seconds
    if rule.seconds is not None:
        return member(rule.seconds, definition.parse, where)
    time = rule.time or definition.time
    if time is None or time.period is None:
        raise DefinitionError(where, f"{rule.quantity} is about some time: say how many seconds")
    seconds = time.period.minutes * 60
    return lambda _: seconds


def _take(value: Value, place: Place, table: Table, into: Gathered) -> None:
    """Take what one rule finds in a row."""
    try:
        if any(text_of(pick(place)) != text for pick, text in value.picks):
            return
        if value.of_columns is None:
            place.part = ""
            _take_one(value, place, value.found(place), into)
            return
        for name, part in _columns(value.of_columns, place, table):
            place.part = part
            try:
                _take_one(value, place, place.row[name], into)
            except MemberError as wrong:  # the other columns are taken all the same
                _note(wrong, place, into)
    except MemberError as wrong:
        _note(wrong, place, into)


def _note(wrong: MemberError, place: Place, into: Gathered) -> None:
    """Note what is wrong with a row; what all its values share, such as its time, once."""
    said = (wrong.where, wrong.reason)
    if said not in place.wrong or wrong.where.startswith("values"):
        place.wrong.add(said)
        into.fault(place.number, wrong.reason, wrong.where, str(wrong))


def _columns(pattern: tuple[str, str], place: Place, table: Table) -> list[tuple[str, str]]:
    if table.columns is None:
        return columns_like(pattern, place.row if isinstance(place.row, dict) else ())
    if pattern not in place.once:
        place.once[pattern] = columns_like(pattern, table.columns)
    return [(name, part) for name, part in place.once[pattern] if name in place.row]


def _take_one(value: Value, place: Place, seen: Any, into: Gathered) -> None:
    if value.in_order:
        _take_turn(value, place)
    if seen is None or text_of(seen) in value.missing:
        return
    read = value.number(seen)
    if isinstance(read, NoNumber):
        raise MemberError(read.reason, value.where, read.why)
    factor = value.factor if value.scale is None else value.factor.scaleb(_power(value, place))
    whole = whole_of(read, value.unit(place), factor)
    if isinstance(whole, NoNumber):
        raise MemberError(whole.reason, value.where, whole.why)
    told = value.clock(place) if value.clock is not None else None
    seconds = _length(value, place)
    if told is None:
        told = Told(into.received_ms, "received")
    elif value.ends:
        told = Told(told.at_ms - seconds * 1000)
    device = _name(value.device, place, DEVICE_LETTERS_MAX, "device")
    point = _name(value.point, place, POINT_LETTERS_MAX, "point")
    reading = Reading(device, point, value.quantity, told.at_ms, seconds, whole, told.timed)
    into.add(place.number, value.where, reading)


def _take_turn(value: Value, place: Place) -> None:
    """Let a row have its turn among those of its device, point and quantity, even if no value stands in it."""
    assert value.clock is not None
    place.series = ()
    with suppress(MemberError):  # said of the value, where one stands there
        device = _name(value.device, place, DEVICE_LETTERS_MAX, "device")
        point = _name(value.point, place, POINT_LETTERS_MAX, "point")
        place.series = (value.where, place.part, device, point)
        value.clock(place)


def _power(value: Value, place: Place) -> int:
    assert value.scale is not None
    seen = value.scale(place)
    if isinstance(seen, bool) or not isinstance(seen, int) or abs(seen) > SCALE_MAX:
        raise MemberError("not-a-scale", f"{value.where}.scale", f"{shortened(repr(seen))} is no power of ten")
    return seen


def _length(value: Value, place: Place) -> int:
    if value.seconds is None:
        return 0
    seen = value.seconds(place)
    if isinstance(seen, str) and seen.isascii() and seen.isdecimal() and len(seen) < 10:
        return int(seen)
    if isinstance(seen, bool) or not isinstance(seen, int) or not 0 < seen < 10**9:
        raise MemberError("no-seconds", f"{value.where}.seconds", f"{shortened(repr(seen))} is no number of seconds")
    return seen


def _name(found: Getter | None, place: Place, most: int, where: str) -> str:
    if found is None:
        return ""
    value = found(place)
    text = "" if value is None else text_of(value)
    wrong = "is no text" if text is None else wrong_name(text, most)
    if text is None or wrong is not None:
        raise MemberError("bad-name", where, wrong or "is no text")
    return text
