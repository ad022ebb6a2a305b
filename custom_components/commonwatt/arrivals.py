"""Arrivals: what a device begins to tell gets its entity at once, what its source can no longer tell loses it."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, get_args

from homeassistant.const import Platform
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers import entity_registry as er
from homeassistant.helpers.entity import Entity, EntityDescription
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback

from .const import DOMAIN
from .coordinator import SiteCoordinator
from .devices.port import Command, Device, Kind, Quantity
from .hardware import Hardware
from .site import TapConfig
from .state import TapState

EVERY_KIND: frozenset[Kind] = frozenset(get_args(Kind.__value__))


@dataclass(frozen=True, kw_only=True)
class QuantityDescription(EntityDescription):
    """An entity of one quantity, at devices of these kinds.

    `needs` are quantities it cannot be without besides its own. `told` is an entity that commands: it is there as soon
    as the device takes the command. `read_only` stands in for it where the device takes none.
    """

    quantity: Quantity
    kinds: frozenset[Kind] = EVERY_KIND
    needs: tuple[Quantity, ...] = ()
    told: bool = False
    read_only: bool = False


@dataclass(frozen=True, slots=True)
class Offer:
    """What a device could tell, could be told, and told, at any time since the start.

    What it offered once counts: a device that is met anew after a lost connection has nothing to offer for a moment.
    """

    quantities: frozenset[Quantity] = frozenset()
    commands: frozenset[Command] = frozenset()
    values: frozenset[Quantity] = frozenset()
    answered: bool = False


def offer_of(device: Device, state: TapState, before: Offer) -> Offer:
    """Return what stands at a tap has to offer, as far as is known now."""
    return Offer(
        before.quantities | device.quantities,
        before.commands | device.commands.keys(),
        before.values | state.values.keys(),
        before.answered or has_answered(state),
    )


def has_answered(state: TapState) -> bool:
    """Tell whether a device was heard in this run, and still is."""
    return not state.silent and (state.reading is not None or bool(state.values))


def is_wanted(description: QuantityDescription, offer: Offer) -> bool:
    """Tell whether an entity is to be made: the device takes the command, or has had a value of all it needs."""
    if description.told:
        return description.quantity in offer.commands
    if description.read_only and description.quantity in offer.commands:
        return False
    return {description.quantity, *description.needs} <= offer.values


def is_stale(description: QuantityDescription, offer: Offer) -> bool:
    """Tell whether a device that has answered can never fill an entity.

    A command may be missing for a while, as of an adopted number that is unavailable: only where the device tells the
    value, or does not know the quantity at all, it surely takes none.
    """
    if not offer.answered:
        return False
    quantity = description.quantity
    if description.told:
        return quantity not in offer.commands and (quantity not in offer.quantities or quantity in offer.values)
    if description.read_only and quantity in offer.commands:
        return True
    return not {quantity, *description.needs} <= offer.quantities | offer.values


@dataclass(slots=True)
class _Guests[D: QuantityDescription]:
    """The entities of one platform: how they are made, and which have been."""

    platform: Platform
    descriptions: tuple[D, ...]
    make: Callable[[TapConfig, D], Entity]
    add: AddConfigEntryEntitiesCallback
    made: set[str] = field(default_factory=set)


class Arrivals:
    """Looks at every poll, for all platforms at once, whether a device tells something new or is another one."""

    def __init__(
        self, hass: HomeAssistant, site: SiteCoordinator, devices: Mapping[str, Device], hardware: Hardware
    ) -> None:
        """See what the first poll brought; nobody has joined yet."""
        self._registry = er.async_get(hass)
        self._site = site
        self._devices = devices
        self._hardware = hardware
        self._guests: list[_Guests[Any]] = []
        self._states: dict[str, TapState] = {}
        self._offers = dict.fromkeys(site.taps, Offer())
        for tap in site.taps:
            self._look(tap)

    @callback
    def async_join[D: QuantityDescription](
        self,
        platform: Platform,
        descriptions: Iterable[D],
        make: Callable[[TapConfig, D], Entity],
        add: AddConfigEntryEntitiesCallback,
    ) -> None:
        """Make a platform's entities: those whose values are there, those known of old, and later ones as they come."""
        guests = _Guests(platform, tuple(descriptions), make, add)
        self._guests.append(guests)
        for tap in self._site.taps.values():
            self._welcome(guests, tap)

    @callback
    def async_follow(self) -> Callable[[], None]:
        """Look at every poll, tap by tap, so that many taps do not hold the loop up; return what ends it."""
        ends = [self._site.async_add_listener(partial(self._look, tap)) for tap in self._site.taps]

        def end() -> None:
            for one in ends:
                one()

        return end

    def _look(self, tap: str) -> None:
        """See what the poll brought of a tap; cheap while nothing is new."""
        state = self._site.data.taps[tap]
        if self._states.get(tap) is state:
            return
        self._states[tap] = state
        config = self._site.taps[tap]
        offer = offer_of(self._devices[tap], state, self._offers[tap])
        if offer != self._offers[tap]:
            self._offers[tap] = offer
            for guests in self._guests:
                self._welcome(guests, config)
        if has_answered(state):
            self._hardware.async_answered(config)

    def _welcome(self, guests: _Guests[Any], tap: TapConfig) -> None:
        offer = self._offers[tap.tap]
        new: list[Entity] = []
        for description in guests.descriptions:
            if tap.kind not in description.kinds:
                continue
            unique_id = f"{self._hardware.key_id}_{tap.tap}_{description.key}"
            entity_id = self._registry.async_get_entity_id(guests.platform, DOMAIN, unique_id)
            if is_stale(description, offer):
                if entity_id is not None:
                    self._registry.async_remove(entity_id)
                guests.made.discard(unique_id)
            elif unique_id not in guests.made and (entity_id is not None or is_wanted(description, offer)):
                guests.made.add(unique_id)
                new.append(guests.make(tap, description))
        if new:
            guests.add(new, config_subentry_id=tap.subentry_id)
