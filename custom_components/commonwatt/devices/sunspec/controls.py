"""The controls of a battery: a set-point in W or percent (704), or two limits that leave it no choice (124)."""

from collections.abc import Mapping
import logging
import math
from typing import override

from modbus_connection import ModbusUnit

from ..register import NEARLY
from .find import BlockRefused
from .parts import Part
from .setpoint import OFF, ON, RENEW_S, REVERT_S, Controls, Held, SetPoint

LOGGER = logging.getLogger(__name__)

PERCENT_UNIT, WATTS_UNIT = 0, 1
BOTH_LIMITS = 3
# Makers who say that a limit below zero forces the battery the other way, so that two limits make a set-point.
FORCING_MAKERS = ("fronius",)


async def controls_of(
    unit: ModbusUnit, part: Part, ratings: Mapping[str, float], manufacturer: str | None, held: Held
) -> Controls | None:
    """Return what controls a battery; None where nothing does, or where its limits are not known."""
    found: list[SetPoint] = []
    if 704 in part.beside:
        found.append(DerControls(unit, part, ratings, held))
    if 124 in part.beside and (manufacturer or "").lower().startswith(FORCING_MAKERS):
        found.append(StorageControls(unit, part, ratings, held))
    for controls in found:
        try:
            await controls.async_read()
        except BlockRefused as error:
            LOGGER.debug("What controls a battery cannot be read: %s", error)
            continue
        if controls.commands:
            return controls
    return None


def _stepped(value: float, scale: int | None) -> float:
    """Return the step of a register nearest to a value, towards zero: never more than was asked for."""
    step = 10.0 ** (scale or 0)
    return math.trunc(value / step + math.copysign(NEARLY, value)) * step


class DerControls(SetPoint):
    """Model 704: a set-point in W, or in percent of the greatest power; positive is what the battery gives off."""

    model_id = 704

    @property
    @override
    def _usable(self) -> bool:
        return self._point("enabled") is not None and (self._in_watts or self._in_percent)

    @property
    def _in_watts(self) -> bool:
        return self._point("watts") is not None

    @property
    def _in_percent(self) -> bool:
        return self._point("percent") is not None and bool(self._power_max_w)

    @property
    def _power_max_w(self) -> float:
        return self._ratings.get("power_max_w") or self._ratings.get("rated_power_w", 0)

    @property
    @override
    def _step_w(self) -> float:
        return 10 ** max(0, self._point("watts_scale") or 0) if self._in_watts else max(1, self._power_max_w / 100)

    @property
    @override
    def _told_w(self) -> float | None:
        if self._point("enabled") != ON:
            return None
        in_watts = self._in_watts if self._point("unit") is None else self._point("unit") == WATTS_UNIT
        if in_watts:
            return None if self._point("watts") is None else -self._point("watts")
        percent = self._point("percent")
        return None if percent is None else -percent * self._power_max_w / 100

    @property
    @override
    def _runs_out(self) -> bool:
        left_s = self._point("revert_left_s")
        if left_s is None:
            left_s = REVERT_S - self._held.age_s
        return bool(self._point("revert_s")) and left_s <= RENEW_S

    @override
    def _writes(self, set_point_w: float | None) -> list[tuple[str, float]]:
        if set_point_w is None:
            return [("enabled", OFF)]
        writes: list[tuple[str, float]] = []
        if self._point("revert_s") is not None:
            writes.append(("revert_s", REVERT_S))
        if self._point("revert_enabled") is not None:
            writes.append(("revert_enabled", OFF))  # after that time no set-point holds
        if self._point("unit") is not None:
            writes.append(("unit", WATTS_UNIT if self._in_watts else PERCENT_UNIT))
        if self._in_watts:
            writes.append(("watts", _stepped(-set_point_w, self._point("watts_scale"))))
        else:
            percent = -set_point_w / self._power_max_w * 100
            writes.append(("percent", _stepped(percent, self._point("percent_scale"))))
        return [*writes, ("enabled", ON)]


class StorageControls(SetPoint):
    """Model 124: the limits of charging and discharging in percent, of which one below zero forces the other way."""

    model_id = 124

    @property
    @override
    def _usable(self) -> bool:
        points = ("control", "charge_percent", "discharge_percent", "charge_max_w")
        return all(self._point(point) is not None for point in points) and self._point("charge_max_w") > 0

    @property
    @override
    def _limits_w(self) -> tuple[float, float]:
        return self._point("charge_max_w"), self._point("charge_max_w")

    @property
    @override
    def _step_w(self) -> float:
        return max(1.0, float(self._point("charge_max_w")) / 100)

    @property
    @override
    def _told_w(self) -> float | None:
        charge, discharge = self._point("charge_percent"), self._point("discharge_percent")
        if self._point("control") != BOTH_LIMITS or not self._usable or charge != -discharge:
            return None  # limits that leave room are no set-point
        return float(charge) * float(self._point("charge_max_w")) / 100

    @property
    @override
    def _runs_out(self) -> bool:
        # how much is left it does not say
        return bool(self._point("revert_s")) and REVERT_S - self._held.age_s <= RENEW_S

    @override
    def _writes(self, set_point_w: float | None) -> list[tuple[str, float]]:
        if set_point_w is None:
            return [("control", OFF)]
        percent = set_point_w / self._point("charge_max_w") * 100
        writes: list[tuple[str, float]] = [("charge_percent", percent), ("discharge_percent", -percent)]
        if self._point("revert_s") is not None:
            writes.insert(0, ("revert_s", REVERT_S))
        return [*writes, ("control", BOTH_LIMITS)]
