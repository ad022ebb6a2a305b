"""Telemetry in a batch: voltage, current and power at a tap at one instant, beside the energy that is settled."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

from .strict import TIME_MAX, WireError, identifier, members, take, whole

TELEMETRY_MAX = 1000  # items in one batch: a hundred taps with three phases, twice over, in a tenth of a body
VALUES_MAX = 20  # members of one item, with room for words of later versions

type TelemetryQuantity = Literal[
    "voltage",  # mV
    "current",  # mA, import positive
    "power",  # mW, import positive
    "reactive_power",  # mvar
    "power_factor",  # thousandths
    "frequency",  # mHz
    "soc",  # thousandths of a percent
]

TELEMETRY_QUANTITIES = frozenset(get_args(TelemetryQuantity.__value__))


@dataclass(frozen=True, slots=True)
class Telemetry:
    """What stood at a tap at `at_ms` (milliseconds since 1970): whole numbers in small units, by quantity.

    `point` is the phase (`l1`, `l2`, `l3`), "" for the tap as a whole. Nothing is settled by it.
    """

    at_ms: int
    tap: str
    values: Mapping[str, int]
    point: str = ""

    def plain(self) -> dict[str, Any]:
        """Return its JSON data."""
        data = {"at_ms": self.at_ms, "tap": self.tap, "values": dict(self.values)}
        return data | {"point": self.point} if self.point else data


def telemetry(data: Any, where: str) -> Telemetry:
    """Read one item; quantities nobody knows here are left out, so that a newer site may tell more."""
    if not isinstance(data, dict):
        raise WireError(where, "holds something that is not an object")
    values = members(data, "values", where, VALUES_MAX)
    return Telemetry(
        at_ms=whole(take(data, "at_ms", where), f"{where}.at_ms", 0, TIME_MAX * 1000),
        tap=identifier(take(data, "tap", where), f"{where}.tap"),
        values={
            name: whole(value, f"{where}.values.{name}")
            for name, value in values.items()
            if name in TELEMETRY_QUANTITIES
        },
        point=identifier(data["point"], f"{where}.point") if "point" in data else "",
    )
