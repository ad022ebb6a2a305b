"""What happens: to an owner's supply, as a cut; at a charger, as a car that comes; at a cable, as a permission."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, get_args, override

from homeassistant.components.event import EventEntity, EventEntityDescription
from homeassistant.const import Platform
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback

from .arrivals import QuantityDescription
from .charging import ChargerHappening, happenings
from .coordinator import CommonwattConfigEntry
from .devices.port import Quantity, Value
from .entity import OwnerEntity, TapEntity
from .guest import Happening as VisitHappening
from .runtime import SiteRuntime
from .site import TapConfig
from .supply import Happening, Supply
from .wish import KINDS_WITH_A_CAR

PARALLEL_UPDATES = 0

SUPPLY = EventEntityDescription(key="supply", translation_key="supply", event_types=list(get_args(Happening.__value__)))


VISIT = EventEntityDescription(
    key="visit", translation_key="visit", event_types=list(get_args(VisitHappening.__value__))
)


@dataclass(frozen=True, kw_only=True)
class QuantityEventDescription(QuantityDescription, EventEntityDescription):
    """An event that is seen by a quantity that changes."""


CHARGER: tuple[QuantityEventDescription, ...] = (
    QuantityEventDescription(
        key="charger",
        translation_key="charger",
        quantity="charger_state",
        kinds=KINDS_WITH_A_CAR,
        event_types=list(get_args(ChargerHappening.__value__)),
    ),
)


async def async_setup_entry(
    hass: HomeAssistant, entry: CommonwattConfigEntry, async_add_entities: AddConfigEntryEntitiesCallback
) -> None:
    """Add one to every owner of a site that has a cloud, and to every charger that tells its state, now or later."""
    runtime = entry.runtime_data

    def make(tap: TapConfig, description: QuantityEventDescription) -> ChargerEvent:
        return ChargerEvent(runtime, tap, description)

    runtime.arrivals.async_join(Platform.EVENT, CHARGER, make, async_add_entities)
    for tap in runtime.visits.guests:
        config = runtime.coordinator.taps[tap]
        async_add_entities([VisitEvent(runtime, config)], config_subentry_id=config.subentry_id)
    if (supply := runtime.supply) is not None:
        async_add_entities([SupplyEvent(runtime, owner, supply) for owner in runtime.coordinator.owners])


class SupplyEvent(OwnerEntity, EventEntity):
    """Tells what happened last to an owner's supply."""

    def __init__(self, runtime: SiteRuntime, owner: str, supply: Supply) -> None:
        """Listen to the site's supply."""
        super().__init__(runtime, owner, SUPPLY)
        self._supply = supply

    @override
    async def async_added_to_hass(self) -> None:
        await super().async_added_to_hass()
        self.async_on_remove(self._supply.listen(self._owner, self._heard))

    @property
    @override
    def _face(self) -> object:
        return None  # an event is written when it happens

    @callback
    def _heard(self, happening: Happening, about: Mapping[str, Any]) -> None:
        self._trigger_event(happening, dict(about))
        self.async_show()


class VisitEvent(TapEntity, EventEntity):
    """Tells what happened last at a cable: it came or went, it may do more or less, the meter contradicts it."""

    def __init__(self, runtime: SiteRuntime, tap: TapConfig) -> None:
        """Listen to the site's visits."""
        super().__init__(runtime, tap, VISIT)
        self._visits = runtime.visits

    @override
    async def async_added_to_hass(self) -> None:
        await super().async_added_to_hass()
        self.async_on_remove(self._visits.listen(self._tap, self._heard))

    @property
    @override
    def available(self) -> bool:
        return True  # what the cloud says of a cable comes without it

    @property
    @override
    def _face(self) -> object:
        return None

    @callback
    def _heard(self, happening: VisitHappening, about: Mapping[str, Any]) -> None:
        self._trigger_event(happening, dict(about))
        self.async_show()


class ChargerEvent(TapEntity, EventEntity):
    """Tells what happened last at a charger, as soon as a poll shows it.

    What happened before the first answer, or while the charger was silent, is not reported: when it was, nobody knows.
    """

    def __init__(self, runtime: SiteRuntime, tap: TapConfig, description: QuantityEventDescription) -> None:
        """Take bearings."""
        super().__init__(runtime, tap, description)
        self._before: Mapping[Quantity, Value] = self._tap_state.values if self._answers else {}

    @property
    @override
    def available(self) -> bool:
        return self._answers

    @property
    @override
    def _face(self) -> object:
        return None

    @callback
    @override
    def _handle_coordinator_update(self) -> None:
        now = self._tap_state.values if self._answers else {}
        for happening in happenings(self._before, now):
            session_wh = now.get("session_wh")
            self._trigger_event(happening, {} if session_wh is None else {"session_wh": session_wh})
            self.async_show()
        self._before = now
        super()._handle_coordinator_update()
