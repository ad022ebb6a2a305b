"""A device in memory that behaves as a test tells it, behind the very port that real devices have."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field

from homeassistant.util import dt as dt_util
import pytest

from custom_components.commonwatt import runtime
from custom_components.commonwatt.devices.port import (
    Answer,
    Command,
    Device,
    DeviceIdentity,
    Kind,
    Quantity,
    Range,
    Value,
)
from custom_components.commonwatt.errors import DeviceError
from custom_components.commonwatt.metering.reading import RawReading
from custom_components.commonwatt.site import TapConfig

from .house import MockConfigEntry


@dataclass
class ToldDevice:
    """Tells `values`, obeys `commands`, and notes what it was told; `refusal` is what it says instead of obeying."""

    values: dict[Quantity, Value] = field(default_factory=dict)
    commands: dict[Command, Range] = field(default_factory=dict)
    more: frozenset[Quantity] = frozenset()  # what it could tell and does not
    import_wh: int = 1000
    export_wh: int = 200
    power_w: int | None = 50
    integrated: bool = False
    identity: DeviceIdentity | None = None
    silent: bool = False
    follows: bool = True  # it does what it says it took
    refusal: DeviceError | ValueError | None = None
    told: list[tuple[Command, Value]] = field(default_factory=list)
    registers: dict[str, dict[int, int]] = field(default_factory=dict)

    @property
    def quantities(self) -> frozenset[Quantity]:
        """Return what it can tell."""
        return frozenset(self.values) | self.more

    async def async_read(self) -> Answer:
        """Tell."""
        if self.silent:
            raise DeviceError("no answer from 192.0.2.7")
        at_ms = int(dt_util.utcnow().timestamp() * 1000)
        return Answer(RawReading(at_ms, self.import_wh, self.export_wh, self.power_w), dict(self.values))

    async def async_command(self, command: Command, value: Value) -> None:
        """Obey, or refuse."""
        if self.refusal is not None:
            raise self.refusal
        self.told.append((command, value))
        if self.follows:
            self.values[command] = value

    async def async_dump(self) -> Mapping[str, Mapping[int, int]]:
        """Return its registers."""
        if self.silent:
            raise DeviceError("no answer from 192.0.2.7")
        return self.registers


def stand_in(monkeypatch: pytest.MonkeyPatch, devices: Mapping[str, Device]) -> None:
    """Let these devices stand at the taps of the next site that starts, as far as it still has the taps."""

    def build(_hass: object, _entry: object, taps: Mapping[str, TapConfig], *_: object) -> dict[str, Device]:
        return {tap: devices[tap] for tap in taps}

    monkeypatch.setattr(runtime, "build_devices", build)


# Runs a site with one device of a kind, at T1.
type Run = Callable[[ToldDevice, Kind], Awaitable[MockConfigEntry]]

ELECTRICAL: dict[Quantity, Value] = {
    "voltage_v": 230.4,
    "voltage_l1_v": 231.0,
    "voltage_l2_v": 229.9,
    "voltage_l3_v": 230.1,
    "current_a": 3.2,
    "current_l1_a": 1.1,
    "current_l2_a": 1.0,
    "current_l3_a": 1.1,
    "power_l1_w": 250,
    "power_l2_w": 240,
    "power_l3_w": 260,
    "apparent_power_va": 760,
    "reactive_power_var": -40,
    "power_factor": 0.98,
    "frequency_hz": 49.99,
}
CAR: dict[Quantity, Value] = {
    "charger_state": "charging",
    "plugged": True,
    "session_wh": 5400,
    "charge": True,
    "current_limit_a": 16,
    "mode": "fast",
    "soc_percent": 55,
    "capacity_wh": 60_000,
}
CAR_COMMANDS: dict[Command, Range] = {
    "charge": Range(),
    "current_limit_a": Range(6, 32, 1),
    "mode": Range(options=("eco", "fast")),
}
EXTRA: dict[Kind, dict[Quantity, Value]] = {
    "tap": {"dc_power_w": 900, "dc_power_1_w": 500, "dc_power_2_w": 400, "dc_power_3_w": 0, "dc_power_4_w": 0},
    "meter": {"demand_w": 700, "demand_max_w": 900},
    "charger": CAR,
    "cable": CAR
    | {
        "set_point_w": -1500,
        "site_id": "site-of-the-host",
        "permission": "charge_only",
        "agreement": "match",
        "latitude": 35.6586,
        "longitude": 139.7454,
        "vehicle_id": "vehicle-9",
        "user_id": "user-9",
        "signed_number": 41,
        "signed_valid": True,
        "period_seconds": 1800,
    },
    "battery": {"soc_percent": 71, "capacity_wh": 10_000, "set_point_w": 800, "mode": "auto"},
}
COMMANDS: dict[Kind, dict[Command, Range]] = {
    "tap": {},
    "meter": {},
    "charger": CAR_COMMANDS,
    "cable": CAR_COMMANDS
    | {
        "set_point_w": Range(-6000, 6000, 100),
        "site_id": Range(),
        "permission": Range(),
        "period_seconds": Range(1, 1800),
    },
    "battery": {"set_point_w": Range(-5000, 5000, 10), "mode": Range(options=("auto", "manual"))},
}


def device_of(kind: Kind) -> ToldDevice:
    """Return a device that tells and obeys everything one of its kind may."""
    return ToldDevice(ELECTRICAL | EXTRA[kind], dict(COMMANDS[kind]))
