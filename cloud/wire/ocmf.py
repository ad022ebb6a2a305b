"""A record in the Open Charge Metering Format (S.A.F.E. e.V., OCMF 1.x) is read strictly; nothing is believed here.

`OCMF|{payload}|{signature}`: what is signed are the bytes of the payload section as they stand, so they are kept and
never written anew.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
import json
import re
from typing import Any, Literal, get_args

TEXT_BYTES_MAX = 4096  # a record of four readings has about 900
READINGS_MAX = 64
TEXT_MAX = 250  # the longest text the format names
DEPTH_MAX = 8
REGISTER_WH_MAX = Decimal(10**15)
DECIMALS_MAX = 9
SIGNATURE_BYTES_MAX = 160  # of two numbers of 512 bits, in DER

PAGINATION = re.compile(r"([TF])(0|[1-9][0-9]{0,17})")
TIME = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2}T(?!24)[0-9]{2}:[0-9]{2}:[0-9]{2}),([0-9]{3})([+-][0-9]{4}) ([UISR])", re.ASCII
)
VERSION = re.compile(r"1\.[0-9]{1,3}")
HEX = re.compile(r"(?:[0-9A-F]{2})+|(?:[0-9a-f]{2})+")
FACTORS_WH = {"Wh": Decimal(1), "kWh": Decimal(1000)}

type Reason = Literal[
    "too_long",
    "not_ocmf",
    "not_json",
    "member_missing",
    "member_wrong",
    "key_wrong",
    "algorithm_other",
    "signature_wrong",
    "meter_not_good",
    "energy_unusable",
    "clock_unsure",
    "not_an_interval",
    "backward",
]
type Clock = Literal["U", "I", "S", "R"]
type Event = Literal["B", "C", "X", "E", "L", "R", "A", "P", "S", "T"]
EVENTS = frozenset(get_args(Event.__value__))
METER_STATES = frozenset("NGTDRMXIOSEF")
SIGNATURE_MEMBERS = frozenset({"SA", "SE", "SM", "SD"})


@dataclass(frozen=True, slots=True)
class Refused:
    """A record that is not believed: the reason, and the member or words it lies in."""

    reason: Reason
    where: str


@dataclass(frozen=True, slots=True)
class OcmfReading:
    """One reading: UTC in ms, how sure the clock is, why it was read, the register in Wh (None: only an event)."""

    at_ms: int
    clock: Clock
    event: Event | None
    register_wh: Decimal | None
    obis: str | None
    errors: str
    state: str


@dataclass(frozen=True, slots=True)
class Ocmf:
    """A record as it was read; `payload` and `signature` are for whoever knows the key.

    `context` is T in a transaction, F outside one; `number` counts on by one in each context. `serial` is the signing
    meter's, or its gateway's where the meter has none. `user` is set where a user was assigned. `site` is the charge
    point (`CI`), which for a cable is the site it was plugged in at; `place` its latitude and longitude in millionths
    of a degree (`XP`), `vehicle` the car behind it (`XV`): the open register map's own members, signed like the rest.
    """

    context: Literal["T", "F"]
    number: int
    serial: str
    user: str | None
    readings: tuple[OcmfReading, ...]
    payload: bytes
    algorithm: str | None
    signature: bytes
    site: str | None = None
    place: tuple[int, int] | None = None
    vehicle: str | None = None


class _No(Exception):  # noqa: N818
    """The way out of a half-read record."""

    def __init__(self, reason: Reason, where: str) -> None:
        super().__init__(reason, where)
        self.refused = Refused(reason, where)


def parse_ocmf(text: str) -> Ocmf | Refused:
    """Take a record apart; say what is wrong with one that does not hold to the format to the letter."""
    try:
        return _record(text)
    except _No as no:
        return no.refused


def _record(text: str) -> Ocmf:
    if len(text) > TEXT_BYTES_MAX or len(_bytes(text)) > TEXT_BYTES_MAX:
        raise _No("too_long", f"more than {TEXT_BYTES_MAX} bytes")
    sections = text.split("|")
    if len(sections) != 3 or sections[0] != "OCMF":
        raise _No("not_ocmf", "OCMF|payload|signature")
    payload, signed = _object(sections[1], "payload"), _object(sections[2], "signature")
    if not VERSION.fullmatch(_text(payload, "FV", "1.0")):
        raise _No("member_wrong", "FV")
    page = PAGINATION.fullmatch(_text(payload, "PG"))
    if page is None:
        raise _No("member_wrong", "PG")
    serial = _text(payload, "MS", "") or _text(payload, "GS", "")
    if not serial:
        raise _No("member_missing", "MS")
    return Ocmf(
        context="T" if page[1] == "T" else "F",
        number=int(page[2]),
        serial=serial,
        user=_user(payload, in_transaction=page[1] == "T"),
        readings=_readings(payload),
        payload=_bytes(sections[1]),
        algorithm=_text(signed, "SA", "") or None,
        signature=_signature(signed),
        site=_text(payload, "CI", "") or None,
        place=_place(payload),
        vehicle=_text(payload, "XV", "") or None,
    )


def _place(payload: Mapping[str, Any]) -> tuple[int, int] | None:
    place = payload.get("XP")
    if place is None:
        return None
    if not isinstance(place, list) or len(place) != 2:
        raise _No("member_wrong", "XP")
    return _degrees(place[0], 90), _degrees(place[1], 180)


def _degrees(value: Any, most: int) -> int:
    exponent = value.as_tuple().exponent if isinstance(value, Decimal) else None
    if exponent != 0 or abs(value) > most * 1_000_000:
        raise _No("member_wrong", "XP")
    return int(value)


def _user(payload: Mapping[str, Any], *, in_transaction: bool) -> str | None:
    if not in_transaction and "IS" not in payload:
        return None
    status = payload.get("IS")
    if type(status) is not bool:
        raise _No("member_missing" if status is None else "member_wrong", "IS")
    user = _text(payload, "ID", "")
    return (user or None) if status else None


def _readings(payload: Mapping[str, Any]) -> tuple[OcmfReading, ...]:
    listed = payload.get("RD")
    if not isinstance(listed, list) or not 0 < len(listed) <= READINGS_MAX:
        raise _No("member_missing" if listed is None else "member_wrong", "RD")
    readings = []
    told: dict[str, Any] = {}
    for index, reading in enumerate(listed):
        if not isinstance(reading, dict):
            raise _No("member_wrong", f"RD[{index}]")
        # what is as in the reading before may be left out; a time and a value never hold for another reading
        told = {key: value for key, value in told.items() if key not in ("TM", "RV")} | reading
        readings.append(_reading(told, f"RD[{index}]."))
    return tuple(readings)


def _reading(data: Mapping[str, Any], where: str) -> OcmfReading:
    at_ms, clock = _time(data, where)
    event = _text(data, "TX", "", where)
    if event and event not in EVENTS:
        raise _No("member_wrong", f"{where}TX")
    state = _text(data, "ST", None, where)
    if state not in METER_STATES:
        raise _No("member_wrong", f"{where}ST")
    errors = _text(data, "EF", "", where)
    if set(errors) - {"E", "t"}:
        raise _No("member_wrong", f"{where}EF")
    return OcmfReading(
        at_ms=at_ms,
        clock=clock,
        event=event or None,  # type: ignore[arg-type]  # checked above
        register_wh=_register_wh(data, where),
        obis=_text(data, "RI", "", where) or None,
        errors=errors,
        state=state,
    )


def _register_wh(data: Mapping[str, Any], where: str) -> Decimal | None:
    value = data.get("RV")
    if value is None:
        return None
    factor = FACTORS_WH.get(_text(data, "RU", None, where))
    if factor is None:
        raise _No("member_wrong", f"{where}RU")
    exponent = value.as_tuple().exponent if isinstance(value, Decimal) else None
    # the exponent first: 1E999999999 is a short text and an endless number
    if not isinstance(exponent, int) or not -DECIMALS_MAX <= exponent <= 0:
        raise _No("member_wrong", f"{where}RV")
    register_wh: Decimal = value * factor
    if not 0 <= register_wh <= REGISTER_WH_MAX:
        raise _No("member_wrong", f"{where}RV")
    return register_wh


def _time(data: Mapping[str, Any], where: str) -> tuple[int, Clock]:
    match = TIME.fullmatch(_text(data, "TM", None, where))
    if match is None:
        raise _No("member_wrong", f"{where}TM")
    try:
        seconds = int(datetime.strptime(match[1] + match[3], "%Y-%m-%dT%H:%M:%S%z").timestamp())
    except ValueError, OverflowError:
        raise _No("member_wrong", f"{where}TM") from None
    if seconds < 0:
        raise _No("member_wrong", f"{where}TM")
    return seconds * 1000 + int(match[2]), match[4]  # type: ignore[return-value]  # the pattern names its values


def _signature(signed: Mapping[str, Any]) -> bytes:
    # nothing protects this section: what is not needed is not let in
    if unknown := set(signed) - SIGNATURE_MEMBERS:
        raise _No("member_wrong", f"signature.{min(unknown)}")
    if _text(signed, "SE", "hex") != "hex":
        raise _No("member_wrong", "SE")
    if _text(signed, "SM", "application/x-der") != "application/x-der":
        raise _No("member_wrong", "SM")
    data = signed.get("SD")
    if data is None:
        raise _No("member_missing", "SD")
    if not isinstance(data, str) or len(data) > 2 * SIGNATURE_BYTES_MAX or not HEX.fullmatch(data):
        raise _No("member_wrong", "SD")
    return bytes.fromhex(data)


def _text(data: Mapping[str, Any], key: str, default: str | None = None, where: str = "") -> str:
    value = data.get(key, default)
    if value is None:
        raise _No("member_missing", where + key)
    if not isinstance(value, str) or len(value) > TEXT_MAX or not value.isprintable():
        raise _No("member_wrong", where + key)
    return value


def _bytes(text: str) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError:
        raise _No("not_ocmf", "not UTF-8") from None


def _object(section: str, where: str) -> dict[str, Any]:
    if max(section.count("["), section.count("{")) > READINGS_MAX * DEPTH_MAX:
        raise _No("not_json", where)
    try:
        data = json.loads(
            section,
            object_pairs_hook=_no_doubles,
            parse_float=Decimal,
            parse_int=Decimal,
            parse_constant=_no_constant,
        )
    except ArithmeticError, ValueError, RecursionError:
        raise _No("not_json", where) from None
    if not isinstance(data, dict):
        raise _No("not_json", where)
    return data


def _no_doubles(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    data = dict(pairs)
    if len(data) != len(pairs):
        raise _No("not_json", "a member twice")
    return data


def _no_constant(text: str) -> None:
    raise _No("not_json", text)
