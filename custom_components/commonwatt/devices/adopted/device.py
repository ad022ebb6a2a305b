"""A device that Home Assistant already knows: reads the states of its entities, and tells it through their services."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
import logging
from typing import Any, cast

from homeassistant.components.sensor.const import ATTR_LAST_RESET, ATTR_STATE_CLASS, SensorStateClass
from homeassistant.core import Event, EventStateChangedData, HomeAssistant, State, callback
from homeassistant.helpers import entity_registry as er
from homeassistant.helpers.event import async_track_state_change_event
from homeassistant.util import dt as dt_util

from ...errors import DeviceError
from ...metering.reading import Limits, RawReading
from ..port import COMMANDS, QUANTITIES, Answer, ChargerState, Command, Kind, Quantity, Range, Value
from .commands import async_tell, range_of
from .counter import DIGITS, Look
from .faults import Fault, fault_of
from .registers import SIDES, Registers, Side
from .slots import BY_NAME, REGISTER_SLOTS, SLOTS, Direction, Slot, SlotName
from .states import entity_id_of, is_on, number_of, state_of, word_of
from .words import charger_state, plugged

LOGGER = logging.getLogger(__name__)

PERCENT_MAX = 100
NAMED_MAX = 10  # words, and other counters, that the log names: more of them are one and the same trouble


@dataclass(frozen=True, slots=True)
class Adoption:
    """Which entities tell of a device: registry ids, or entity ids of entities that are in no registry, by slot.

    `inverted` is a power (its phases', a set-point) that is positive while energy is given back. `direction` is which
    way energy can flow; None is what the energy entities say, and the sign of the power where there are none.
    """

    kind: Kind
    entities: Mapping[SlotName, str]
    inverted: bool = False
    direction: Direction | None = None
    rated_power_w: int | None = None
    slots: tuple[Slot, ...] = field(init=False)

    def __post_init__(self) -> None:
        slots = tuple(slot for slot in SLOTS[self.kind] if slot.name in self.entities)
        object.__setattr__(self, "slots", slots)

    @property
    def counting(self) -> dict[Side, str]:
        """Which entity counts each side."""
        return {side: self.entities[_ENERGY[side]] for side in SIDES if _ENERGY[side] in self.entities}

    @property
    def made(self) -> frozenset[Side]:
        """The sides whose register is made from power."""
        if not self.entities.keys() & _POWER.keys():
            return frozenset()
        counting = self.counting
        direction = self.direction
        if direction is None:
            if counting:
                return frozenset()
            direction = "import" if self.kind == "charger" else "both"
        return frozenset(side for side in SIDES if direction in (side, "both") and side not in counting)


_ENERGY: Mapping[Side, SlotName] = {"import": "import_entity", "export": "export_entity"}
TURNED: frozenset[SlotName] = frozenset({"set_point_w", "power_l1_w", "power_l2_w", "power_l3_w"})
_POWER: Mapping[SlotName, int] = {"power_entity": 1, "export_power_entity": -1}


class AdoptedDevice:
    """Reads existing entities. An entity that is gone or unavailable is a silent device, never a register of zero."""

    def __init__(self, hass: HomeAssistant, adoption: Adoption) -> None:
        """Take which entities tell of it."""
        self._hass = hass
        self._adoption = adoption
        self._slots = tuple(slot for slot in adoption.slots if slot.name not in REGISTER_SLOTS)
        power = "-".join(adoption.entities.get(name, "") for name in _POWER)
        self._registers = Registers(adoption.counting, power, adoption.made, Limits(adoption.rated_power_w))
        self._watched: frozenset[str] = frozenset()
        self._unwatch: Callable[[], None] | None = None
        self._strange: set[str] = set()
        self._others = 0
        self._names: dict[str, str] = {}
        self.integrated = bool(adoption.made)
        told = {slot.name for slot in self._slots}
        self.quantities: frozenset[Quantity] = QUANTITIES & (told | ({"plugged"} if "charger_state" in told else set()))

    @property
    def commands(self) -> Mapping[Command, Range]:
        """What its entities accept now."""
        inverted = self._adoption.inverted
        found = {
            slot.name: range_of(
                self._hass, slot, self._adoption.entities[slot.name], inverted=inverted and slot.name == "set_point_w"
            )
            for slot in self._slots
            if slot.name in COMMANDS
        }
        return {command: accepted for command, accepted in found.items() if accepted is not None}

    async def async_command(self, command: Command, value: Value) -> None:
        """Tell the entity that stands for the command; return once it shows what it was told."""
        if (reference := self._adoption.entities.get(command)) is None:
            raise DeviceError(f"cannot be told {command}")
        inverted = self._adoption.inverted and command == "set_point_w"
        await async_tell(self._hass, BY_NAME[command], reference, value, inverted=inverted)

    async def async_read(self) -> Answer:
        """Return what the states say now, in Wh and W; power alone may be missing."""
        if not self._adoption.counting and not self.integrated:
            raise DeviceError("has neither an energy entity nor a power entity")
        at_ms = _now_ms()
        power_w, silence = self._take(at_ms)
        self._rewatch()
        if silence is not None:
            raise silence
        import_wh, export_wh = self._registers.wh()
        return Answer(RawReading(at_ms, import_wh, export_wh, power_w), self._values())

    @callback
    def async_follow(self) -> Callable[[], None]:
        """Hear every change between two reads, so that bursts count; return what ends it."""
        self._watched = frozenset()
        self._unwatch = lambda: None
        self._rewatch()

        def end() -> None:
            if self._unwatch is not None:
                self._unwatch()
                self._unwatch = None

        return end

    @callback
    def faults(self) -> tuple[Fault, ...]:
        """Return what is wrong with its entities for good."""
        entities, names = self._adoption.entities, self._names
        found = (fault_of(self._hass, slot, entities[slot.name], names) for slot in self._adoption.slots)
        return tuple(fault for fault in found if fault is not None)

    def go_on_with(self, kept: Mapping[str, Any] | None, floor_wh: tuple[int, int] | None) -> None:
        """Take up the registers of an earlier run."""
        self._registers.go_on_with(kept, floor_wh)

    def kept(self) -> Mapping[str, Any] | None:
        """Return what the next run goes on with."""
        return self._registers.kept()

    @callback
    def _rewatch(self) -> None:
        """Follow the entities that make registers, under the names they have now."""
        if self._unwatch is None:
            return
        references = [self._adoption.entities[name] for name in REGISTER_SLOTS if name in self._adoption.entities]
        watched = frozenset(found for item in references if (found := entity_id_of(self._hass, item)) is not None)
        if watched == self._watched:
            return
        self._unwatch()
        self._watched = watched
        self._unwatch = async_track_state_change_event(self._hass, watched, self._changed)

    @callback
    def _changed(self, event: Event[EventStateChangedData]) -> None:
        self._take(_now_ms())

    @callback
    def _take(self, at_ms: int) -> tuple[float | None, DeviceError | None]:
        """Take what the entities show into the registers; return the power, and why a register is not known now."""
        silence: DeviceError | None = None
        for side, reference in self._adoption.counting.items():
            try:
                state = state_of(self._hass, reference)
                if self._registers.look(side, look_at(state, at_ms)):
                    self._tell_other(state)
            except DeviceError as error:
                silence = error
        power_w: float | None = None
        try:
            power_w = self._power_w()
        except DeviceError as error:
            # energy is what is settled; a power entity that is away for a while must not cost a counted reading
            silence = error if self.integrated and silence is None else silence
        self._registers.change(at_ms, power_w)
        return power_w, silence

    def _tell_other(self, state: State) -> None:
        self._others += 1
        if self._others <= NAMED_MAX:
            LOGGER.warning("%s is another counter now: nothing is counted up to %s", state.entity_id, state.state)

    def _power_w(self) -> float | None:
        entities = self._adoption.entities
        parts = [
            sign * self._number(BY_NAME[name], entities[name]) for name, sign in _POWER.items() if name in entities
        ]
        if not parts:
            return None
        return -sum(parts) if self._adoption.inverted else sum(parts)

    def _number(self, slot: Slot, reference: str) -> float:
        return number_of(state_of(self._hass, reference), slot)

    def _values(self) -> dict[Quantity, Value]:
        values: dict[Quantity, Value] = {}
        for slot in self._slots:
            try:
                value = self._value(slot, state_of(self._hass, self._adoption.entities[slot.name]))
            except DeviceError:
                continue  # a quantity that is not known now is missing, and costs no reading
            if value is not None:
                values[cast("Quantity", slot.name)] = value
        if "plugged" not in self._adoption.entities and (state := values.get("charger_state")) is not None:
            values |= _plugged(cast("ChargerState", state))
        return values

    def _value(self, slot: Slot, state: State) -> Value | None:
        match slot.name:
            case "charger_state":
                return self._charger_state(state)
            case "plugged" | "charge":
                return is_on(state)
            case "mode":
                return word_of(state)
        value = number_of(state, slot)
        if slot.name == "soc_percent" and not 0 <= value <= PERCENT_MAX:
            return None
        return -value if slot.name in TURNED and self._adoption.inverted else value

    def _charger_state(self, state: State) -> ChargerState | None:
        entry = er.async_get(self._hass).async_get(state.entity_id)
        known = charger_state(state.state, None if entry is None else entry.platform)
        if known is None and state.state not in self._strange and len(self._strange) < NAMED_MAX:
            self._strange.add(state.state)
            LOGGER.warning("%s is %s, which is no state of a charger that is known here", state.entity_id, state.state)
        return known


def _plugged(state: ChargerState) -> dict[Quantity, Value]:
    with_car = plugged(state)
    return {} if with_car is None else {"plugged": with_car}


def look_at(state: State, at_ms: int) -> Look:
    """Return what a counting entity shows; raise DeviceError when that is no energy."""
    value_wh = round(number_of(state, BY_NAME["import_entity"]), DIGITS)
    last_reset = state.attributes.get(ATTR_LAST_RESET)
    reset_at = dt_util.parse_datetime(str(last_reset)) if last_reset is not None else None
    anew = state.attributes.get(ATTR_STATE_CLASS) == SensorStateClass.TOTAL_INCREASING or reset_at is not None
    if anew and value_wh < 0:
        raise DeviceError(f"{state.entity_id} counts below zero ({state.state})")
    return Look(at_ms, value_wh, anew, None if reset_at is None else int(reset_at.timestamp() * 1000))


def _now_ms() -> int:
    return int(dt_util.utcnow().timestamp() * 1000)
