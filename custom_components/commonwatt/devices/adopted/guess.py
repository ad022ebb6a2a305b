"""A guess at which entities of a device stand for what, so that a person only corrects it. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
import re

from ..port import Kind
from .slots import BINARY_SENSOR, SENSOR, SLOTS, SWITCH, Direction, Slot, SlotName


@dataclass(frozen=True, slots=True)
class Candidate:
    """An entity of the device; `text` is what it calls itself: translation key, name and entity id as one slug."""

    entity_id: str
    domain: str
    text: str
    device_class: str | None = None
    unit: str | None = None
    category: str | None = None


@dataclass(frozen=True, slots=True)
class Guess:
    """What the entities of a device probably stand for."""

    entities: Mapping[SlotName, str]
    breaker: str | None = None
    inverted: bool = False
    direction: Direction | None = None


@dataclass(frozen=True, slots=True)
class Words:
    """What speaks for an entity, what it must be called at least, what speaks against it, and what rules it out."""

    good: str = ""
    must: str = ""
    poor: str = ""
    never: str = ""


GIVEN = "export|exported|return|returned|production|produced|generation|generated|yield|injection|injected|feed|fed"
GIVEN += "|reverse|solar|pv"
PHASE = r"(?:l|phase_?)[1-3abc]|[abc]_phase"
PART = f"{PHASE}|t[1-4]|tariff_?[1-4]|session|last|reactive|apparent|cost|price|saved|limit|forecast|estimated|rated"
SPAN = "daily|today|day|week|weekly|month|monthly|year|yearly|hour|hourly|yesterday"
EXTREME = "max|maximum|min|minimum|peak|average|avg|nominal|rated|limit|setpoint|set_point|target|forecast"

WORDS: Mapping[SlotName, Words] = {
    "import_entity": Words("import|imported|consumed|consumption|total|lifetime|forward", "", SPAN, f"{GIVEN}|{PART}"),
    "export_entity": Words("total|lifetime|export|exported|returned", GIVEN, SPAN, PART),
    "power_entity": Words("active|total|power", "", GIVEN, f"{PART}|{EXTREME}|dc|reserve"),
    "export_power_entity": Words("active|total", GIVEN, "", f"{PART}|{EXTREME}|dc"),
    "voltage_v": Words("voltage|grid", "", "", f"{PHASE}|{EXTREME}|battery|dc|pv"),
    "current_a": Words("current", "", "", f"{PHASE}|{EXTREME}|battery|dc|pv"),
    "frequency_hz": Words("frequency|grid"),
    "power_factor": Words("power_factor", "power_factor|pf|cos_?phi", "", PHASE),
    "apparent_power_va": Words("apparent", "", "", PHASE),
    "reactive_power_var": Words("reactive", "", "", PHASE),
    "demand_w": Words("", "demand", "", PHASE),
    "charger_state": Words(
        "charger|charging|cp_state|vehicle|car",
        "state|status|activity",
        "",
        "wifi|network|error|connection|firmware|update|cloud|ocpp|system|limit|source|reason|schedule",
    ),
    "plugged": Words(
        "plug|plugged|cable", "plug|plugged|cable|vehicle|car|connected", "", "lock|locked|cloud|wifi|mqtt"
    ),
    "session_wh": Words("", "session|charging_session", "", "limit|cost"),
    "charge": Words(
        "charge|charging|charger",
        "charge|charging|charger|enable|enabled",
        "",
        "lock|solar|schedule|led|auth|boost|phase",
    ),
    "current_limit_a": Words("charge|charging|charger|limit|max", "", "min|minimum", "fuse|installation|grid|fallback"),
    "mode": Words("charge|charging", "mode|smart_charging|charging", "", "led|display|lock|phase|log|buzzer"),
    "soc_percent": Words(
        "soc|state_of_charge|level",
        "soc|state_of_charge|battery|level",
        "",
        "health|min|minimum|max|maximum|target|limit",
    ),
    "set_point_w": Words("set_?point|target", "set_?point|target|charge|discharge|power", "", "limit|max|maximum|min"),
    "capacity_wh": Words("capacity", "capacity|battery_size", "", "remaining|available"),
}
OF_BATTERY: Mapping[SlotName, Words] = {
    "import_entity": Words("total|lifetime|battery|in", "charge|charged|charging|import|imported|in", SPAN, PART),
    "export_entity": Words(
        "total|lifetime|battery", "discharge|discharged|discharging|export|exported|out", SPAN, PART
    ),
    "export_power_entity": Words("battery", "discharge|discharged|discharging", "", f"{PART}|{EXTREME}"),
    "power_entity": Words("battery|total", "", "discharge|discharging", f"{GIVEN}|{PART}|{EXTREME}|grid|load|house"),
}
BREAKER = Words("relay|outlet|socket|plug|power|switch", "", "", "lock|led|cloud|night|schedule|child|light")
TELLING = ("power_factor", "battery", "plug")  # device classes that say what it is whatever it is called
MEASURED = (SENSOR, BINARY_SENSOR)


def guess(kind: Kind, candidates: Iterable[Candidate]) -> Guess:
    """Return the best entity for each slot, none of them twice; a slot nothing speaks for stays empty."""
    left = list(candidates)
    entities: dict[SlotName, str] = {}
    chosen: dict[SlotName, Candidate] = {}
    for slot in SLOTS[kind]:
        if (best := _best(slot, _words(kind, slot.name), left)) is not None:
            left.remove(best)
            chosen[slot.name] = best
            entities[slot.name] = best.entity_id
    generator = _generates(kind, chosen)
    direction: Direction | None = "export" if generator and "export_entity" not in chosen else None
    breaker = _breaker(left) if kind in ("tap", "charger") else None
    return Guess(entities, breaker, generator, direction)


def _generates(kind: Kind, chosen: Mapping[SlotName, Candidate]) -> bool:
    """Tell whether the power is that of a generator, which is positive while energy is given."""
    power = chosen.get("power_entity")
    if kind == "battery" or power is None or {"import_entity", "export_power_entity"} & chosen.keys():
        return False
    return _says(GIVEN, power.text) > 0 or "export_entity" in chosen


def _words(kind: Kind, name: SlotName) -> Words:
    if kind == "battery" and name in OF_BATTERY:
        return OF_BATTERY[name]
    if (phase := re.search(r"_l([1-3])_", name)) is not None:
        number = phase.group(1)
        letter = "abc"[int(number) - 1]
        return Words("", f"l{number}|phase_?{number}|phase_?{letter}|{letter}_phase", "", "reactive|apparent|max|min")
    return WORDS.get(name, Words())


def _best(slot: Slot, words: Words, candidates: Iterable[Candidate]) -> Candidate | None:
    fitting = [candidate for candidate in candidates if _fits(slot, candidate)]
    scored = [(score, candidate) for candidate in fitting if (score := _score(words, candidate)) is not None]
    return min(scored, key=lambda item: (-item[0], len(item[1].text), item[1].entity_id))[1] if scored else None


def _fits(slot: Slot, candidate: Candidate) -> bool:
    if candidate.domain not in slot.domains:
        return False
    if slot.converter is not None and candidate.unit not in slot.converter.VALID_UNITS:
        return False
    if slot.name == "charger_state":
        return candidate.unit is None and candidate.device_class in (None, "enum")
    if candidate.domain in MEASURED and slot.device_classes and candidate.device_class is not None:
        return candidate.device_class in slot.device_classes
    return candidate.domain not in MEASURED or slot.converter is None or candidate.unit is not None


def _score(words: Words, candidate: Candidate) -> int | None:
    named = not words.must or candidate.device_class in TELLING or _says(words.must, candidate.text)
    if not named or _says(words.never, candidate.text):
        return None
    good, poor = _says(words.good, candidate.text), _says(words.poor, candidate.text)
    return 2 * good - 3 * poor - (candidate.category == "diagnostic")


def _says(words: str, text: str) -> int:
    """Return how many different words of a pattern stand in a text."""
    return len(set(re.findall(rf"(?<![a-z0-9])(?:{words})(?![a-z0-9])", text))) if words else 0


def _breaker(candidates: Iterable[Candidate]) -> str | None:
    switches = [item for item in candidates if item.domain == SWITCH and item.category is None]
    scored = [(score, item) for item in switches if (score := _score(BREAKER, item)) is not None]
    best = min(scored, key=lambda item: (item[1].device_class != "outlet", -item[0], item[1].entity_id), default=None)
    return None if best is None else best[1].entity_id
