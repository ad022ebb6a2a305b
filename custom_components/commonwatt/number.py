"""Numbers a person sets: the current limit of a charger, the power of a battery, the charge a car is to have."""

from dataclasses import dataclass, replace
from typing import override

from homeassistant.components.number import (
    NumberDeviceClass,
    NumberEntity,
    NumberEntityDescription,
    NumberMode,
    RestoreNumber,
)
from homeassistant.const import PERCENTAGE, Platform, UnitOfElectricCurrent, UnitOfPower
from homeassistant.core import HomeAssistant
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback

from .command import CommandDescription, CommandEntity
from .coordinator import CommonwattConfigEntry
from .entity import WishEntity
from .quantities import KINDS_WITH_A_SET_POINT
from .runtime import SiteRuntime
from .site import TapConfig
from .wish import KINDS_WITH_A_CAR

PARALLEL_UPDATES = 1


@dataclass(frozen=True, kw_only=True)
class CommandNumberDescription(CommandDescription, NumberEntityDescription):
    """A number that a device can be told; its range is the device's own."""


NUMBERS: tuple[CommandNumberDescription, ...] = (
    CommandNumberDescription(
        key="current_limit",
        translation_key="current_limit",
        quantity="current_limit_a",
        kinds=KINDS_WITH_A_CAR,
        device_class=NumberDeviceClass.CURRENT,
        native_unit_of_measurement=UnitOfElectricCurrent.AMPERE,
    ),
    CommandNumberDescription(
        key="set_point",
        translation_key="set_point",
        quantity="set_point_w",
        kinds=KINDS_WITH_A_SET_POINT,
        device_class=NumberDeviceClass.POWER,
        native_unit_of_measurement=UnitOfPower.WATT,
        mode=NumberMode.BOX,
    ),
)

CHARGE_NEEDED = NumberEntityDescription(
    key="charge_needed",
    translation_key="charge_needed",
    native_min_value=0,
    native_max_value=100,
    native_step=1,
    native_unit_of_measurement=PERCENTAGE,
)


async def async_setup_entry(
    hass: HomeAssistant, entry: CommonwattConfigEntry, async_add_entities: AddConfigEntryEntitiesCallback
) -> None:
    """Add the wish for every car that can be charged here, and what devices can be told, now or later."""
    runtime = entry.runtime_data
    for tap in runtime.coordinator.taps.values():
        if tap.kind in KINDS_WITH_A_CAR:
            async_add_entities([ChargeNeeded(runtime, tap)], config_subentry_id=tap.subentry_id)

    def make(tap: TapConfig, description: CommandNumberDescription) -> CommandNumber:
        return CommandNumber(runtime, tap, description)

    runtime.arrivals.async_join(Platform.NUMBER, NUMBERS, make, async_add_entities)


class CommandNumber(CommandEntity, NumberEntity):
    """Sets a number of a device."""

    entity_description: CommandNumberDescription

    @property
    @override
    def native_min_value(self) -> float:
        return self._range.least

    @property
    @override
    def native_max_value(self) -> float:
        return self._range.most

    @property
    @override
    def native_step(self) -> float:
        return self._range.step

    @property
    @override
    def native_value(self) -> float | None:
        return self._value if isinstance(self._value, int | float) else None

    @override
    async def async_set_native_value(self, value: float) -> None:
        await self._async_tell(int(value) if value.is_integer() else value)


class ChargeNeeded(WishEntity, RestoreNumber):
    """The state of charge that a car is to have when it leaves; kept here, not in the device."""

    def __init__(self, runtime: SiteRuntime, tap: TapConfig) -> None:
        """Begin with what is right for most."""
        super().__init__(runtime, tap, CHARGE_NEEDED)

    @override
    async def async_added_to_hass(self) -> None:
        last = await self.async_get_last_number_data()
        if last is not None and last.native_value is not None:
            self._keep(last.native_value)
        await super().async_added_to_hass()

    @property
    @override
    def native_value(self) -> float:
        return self._wish.charge_needed_percent

    @property
    @override
    def _face(self) -> object:
        return self.native_value

    @override
    async def async_set_native_value(self, value: float) -> None:
        self._keep(value)
        self.coordinator.async_tell()

    def _keep(self, percent: float) -> None:
        self._wish = replace(self._wish, charge_needed_percent=round(percent))
