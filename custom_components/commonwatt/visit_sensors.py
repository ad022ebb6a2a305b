"""What a person sees of a cable's visit: what it may do and why, how the meter agrees, and what it has earned."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any, override

from homeassistant.components.sensor import SensorEntity, SensorEntityDescription, SensorStateClass
from homeassistant.const import Platform
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers import entity_registry as er
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback
from homeassistant.helpers.typing import StateType
from homeassistant.util import dt as dt_util

from .const import DOMAIN
from .entity import TapEntity
from .quantities import QuantitySensorDescription
from .runtime import SiteRuntime
from .site import TapConfig
from .tap_sensors import QuantitySensor
from .visit_words import cause_key, comparison
from .wire import Reward

MICRO = 1_000_000


class VisitSensor(QuantitySensor):
    """A sensor of what this site knows of a cable, not of what the cable was told."""

    shows_only_tap = False

    def __init__(self, runtime: SiteRuntime, tap: TapConfig, description: QuantitySensorDescription) -> None:
        """Ask the site's visits."""
        super().__init__(runtime, tap, description)
        self._visits = runtime.visits

    @property
    @override
    def _face(self) -> object:
        return self.native_value, self.extra_state_attributes


class PermissionSensor(VisitSensor):
    """Shows what a cable may do here, and why."""

    @property
    @override
    def native_value(self) -> StateType:
        effect = self._visits.effect(self._tap)
        return None if effect is None else effect.permission

    @property
    @override
    def extra_state_attributes(self) -> Mapping[str, Any] | None:
        effect = self._visits.effect(self._tap)
        if effect is None:
            return None
        since = None if effect.since is None else dt_util.utc_from_timestamp(effect.since).isoformat()
        return {"cause": cause_key(effect.cause), "since": since}


class AgreementSensor(VisitSensor):
    """Shows how cable and meter agreed in the last interval, with the numbers."""

    @property
    @override
    def native_value(self) -> StateType:
        return self._visits.guests[self._tap].verdict

    @property
    @override
    def extra_state_attributes(self) -> Mapping[str, Any]:
        return comparison(self._visits.guests[self._tap].agreement)


VISIT_SENSORS: Mapping[str, type[VisitSensor]] = {"permission": PermissionSensor, "agreement": AgreementSensor}


def visit_sensor(runtime: SiteRuntime, tap: TapConfig, description: QuantitySensorDescription) -> VisitSensor | None:
    """Return the sensor of what the site knows itself of a cable; None for what only the device tells."""
    if tap.tap not in runtime.visits.guests or description.key not in VISIT_SENSORS:
        return None
    return VISIT_SENSORS[description.key](runtime, tap, description)


@dataclass(frozen=True, kw_only=True)
class RewardDescription(SensorEntityDescription):
    """A sum of what a cable has earned, in micro-points; `daily` begins anew every day."""

    micro_fn: Callable[[Reward], int]
    daily: bool = False
    suggested_display_precision: int = 2


# points are no currency: plain sums, whose unit is a translated word
REWARDS: tuple[RewardDescription, ...] = (
    RewardDescription(
        key="reward_today",
        translation_key="reward_today",
        state_class=SensorStateClass.TOTAL,
        daily=True,
        micro_fn=lambda reward: reward.today_micro,
    ),
    RewardDescription(
        key="reward_total",
        translation_key="reward_total",
        state_class=SensorStateClass.TOTAL,
        micro_fn=lambda reward: reward.total_micro,
    ),
    RewardDescription(
        key="reward_pending",
        translation_key="reward_pending",
        state_class=SensorStateClass.MEASUREMENT,
        micro_fn=lambda reward: reward.pending_micro,
    ),
)


@callback
def add_reward_sensors(hass: HomeAssistant, runtime: SiteRuntime, add: AddConfigEntryEntitiesCallback) -> None:
    """Add them to each of the site's own cables, as soon as the cloud has told a reward; visitors have none here."""
    registry, made = er.async_get(hass), set[str]()

    def known(tap: str) -> list[str]:
        ids = [f"{runtime.key_id}_{tap}_{one.key}" for one in REWARDS]
        found = [registry.async_get_entity_id(Platform.SENSOR, DOMAIN, unique_id) for unique_id in ids]
        return [entity_id for entity_id in found if entity_id is not None]

    @callback
    def look(tap: TapConfig) -> None:
        standing = runtime.visits.standing_at(tap.tap)
        if standing is not None and not standing.own and (gone := known(tap.tap)):
            made.discard(tap.tap)
            for entity_id in gone:
                registry.async_remove(entity_id)
        elif tap.tap not in made and ((standing is not None and standing.reward is not None) or known(tap.tap)):
            made.add(tap.tap)
            add([RewardSensor(runtime, tap, one) for one in REWARDS], config_subentry_id=tap.subentry_id)

    site = runtime.coordinator
    for tap in runtime.visits.guests:
        look(site.taps[tap])
        site.config_entry.async_on_unload(site.async_add_listener(partial(look, site.taps[tap])))


class RewardSensor(TapEntity, SensorEntity):
    """Shows what a cable has earned its driver, wherever it is."""

    entity_description: RewardDescription

    def __init__(self, runtime: SiteRuntime, tap: TapConfig, description: RewardDescription) -> None:
        """Ask the site's visits."""
        super().__init__(runtime, tap, description)
        self._visits = runtime.visits

    @property
    @override
    def available(self) -> bool:
        return self._reward is not None

    @property
    @override
    def native_value(self) -> StateType:
        reward = self._reward
        if reward is None or (self.entity_description.daily and not self._is_of_today):
            return None
        return self.entity_description.micro_fn(reward) / MICRO

    @property
    @override
    def last_reset(self) -> datetime | None:
        return dt_util.start_of_local_day() if self.entity_description.daily else None

    @property
    @override
    def _face(self) -> object:
        return self.native_value, self.last_reset

    @property
    def _is_of_today(self) -> bool:
        """Tell whether the cloud said it today; what it said yesterday is the reward of another day."""
        return self._visits.heard_at(self._tap) >= dt_util.start_of_local_day().timestamp()

    @property
    def _reward(self) -> Reward | None:
        standing = self._visits.standing_at(self._tap)
        return None if standing is None else standing.reward
