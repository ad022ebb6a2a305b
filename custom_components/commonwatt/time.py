"""When a car leaves: a wish that a person sets once, kept here and not in the device."""

from dataclasses import replace
from datetime import time
from typing import override

from homeassistant.components.time import TimeEntity, TimeEntityDescription
from homeassistant.core import HomeAssistant
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback
from homeassistant.helpers.restore_state import RestoreEntity
from homeassistant.util import dt as dt_util

from .coordinator import CommonwattConfigEntry
from .entity import WishEntity
from .runtime import SiteRuntime
from .site import TapConfig
from .wish import KINDS_WITH_A_CAR

PARALLEL_UPDATES = 1

DEPARTURE = TimeEntityDescription(key="departure", translation_key="departure")


async def async_setup_entry(
    hass: HomeAssistant, entry: CommonwattConfigEntry, async_add_entities: AddConfigEntryEntitiesCallback
) -> None:
    """Add one to whatever a car can be charged with."""
    runtime = entry.runtime_data
    for tap in runtime.coordinator.taps.values():
        if tap.kind in KINDS_WITH_A_CAR:
            async_add_entities([Departure(runtime, tap)], config_subentry_id=tap.subentry_id)


class Departure(WishEntity, TimeEntity, RestoreEntity):
    """The time of day, in the time of the place, at which a car is to be ready."""

    def __init__(self, runtime: SiteRuntime, tap: TapConfig) -> None:
        """Begin with what is right for most."""
        super().__init__(runtime, tap, DEPARTURE)

    @override
    async def async_added_to_hass(self) -> None:
        last = await self.async_get_last_state()
        if last is not None and (departure := dt_util.parse_time(last.state)) is not None:
            self._wish = replace(self._wish, departure=departure)
        await super().async_added_to_hass()

    @property
    @override
    def native_value(self) -> time:
        return self._wish.departure

    @property
    @override
    def _face(self) -> object:
        return self.native_value

    @override
    async def async_set_value(self, value: time) -> None:
        self._wish = replace(self._wish, departure=value)
        self.coordinator.async_tell()
