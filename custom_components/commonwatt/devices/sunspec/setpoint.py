"""The set-point of a battery: how the controls of a SunSpec device are told to hold a power, and let go again.

What is told holds for a quarter of an hour only, where the device has such a timer, and is renewed while this site
runs: when the site is gone, the battery is its own master again.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from modbus_connection import ModbusError, ModbusUnit
from modbus_connection.model.sunspec import SunSpecComponent

from ...errors import DeviceError
from ..port import Command, Quantity, Range, Value
from .find import async_update
from .models import component_class
from .parts import Part
from .telling import component_value

REVERT_S = 900
RENEW_S = 600  # renewed when no more than this is left
OFF, ON = 0, 1
MODES = ("auto", "set_point")


class Controls(Protocol):
    """What holds a battery at a power."""

    @property
    def commands(self) -> Mapping[Command, Range]:
        """What it accepts."""

    async def async_read(self) -> dict[Quantity, Value]:
        """Return what it holds now, and renew what it was told here."""

    async def async_command(self, command: Command, value: Value) -> dict[Quantity, Value]:
        """Tell it, and return what it then says; raise DeviceError unless it is so, ValueError out of range."""


@dataclass(slots=True)
class Held:
    """The set-point that was told here and still holds, in W, and when; it outlives a contact."""

    now: Callable[[], float]
    set_point_w: float | None = None
    told_at: float = 0

    @property
    def age_s(self) -> float:
        """How long ago it was told."""
        return self.now() - self.told_at


class SetPoint(ABC):
    """What both kinds of controls share."""

    model_id: int

    def __init__(self, unit: ModbusUnit, part: Part, ratings: Mapping[str, float], held: Held) -> None:
        self._unit = unit
        self._component: SunSpecComponent = component_class(self.model_id)(unit, part.beside[self.model_id])
        service = part.beside.get(703)
        self._service = None if service is None else component_class(703)(unit, service)
        self._ratings = ratings
        self._held = held

    @property
    def commands(self) -> Mapping[Command, Range]:
        """A set-point between the greatest powers of both directions, and whether it holds at all."""
        if not self._usable:
            return {}
        discharge_w, charge_w = self._limits_w
        if not discharge_w or not charge_w:
            return {}  # what may be asked of it is not known
        return {"set_point_w": Range(-discharge_w, charge_w, self._step_w), "mode": Range(options=MODES)}

    async def async_read(self) -> dict[Quantity, Value]:
        """Return the set-point and whether it holds; renew it before it runs out, unless somebody else changed it."""
        await async_update(self._unit, self._component)
        if (held_w := self._held.set_point_w) is not None:
            if not self._holds(held_w):
                self._held.set_point_w = None
            elif self._runs_out:
                await self._async_tell(held_w)
        return self._values()

    def _values(self) -> dict[Quantity, Value]:
        told_w = self._told_w
        if not self._usable:
            return {}
        return {"mode": MODES[0]} if told_w is None else {"mode": MODES[1], "set_point_w": told_w}

    async def async_command(self, command: Command, value: Value) -> dict[Quantity, Value]:
        """Hold a power, or let go; raise DeviceError unless the device then says so."""
        set_point_w = self._asked_w(command, value)
        if set_point_w is not None and self._service is not None:
            await async_update(self._unit, self._service)
            if component_value(self._service, "permitted") == OFF:
                raise DeviceError(
                    "is not permitted to enter service, so no set-point can hold: permit it at the device"
                )
        await self._async_tell(set_point_w)
        self._held.set_point_w = set_point_w
        return self._values()

    def _asked_w(self, command: Command, value: Value) -> float | None:
        if (accepted := self.commands.get(command)) is None:
            raise DeviceError(f"cannot be told {command}")
        if accepted.options:
            if value not in accepted.options:
                raise ValueError(f"{command} must be one of {', '.join(accepted.options)}, not {value!r}")
            return None if value == MODES[0] else self._told_w or 0
        if isinstance(value, bool | str) or not accepted.least <= value <= accepted.most:
            raise ValueError(f"{command} must be {accepted.least:g} to {accepted.most:g}, not {value!r}")
        return value

    async def _async_tell(self, set_point_w: float | None) -> None:
        try:
            for name, value in self._writes(set_point_w):
                await self._component.write(name, value)
        except (ModbusError, ValueError, OverflowError) as error:  # no scale factor, or too large a number for it
            raise DeviceError(f"does not take the set-point: {error}") from error
        await async_update(self._unit, self._component)
        if set_point_w is None:
            if self._told_w is not None:
                raise DeviceError("does not let go of its set-point")
        elif self._holds(set_point_w):
            self._held.told_at = self._held.now()
        else:
            raise DeviceError(f"does not hold the set-point of {set_point_w:g} W")

    def _holds(self, set_point_w: float) -> bool:
        told_w = self._told_w
        return told_w is not None and abs(told_w - set_point_w) <= self._step_w

    def _point(self, name: str) -> Any:
        return component_value(self._component, name)

    @property
    @abstractmethod
    def _usable(self) -> bool:
        """Whether the device has what a set-point needs."""

    @property
    def _limits_w(self) -> tuple[float, float]:
        """The greatest powers of discharging and of charging, in W; 0 where they are not known."""
        rated_w = self._ratings.get("rated_power_w", 0)
        return self._ratings.get("discharge_max_w", rated_w), self._ratings.get("charge_max_w", rated_w)

    @property
    @abstractmethod
    def _step_w(self) -> float:
        """How far what is held may be from what was asked for: a step of the register, in W."""

    @property
    @abstractmethod
    def _told_w(self) -> float | None:
        """The set-point that holds, positive while charging; None while none does."""

    @property
    @abstractmethod
    def _runs_out(self) -> bool:
        """Whether what was told must be told again."""

    @abstractmethod
    def _writes(self, set_point_w: float | None) -> list[tuple[str, float]]:
        """Return what is written, in this order; what makes it hold comes last."""
