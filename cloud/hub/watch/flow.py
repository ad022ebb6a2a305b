"""What flows through each piece of grid equipment at an instant, against what it carries. Pure."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from cloud.hub.quantity import Quantity
from cloud.hub.wiring.equipment import Equipment, chain

from .physics import ONE, Value, divided, root
from .system import Sight, System, draws, phase_of

METER = "meter"  # of the systems at a site, its meters measure all of it; others stand behind them
LOAD_PERCENT_MAX = 100  # of what a piece carries
LEVELS_APART = 2  # a voltage so many times another one is of another voltage level: no drop lies between

type Wiring = Mapping[str, Equipment]


@dataclass(frozen=True, slots=True)
class Flow:
    """What flows through a piece: the sums of what is known of everything below it.

    `counted` systems are in the sums; of `missing` ones, and sites without any, no power is known. `reactive_mvar` is
    the most there can be where `reactive_signed` is False; `without_reactive` systems are not in it.
    `load_percent` (rounded up) is of what the piece carries: all of it, or the fullest of its wires.
    Unbalances are the greatest distance of a phase from the mean of the phases, in thousandths of that mean.
    `voltage_mv` is the mean of the points that hang directly here; it lies `drop_mv` below that of `drop_from`.
    """

    equipment: str
    counted: int
    missing: int
    power_mw: int
    reactive_mvar: int
    reactive_signed: bool
    without_reactive: int
    apparent_mva: int
    carries_mva: int | None
    load_percent: int | None
    phase_ma: tuple[int, ...]
    without_phase: int
    current_unbalance: int | None
    voltage_mv: int | None
    voltage_unbalance: int | None
    farthest_ms: int
    drop_mv: int | None = None
    drop_from: str | None = None

    @property
    def overloaded(self) -> bool:
        """Whether more flows than the piece carries."""
        return (self.load_percent or 0) > LOAD_PERCENT_MAX


@dataclass(slots=True)
class _Below:
    """The systems a piece feeds: directly, and all together; and the sites nobody measures."""

    direct: set[str] = field(default_factory=set)
    all: set[str] = field(default_factory=set)
    silent: set[str] = field(default_factory=set)


def above_of(wiring: Wiring) -> dict[str, str | None]:
    """Return where every piece hangs."""
    return {name: piece.above for name, piece in wiring.items()}


def chains(wiring: Wiring, systems: Iterable[System]) -> dict[str, list[str]]:
    """Return the equipment before each system, by its key: the nearest first, then what stands above."""
    above = above_of(wiring)
    by_device: defaultdict[str, set[str]] = defaultdict(set)
    by_site: defaultdict[str, set[str]] = defaultdict(set)
    for name, piece in wiring.items():
        for device in piece.devices:
            by_device[device].add(name)
        for site in piece.sites:
            by_site[site].add(name)
    found = {}
    for system in systems:
        direct = by_device[system.key] | (by_site[system.site] if system.site is not None else set())
        over = {piece for name in direct for piece in chain(above, name)}
        found[system.key] = sorted(over, key=lambda name: (-len(chain(above, name)), name))
    return found


def flows(wiring: Wiring, systems: Sequence[System], sights: Mapping[str, Sight], at_ms: int) -> list[Flow]:
    """Return what flows through every piece; a system below one by several ways is counted once."""
    above, feeds = above_of(wiring), _feeds(wiring, systems)
    found = [_flow(piece, feeds[name], sights, at_ms) for name, piece in sorted(wiring.items())]
    by_name = {flow.equipment: flow for flow in found}
    return [_dropped(flow, chain(above, flow.equipment)[1:], by_name) for flow in found]


def _feeds(wiring: Wiring, systems: Sequence[System]) -> dict[str, _Below]:
    above, known = above_of(wiring), {system.key for system in systems}
    meters = _of_sites(systems)
    found = {name: _Below() for name in wiring}
    for name, piece in wiring.items():
        direct = set(piece.devices) & known
        direct |= {key for site in piece.sites for key in meters.get(site, ())}
        silent = {site for site in piece.sites if site not in meters} | (set(piece.devices) - known)
        found[name].direct = direct
        for over in chain(above, name):
            if over in found:
                found[over].all |= direct
                found[over].silent |= silent
    return found


def _of_sites(systems: Iterable[System]) -> dict[str, set[str]]:
    """Return the systems that measure all of a site, by site: its meters, or the taps that no tap is before."""
    meters: defaultdict[str, set[str]] = defaultdict(set)
    roots: defaultdict[str, set[str]] = defaultdict(set)
    for system in systems:
        if system.site is not None and system.kind == METER:
            meters[system.site].add(system.key)
        elif system.site is not None and system.root:
            roots[system.site].add(system.key)
    return {**roots, **meters}


def _flow(piece: Equipment, feeds: _Below, sights: Mapping[str, Sight], at_ms: int) -> Flow:
    there = [sights[key] for key in sorted(feeds.all) if key in sights]
    drawing = [sight for sight in there if draws(sight)]
    power = [sight.whole[Quantity.POWER] for sight in drawing]
    reactive = [value for sight in drawing if (value := sight.whole.get(Quantity.REACTIVE_POWER)) is not None]
    power_mw, reactive_mvar = sum(value.value for value in power), _reactive(reactive)
    apparent = root(power_mw**2 + reactive_mvar**2)
    phases, without_phase = _phase_currents(there)
    here = [sights[key] for key in sorted(feeds.direct) if key in sights]
    voltage, voltages = _voltages(here)
    return Flow(
        equipment=piece.equipment,
        counted=len(drawing),
        missing=len(feeds.all) - len(drawing) + len(feeds.silent),
        power_mw=power_mw,
        reactive_mvar=reactive_mvar,
        reactive_signed=all(value.signed for value in reactive),
        without_reactive=len(drawing) - len(reactive),
        apparent_mva=apparent,
        carries_mva=piece.carries_mva,
        load_percent=_load(piece, apparent, phases) if drawing else None,
        phase_ma=tuple(phases),
        without_phase=without_phase,
        current_unbalance=unbalance(phases),
        voltage_mv=voltage,
        voltage_unbalance=unbalance(voltages),
        farthest_ms=max((abs(value.measured_ms - at_ms) for value in power), default=0),
    )


def _reactive(values: Sequence[Value]) -> int:
    """Return the sum of reactive powers; those of unknown sign count as if they all added to the rest."""
    known = sum(value.value for value in values if value.signed)
    unknown = sum(abs(value.value) for value in values if not value.signed)
    return known + unknown if known >= 0 else known - unknown


def _load(piece: Equipment, apparent: int, phases: Sequence[int]) -> int | None:
    carries = piece.carries_mva
    if carries is None:
        return None
    most = -(-apparent * 100 // carries)
    if piece.limit_a is not None and phases:
        most = max(most, -(-max(phases) // (10 * piece.limit_a)))  # in percent: mA * 100 over A * 1000
    return most


def _phase_currents(sights: Sequence[Sight]) -> tuple[list[int], int]:
    """Return the sums of currents by phase, up to the last one that has any, and how many systems name no phase."""
    sums: defaultdict[int, int] = defaultdict(int)
    unnamed = 0
    for sight in sights:
        named = False
        for point, values in sight.circuits.items():
            if (number := phase_of(point)) is not None and Quantity.CURRENT in values:
                sums[number] += abs(values[Quantity.CURRENT].value)
                named = True
        unnamed += not named
    return [sums[number] for number in range(1, max(sums, default=0) + 1)], unnamed


def _voltages(sights: Sequence[Sight]) -> tuple[int | None, list[int]]:
    """Return the mean voltage of all circuits, and the mean of each phase that is named."""
    every: list[int] = []
    by_phase: defaultdict[int, list[int]] = defaultdict(list)
    for sight in sights:
        for point, values in sight.circuits.items():
            if (value := values.get(Quantity.VOLTAGE)) is not None:
                every.append(value.value)
                if (number := phase_of(point)) is not None:
                    by_phase[number].append(value.value)
    means = [mean for number in sorted(by_phase) if (mean := _mean(by_phase[number])) is not None]
    return _mean(every), means


def _mean(values: Sequence[int]) -> int | None:
    return divided(sum(values), len(values)) if values else None


def unbalance(phases: Sequence[int]) -> int | None:
    """Return the greatest distance of a phase from the mean of all, in thousandths of the mean; None for one phase."""
    total, count = sum(phases), len(phases)
    if count < 2 or total <= 0:
        return None
    return divided(max(abs(value * count - total) for value in phases) * ONE, total)


def _dropped(flow: Flow, over: Sequence[str], by_name: Mapping[str, Flow]) -> Flow:
    """Return a flow with how far its voltage lies below that of the next piece above which shows one."""
    for name in over:
        upper = by_name[name].voltage_mv if name in by_name else None
        if upper is None or flow.voltage_mv is None:
            continue
        if max(upper, flow.voltage_mv) > LEVELS_APART * min(upper, flow.voltage_mv):
            return flow
        return replace(flow, drop_mv=upper - flow.voltage_mv, drop_from=name)
    return flow
