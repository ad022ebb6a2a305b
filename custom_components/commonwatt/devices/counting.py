"""A Modbus device without an energy register: its registers are made here, from its power, and kept over a restart."""

from collections.abc import Mapping
from typing import Any, override

from modbus_connection import ModbusUnit

from ..metering.reading import Limits, RawReading
from .adopted.registers import SIDES, Registers
from .cable import PROFILE as CABLE, CableDevice, Judge
from .modbus import ModbusDevice
from .patience import Bus
from .port import Value
from .profile import Profile

POWER = "power_w"


def modbus_device(
    unit: ModbusUnit, profile: Profile, serial: str | None, bus: Bus | None = None, judge: Judge | None = None
) -> ModbusDevice:
    """Return what reads a unit by a profile: its own registers, or registers made of its power where it has none.

    A cable's signed records come along; `judge` says whether they hold.
    """
    if profile.key == CABLE:
        return CableDevice(unit, profile, serial, bus, judge=judge)
    return (CountingModbusDevice if profile.integrated else ModbusDevice)(unit, profile, serial, bus)


class CountingModbusDevice(ModbusDevice):
    """Counts what flows while the device tells its power; what flowed while it was silent nobody knows."""

    def __init__(self, unit: ModbusUnit, profile: Profile, serial: str | None, bus: Bus | None = None) -> None:
        """Begin at zero, unless `go_on_with` says where it stood."""
        super().__init__(unit, profile, serial, bus)
        self._registers = Registers({}, POWER, frozenset(SIDES), Limits(None))

    def go_on_with(self, kept: Mapping[str, Any] | None, floor_wh: tuple[int, int] | None) -> None:
        """Take up what `kept` returned last, and the registers of the boundary closed last: never behind these."""
        self._registers.go_on_with(kept, floor_wh)

    def kept(self) -> Mapping[str, Any] | None:
        """Return what is to be written down; None before the first read."""
        return self._registers.kept()

    @override
    def _raw(self, values: Mapping[str, Value]) -> RawReading:
        raw = super()._raw(values)
        self._registers.sample(raw.at_ms, raw.power_w)
        import_wh, export_wh = self._registers.wh()
        return RawReading(raw.at_ms, import_wh, export_wh, raw.power_w)
