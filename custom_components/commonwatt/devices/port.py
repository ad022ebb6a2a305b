"""The port of a device: a read of all it tells, a command it obeys, and its breaker; behind it stand the adapters."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, Protocol, get_args, runtime_checkable

from ..metering.reading import RawReading

type Kind = Literal["meter", "tap", "charger", "cable", "battery"]

# What a device may tell besides its registers and its power; the unit stands last in the name.
type Quantity = Literal[
    "voltage_v",
    "voltage_l1_v",
    "voltage_l2_v",
    "voltage_l3_v",
    "current_a",
    "current_l1_a",
    "current_l2_a",
    "current_l3_a",
    "power_l1_w",
    "power_l2_w",
    "power_l3_w",
    "apparent_power_va",
    "reactive_power_var",
    "power_factor",
    "frequency_hz",
    "dc_power_w",
    "dc_power_1_w",
    "dc_power_2_w",
    "dc_power_3_w",
    "dc_power_4_w",
    "demand_w",
    "demand_max_w",
    "charger_state",
    "plugged",
    "session_wh",
    "charge",
    "current_limit_a",
    "mode",
    "soc_percent",
    "capacity_wh",
    "set_point_w",
    "site_id",
    "permission",
    "agreement",
    "latitude",
    "longitude",
    "vehicle_id",
    "user_id",
    "signed_number",
    "signed_valid",
    "period_seconds",
]
QUANTITIES: frozenset[Quantity] = frozenset(get_args(Quantity.__value__))

# What a device may be told. Each is also a quantity, which says what the device made of it.
type Command = Literal[
    "charge", "current_limit_a", "mode", "set_point_w", "site_id", "permission", "agreement", "period_seconds"
]
COMMANDS: frozenset[Command] = frozenset(get_args(Command.__value__))

type ChargerState = Literal[
    "available", "plugged", "charging", "discharging", "paused", "reserved", "out_of_service", "fault"
]
type Permission = Literal["allowed", "charge_only", "denied"]
type Agreement = Literal["match", "mismatch", "unknown"]

type Value = bool | int | float | str


@dataclass(frozen=True, slots=True)
class DeviceIdentity:
    """Which device answers: what it says of itself; None where it says nothing."""

    serial: str | None
    rated_power_w: int | None
    manufacturer: str | None = None
    model: str | None = None
    firmware: str | None = None
    public_key: str | None = None  # what it signs its intervals with: DER in hex


@dataclass(frozen=True, slots=True)
class Answer:
    """What a device told at one read: its registers, and every other quantity that has a value now.

    A quantity is missing in `values` while the device does not know it; what is asked for seldom is repeated. `papers`
    are the signed records (OCMF) it made since the last answer that brought some, oldest first.
    """

    raw: RawReading
    values: Mapping[Quantity, Value] = field(default_factory=dict)
    papers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Range:
    """What a command accepts: numbers from `least` to `most` in steps, or one of the options; neither for a switch."""

    least: float = 0
    most: float = 0
    step: float = 1
    options: tuple[str, ...] = ()


class Device(Protocol):
    """Anything that has energy registers; some tell more, some obey."""

    @property
    def quantities(self) -> frozenset[Quantity]:
        """What it can tell besides registers and power, as far as is known now; it may grow with the first contact."""

    @property
    def commands(self) -> Mapping[Command, Range]:
        """What it obeys, as far as is known now."""

    @property
    def integrated(self) -> bool:
        """Whether a register is made here from power, because the device has none: its energy is an estimate."""

    async def async_read(self) -> Answer:
        """Return what it tells now, registers in Wh; raise DeviceError if the device is silent or talks nonsense."""

    async def async_command(self, command: Command, value: Value) -> None:
        """Tell it to do something; raise DeviceError unless it took it, ValueError what is outside its range."""


@runtime_checkable
class Identified(Protocol):
    """A device that says which one it is."""

    @property
    def identity(self) -> DeviceIdentity | None:
        """What it said of itself at the last contact; None before the first."""


@runtime_checkable
class Dumps(Protocol):
    """A device whose raw registers may be looked at, to find a fault."""

    async def async_dump(self) -> Mapping[str, Mapping[int, int]]:
        """Return the words it holds now, by space and address; none that name it, its owner or its place.

        Raises DeviceError if the device is silent.
        """


class Breaker(Protocol):
    """What opens and closes a tap."""

    @property
    def closed(self) -> bool | None:
        """Whether energy can flow, as it was last heard; None while the device does not answer."""

    async def async_switch(self, *, closed: bool) -> None:
        """Close or open it; raise DeviceError unless the device then says that it is so."""
