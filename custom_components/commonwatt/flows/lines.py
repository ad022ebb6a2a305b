"""The line to a Modbus unit as a form asks for it and as a subentry keeps it."""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from homeassistant.const import CONF_DEVICE, CONF_HOST, CONF_PORT

from ..const import (
    CONF_BAUDRATE,
    CONF_LINE,
    CONF_PARITY,
    CONF_PROFILE,
    CONF_SOURCE,
    CONF_STOPBITS,
    CONF_UNIT_ID,
    LINE_RTU_OVER_TCP,
    LINE_SERIAL,
    LINE_TCP,
    SECTION_MORE_OPTIONS,
    SOURCE_MODBUS,
)
from ..devices.line import Line, RtuOverTcpLine, SerialLine
from ..devices.profile import Profile
from ..site import TapConfig
from ..sources import ModbusSource

LINES: Final = (LINE_TCP, LINE_RTU_OVER_TCP, LINE_SERIAL)
PARITIES: Final[Mapping[str, str]] = {"none": "N", "even": "E", "odd": "O"}
LINE_FIELDS: Final = frozenset(
    {CONF_LINE, CONF_HOST, CONF_PORT, CONF_DEVICE, CONF_BAUDRATE, CONF_PARITY, CONF_STOPBITS}
)
UNIT_ID_USUAL = 1


def line_data(line: str, user_input: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a subentry keeps of a form's line."""
    if line == LINE_SERIAL:
        more = user_input[SECTION_MORE_OPTIONS]
        return {
            CONF_LINE: LINE_SERIAL,
            CONF_DEVICE: user_input[CONF_DEVICE].strip(),
            CONF_BAUDRATE: user_input[CONF_BAUDRATE],
            CONF_PARITY: PARITIES[more[CONF_PARITY]],
            CONF_STOPBITS: int(more[CONF_STOPBITS]),
        }
    # one connection is shared by host and port, so they are spelt in one way
    place = {CONF_HOST: user_input[CONF_HOST].strip().lower(), CONF_PORT: user_input[CONF_PORT]}
    return place if line == LINE_TCP else {CONF_LINE: line} | place


def line_source(line: Line) -> dict[str, Any]:
    """Return what a subentry keeps of a line that another one has."""
    match line:
        case SerialLine(device, baudrate, parity, stopbits):
            return {
                CONF_LINE: LINE_SERIAL,
                CONF_DEVICE: device,
                CONF_BAUDRATE: baudrate,
                CONF_PARITY: parity,
                CONF_STOPBITS: stopbits,
            }
        case RtuOverTcpLine(host, port):
            return {CONF_LINE: LINE_RTU_OVER_TCP, CONF_HOST: host, CONF_PORT: port}
        case _:
            return {CONF_HOST: line.host, CONF_PORT: line.port}


def unit_source(line: str, profile: Profile | None, user_input: Mapping[str, Any]) -> dict[str, Any]:
    """Return a Modbus form's content as a subentry keeps it; an empty unit id is the usual one of the device."""
    usual = UNIT_ID_USUAL if profile is None or profile.unit_id is None else profile.unit_id
    unit_id = user_input.get(SECTION_MORE_OPTIONS, {}).get(CONF_UNIT_ID, user_input.get(CONF_UNIT_ID))
    return {
        CONF_SOURCE: SOURCE_MODBUS,
        **line_data(line, user_input),
        CONF_UNIT_ID: usual if unit_id is None else unit_id,
        CONF_PROFILE: user_input.get(CONF_PROFILE),
    }


def kind_of_line(source: Mapping[str, Any]) -> str | None:
    """Return which kind of line a kept source is on; None for one that is on none."""
    kind: str = source.get(CONF_LINE, LINE_TCP)
    return kind if source.get(CONF_SOURCE) == SOURCE_MODBUS else None


def unit_form(line: str, source: Mapping[str, Any], taps: Iterable[TapConfig]) -> dict[str, Any]:
    """Return what a Modbus form shows: the source there is, else the line of this kind that the site took last."""
    if kind_of_line(source) == line:
        form = {CONF_PROFILE: source[CONF_PROFILE], CONF_UNIT_ID: source[CONF_UNIT_ID]}
        return _form(line, source, form)
    lines = [tap.source.line for tap in taps if isinstance(tap.source, ModbusSource)]
    kept = [kept for kept in map(line_source, lines) if kept.get(CONF_LINE, LINE_TCP) == line]
    return _form(line, kept[-1], {}) if kept and line != LINE_TCP else {}


def _form(line: str, source: Mapping[str, Any], form: dict[str, Any]) -> dict[str, Any]:
    if line == LINE_SERIAL:
        spoken = {kept: shown for shown, kept in PARITIES.items()}
        more = {
            CONF_PARITY: spoken[source.get(CONF_PARITY, "N")],
            CONF_STOPBITS: str(source.get(CONF_STOPBITS, 1)),
        }
        return form | {
            CONF_DEVICE: source[CONF_DEVICE],
            CONF_BAUDRATE: source[CONF_BAUDRATE],
            SECTION_MORE_OPTIONS: more,
        }
    form |= {CONF_HOST: source[CONF_HOST], CONF_PORT: source[CONF_PORT]}
    if line == LINE_TCP:
        form[SECTION_MORE_OPTIONS] = {CONF_UNIT_ID: form.pop(CONF_UNIT_ID)}
    return form
