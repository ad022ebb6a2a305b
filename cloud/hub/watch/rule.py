"""The whole watch at one instant: every point, what is out of tolerance, and what flows through the equipment. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from .flow import Flow, Wiring, chains, flows
from .limit import Limits, Out, judged
from .physics import Values
from .system import Sight, System, seen

type Points = Mapping[str, Mapping[str, Values]]  # by the system's key and its point


@dataclass(frozen=True, slots=True)
class Mark:
    """What can be in or out of tolerance: a quantity at a point of a system, or the load of a piece of equipment."""

    about: str  # device | equipment
    name: str
    point: str
    quantity: str


@dataclass(frozen=True, slots=True)
class Watch:
    """What was seen at an instant; `within` and `over` are what is known to be in and out of tolerance."""

    sights: list[Sight]
    out: list[Out]
    flows: list[Flow]
    within: list[Mark]
    over: list[Mark]


def watch(systems: Sequence[System], points: Points, wiring: Wiring, limits: Limits, at_ms: int) -> Watch:
    """Return what there is to see at an instant, from the values nearest to it."""
    sights = {system.key: seen(system, points.get(system.key, {}), at_ms) for system in systems}
    before = chains(wiring, systems) if any(about == "equipment" for about, _ in limits) else {}
    out: list[Out] = []
    within: list[Mark] = []
    for key, sight in sights.items():
        for point, values in sight.points.items():
            wrong, right = judged(limits, key, point, values, before.get(key, ()))
            out += wrong
            within += [Mark("device", key, point, quantity) for quantity in right]
    flowing = flows(wiring, systems, sights, at_ms)
    loads = [(flow, Mark("equipment", flow.equipment, "", "load")) for flow in flowing if flow.load_percent is not None]
    within += [mark for flow, mark in loads if not flow.overloaded]
    over = [Mark("device", item.device, item.point, item.quantity) for item in out]
    over += [mark for flow, mark in loads if flow.overloaded]
    return Watch(list(sights.values()), out, flowing, within, over)
