"""What every entity of a site shares: its device, its id for ever, and that it is written only when it changes."""

from abc import abstractmethod
from typing import override

from homeassistant.core import callback
from homeassistant.helpers.device_registry import DeviceEntryType, DeviceInfo
from homeassistant.helpers.entity import EntityDescription
from homeassistant.helpers.update_coordinator import CoordinatorEntity

from .arrivals import has_answered
from .const import DOMAIN
from .coordinator import SiteCoordinator
from .hardware import owner_identifier, tap_identifier
from .runtime import SiteRuntime
from .site import TapConfig
from .state import TapState
from .wish import Wish


class SiteEntity(CoordinatorEntity[SiteCoordinator]):
    """An entity of the site itself."""

    _attr_has_entity_name = True

    def __init__(self, runtime: SiteRuntime, description: EntityDescription) -> None:
        """Belong to the site's device."""
        super().__init__(runtime.coordinator)
        self.entity_description = description
        self._attr_unique_id = f"{runtime.key_id}_{description.key}"
        self._attr_device_info = DeviceInfo(identifiers={(DOMAIN, runtime.key_id)})
        self._shown: object = None

    @property
    @abstractmethod
    def _face(self) -> object:
        """What a person sees of it; equal faces need not be written again."""

    @callback
    @override
    def _handle_coordinator_update(self) -> None:
        # a site of 200 taps has thousands of entities; writing one costs far more than comparing it
        if (self.available, self._face) != self._shown:
            self.async_show()

    @callback
    def async_show(self) -> None:
        """Write the state as it is now."""
        self._shown = (self.available, self._face)
        self.async_write_ha_state()


class TapEntity(SiteEntity):
    """An entity of what stands at a tap.

    One that `shows_only_tap` shows nothing but the tap's state, which stays the same object while nothing changes.
    """

    shows_only_tap = False

    def __init__(self, runtime: SiteRuntime, tap: TapConfig, description: EntityDescription) -> None:
        """Belong to the tap's device."""
        super().__init__(runtime, description)
        self._tap = tap.tap
        self._name_of_tap = tap.name
        self._attr_unique_id = f"{runtime.key_id}_{tap.tap}_{description.key}"
        self._attr_device_info = DeviceInfo(identifiers={tap_identifier(runtime.key_id, tap.tap)})
        self._seen: tuple[TapState, bool] | None = None

    @callback
    @override
    def _handle_coordinator_update(self) -> None:
        # most taps stand still from poll to poll: one look must do
        seen = self._tap_state, self.coordinator.last_update_success
        if self.shows_only_tap and self._seen is not None:
            state, success = self._seen
            if state is seen[0] and success is seen[1]:
                return
        self._seen = seen
        super()._handle_coordinator_update()

    @property
    def _tap_state(self) -> TapState:
        return self.coordinator.data.taps[self._tap]

    @property
    def _answers(self) -> bool:
        """Whether the device answers: without it nothing it told before stands for now."""
        return self.coordinator.last_update_success and has_answered(self._tap_state)


class WishEntity(TapEntity):
    """An entity of what a person wishes of a car: kept here, whatever its charger does."""

    def __init__(self, runtime: SiteRuntime, tap: TapConfig, description: EntityDescription) -> None:
        """Share the tap's wish with the rest of the site."""
        super().__init__(runtime, tap, description)
        self._wishes = runtime.wishes

    @property
    @override
    def available(self) -> bool:
        return True

    @property
    def _wish(self) -> Wish:
        return self._wishes[self._tap]

    @_wish.setter
    def _wish(self, wish: Wish) -> None:
        self._wishes[self._tap] = wish


class OwnerEntity(SiteEntity):
    """An entity of somebody who owns taps here."""

    def __init__(self, runtime: SiteRuntime, owner: str, description: EntityDescription) -> None:
        """Belong to the owner's device."""
        super().__init__(runtime, description)
        self._owner = owner
        self._attr_unique_id = f"{runtime.key_id}_owner_{owner}_{description.key}"
        self._attr_device_info = DeviceInfo(
            identifiers={owner_identifier(runtime.key_id, owner)},
            entry_type=DeviceEntryType.SERVICE,
            name=runtime.coordinator.owners[owner],
            via_device_id=runtime.device_id,
        )
