"""The fraud figure: of thefts at measured homes, how many are found in four periods, and how many honest hosts flagged.

`curves` are the tables that the default tolerance is chosen by; `measure` is what they say at the default.
"""

from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise

import numpy as np

from custom_components.commonwatt.v2g.agreement import Basis, Tolerance
from custom_components.commonwatt.v2g.coverage import LEARNT_MAX, OUTSIDE_MAX

from .figure import Figure
from .households import Home, homes
from .sessions import Metered, Sessions, Which, flagged, known, known_by, sessions
from .steps import VISIT_SLOTS, found_within, powers, verdicts, visits

ABSOLUTE_WH = (50, 75, 100, 150, 200, 300)
RELATIVE_PERCENT = (5, 10, 15, 20)
DEFAULT = Tolerance()
STOLEN_WH_MIN = 500  # in a period: the goal speaks of these
PART = 0.3  # of a discharge, for the careful thief
GOAL_FOUND, GOAL_FALSE = 99.0, 0.5  # percent
COUNT, COUNT_FULL = 300, 2000  # sessions of each kind at each home
ASTRAY = {"konstanz1"}  # published with a tree of taps that cannot be right
STOLEN_WH = (0, 50, 100, 150, 200, 300, 500, 1000, 3500)
CHALLENGES = (1, 2, 3, 4, 6, 8, 12, 16)

type Made = Sequence[Sessions]


def how_many(*, full: bool) -> int:
    """Return how many sessions of a kind are made at each home."""
    return COUNT_FULL if full else COUNT


def measure(seed: int, count: int) -> list[Figure]:
    """Return detection and false flags at the default tolerance, and by as many challenges as four half hours have.

    Of `count` sessions of a kind at each home, and as many visits with challenges.
    """
    whole = [home for home in homes() if home.name not in ASTRAY]
    honest, thefts, parts = (_made(whole, count, seed, share=share) for share in (0, 1, PART))
    found = {
        "fraud: thefts found": _rate(thefts, DEFAULT, only=_large),
        "fraud: thefts of 30 % found": _rate(parts, DEFAULT, only=_large),
    }
    false = {"fraud: honest sessions flagged": _rate(honest, DEFAULT)}
    rng = np.random.default_rng(seed)
    for name, busy in (("", False), (", busy home", True)):
        load = powers(busy=busy)
        found[f"fraud: found by challenges{name}"] = found_within(visits(load, count, PART, rng), VISIT_SLOTS)
        false[f"fraud: flagged by challenges{name}"] = found_within(visits(load, count, 0, rng), VISIT_SLOTS)
    return [
        *(Figure(name, "%", "goal", GOAL_FOUND, ours, 1) for name, ours in found.items()),
        *(Figure(name, "%", "goal", GOAL_FALSE, ours, 1, more_is_better=False) for name, ours in false.items()),
    ]


def curves(seed: int, count: int) -> Iterator[str]:
    """Yield the tables, line by line, of as many sessions."""
    whole = [home for home in homes() if home.name not in ASTRAY]
    for metered in ("behind its loss", "at the plug", "at the battery"):
        yield from _by_consumption(whole, metered, count, seed)
    yield from _by_home(whole, count, seed)
    yield from _by_stolen(whole, count, seed)
    yield from _by_registers(whole, count, seed)
    yield from _by_before(whole, count, seed)
    yield from _by_memory(count, seed)
    yield from _by_challenges(count, seed)


def _by_consumption(whole: Sequence[Home], metered: Metered, count: int, seed: int) -> Iterator[str]:
    honest, thefts, parts = (_made(whole, count, seed, share=share, metered=metered) for share in (0, 1, PART))
    yield f"\nConsumption known, cable measured {metered}; {count} sessions of a kind at each of {len(whole)} homes"
    yield "  Wh   %  known %  honest flagged %  thefts found %  of 30 %, >= 500 Wh  of 30 %, all"
    for wh in ABSOLUTE_WH:
        covered = [known(made, wh) for made in honest]
        for percent in RELATIVE_PERCENT:
            tolerance = Tolerance(wh, percent)
            yield (
                f"{wh:4} {percent:3} {_share(covered):8.2f} {_rate(honest, tolerance):17.2f} "
                f"{_rate(thefts, tolerance, only=_large):15.2f} {_rate(parts, tolerance, only=_large):19.2f} "
                f"{_rate(parts, tolerance):13.2f}"
            )


def _by_home(whole: Sequence[Home], count: int, seed: int) -> Iterator[str]:
    """Yield what the pooled figures hide: which homes are flagged."""
    yield "\nHonest sessions flagged % at each home, everything measured; an hourly home's period is an hour"
    made = _made(whole, count, seed)
    yield "  Wh   %  " + " ".join(f"{home.name:>9}" for home in whole)
    for tolerance in (Tolerance(75, 10), DEFAULT, Tolerance(150, 10), Tolerance(200, 10)):
        cells = " ".join(f"{_rate([at_home], tolerance):9.2f}" for at_home in made)
        yield f"{tolerance.wh:4} {tolerance.percent:3}  {cells}"


def _by_stolen(whole: Sequence[Home], count: int, seed: int) -> Iterator[str]:
    """Yield what is found of thefts of any share, by what is stolen in a period: where the tolerance ends."""
    rng = np.random.default_rng(seed)
    thefts = [sessions(home, count, rng, share=rng.uniform(0, 1, (count, 1))) for home in whole]
    yield "\nThefts of any share, % found by what is stolen in a period, Wh"
    yield "  Wh   %  " + " ".join(f"{f'{least}-{most}':>9}" for least, most in pairwise(STOLEN_WH))
    for tolerance in (Tolerance(100, 5), DEFAULT, Tolerance(100, 15), Tolerance(150, 10), Tolerance(200, 10)):
        cells = [_rate(thefts, tolerance, only=_between(*bounds)) for bounds in pairwise(STOLEN_WH)]
        yield f"{tolerance.wh:4} {tolerance.percent:3}  " + " ".join(f"{cell:9.2f}" for cell in cells)


def _by_registers(whole: Sequence[Home], count: int, seed: int) -> Iterator[str]:
    """Yield what becomes of it where meters count coarsely."""
    yield f"\nRegisters that count by more than a Wh; {DEFAULT.wh} Wh, {DEFAULT.percent} %"
    yield "step Wh  known %  honest flagged %  thefts found %"
    for step_wh in (1, 10, 50, 100):
        honest, thefts = (_made(whole, count, seed, share=share, step_wh=step_wh) for share in (0, 1))
        covered = _share([known(made, DEFAULT.wh) for made in honest])
        found = _rate(thefts, DEFAULT, only=_large)
        yield f"{step_wh:7} {covered:8.2f} {_rate(honest, DEFAULT):17.2f} {found:15.2f}"


def _by_before(whole: Sequence[Home], count: int, seed: int) -> Iterator[str]:
    half_hours = [home for home in whole if home.seconds == 1800]
    honest, thefts = (_made(half_hours, count, seed, share=share) for share in (0, 1))
    yield "\nOnly the meter before is known, were it to flag; homes measured by half hours"
    yield "  Wh   %  honest flagged %  thefts found %"
    for wh in ABSOLUTE_WH:
        for percent in RELATIVE_PERCENT:
            tolerance = Tolerance(wh, percent)
            false = _rate(honest, tolerance, basis="before")
            yield f"{wh:4} {percent:3} {false:17.2f} {_rate(thefts, tolerance, basis='before', only=_large):15.2f}"


def _by_memory(count: int, seed: int) -> Iterator[str]:
    """Yield how often homes are taken for measured by mistake, by how long that is learnt."""
    every = homes()
    groups = {
        "all measured": _made([home for home in every if home.name not in ASTRAY], count, seed),
        "wrong tree": _made([home for home in every if home.name in ASTRAY], count, seed),
        "partly measured": _made(every, count, seed, rest=False),
    }
    yield f"\nHow long coverage is learnt; {DEFAULT.wh} Wh, {DEFAULT.percent} %; of honest sessions % known / % flagged"
    yield f"{'learnt by':26} " + " ".join(f"{name:>16}" for name in groups)
    memories: dict[str, Callable[[Sessions], Which]] = {
        f"as it is ({LEARNT_MAX}, {OUTSIDE_MAX} outside)": lambda made: known(made, DEFAULT.wh),
        "12 intervals, 1 outside": lambda made: known_by(made, DEFAULT.wh, 12, 1),
        "one day, 1 outside": lambda made: known_by(made, DEFAULT.wh, 86_400 // made.period_s, 1),
        "two days, 1 outside": lambda made: known_by(made, DEFAULT.wh, 2 * 86_400 // made.period_s, 1),
    }
    flags = {name: [flagged(made, "consumption", DEFAULT) for made in group] for name, group in groups.items()}
    for memory, rule in memories.items():
        cells = []
        for name, group in groups.items():
            covered = [rule(made) for made in group]
            both = [one & other for one, other in zip(covered, flags[name], strict=True)]
            cells.append(f"{_share(covered):7.2f} / {_share(both):6.2f}")
        yield f"{memory:26} " + " ".join(f"{cell:>16}" for cell in cells)


def _by_challenges(count: int, seed: int) -> Iterator[str]:
    yield f"\nStep challenges; {count} visits of each kind; % judged a mismatch within so many challenges"
    yield f"{'home, stolen':16} {'match':>6} {'mism.':>6} {'unkn.':>6}  " + " ".join(
        f"{number:6}" for number in CHALLENGES
    )
    for name, busy in (("one", False), ("busy", True)):
        load = powers(busy=busy)
        for share in (0, PART, 1):
            made = visits(load, count, share, np.random.default_rng(seed))
            single = verdicts(made)
            within = " ".join(f"{found_within(made, number):6.2f}" for number in CHALLENGES)
            yield f"{name:8} {share:7.0%} {single.match:6.2f} {single.mismatch:6.2f} {single.unknown:6.2f}  {within}"


def _made(
    at: Sequence[Home],
    count: int,
    seed: int,
    *,
    share: float = 0,
    metered: Metered = "behind its loss",
    rest: bool = True,
    step_wh: int = 1,
) -> Made:
    """Make sessions at each home, drawn alike for whatever they are to be compared by."""
    rng = np.random.default_rng(seed)
    return [sessions(home, count, rng, share=share, metered=metered, rest=rest, step_wh=step_wh) for home in at]


def _large(made: Sessions) -> Which:
    return made.stolen_wh >= STOLEN_WH_MIN


def _between(least_wh: int, most_wh: int) -> Callable[[Sessions], Which]:
    return lambda made: (least_wh <= made.stolen_wh) & (made.stolen_wh < most_wh)


def _rate(
    group: Made, tolerance: Tolerance, *, basis: Basis = "consumption", only: Callable[[Sessions], Which] | None = None
) -> float:
    """Return what is flagged of the sessions that can be judged on this basis, in percent."""
    seen: list[Which] = []
    for made in group:
        chosen = np.ones(len(made.before), bool) if only is None else only(made)
        if basis == "consumption":
            chosen &= known(made, tolerance.wh)
        seen.append(flagged(made, basis, tolerance)[chosen])
    return _share(seen)


def _share(seen: Sequence[Which]) -> float:
    """Return the share in percent, no number where nothing was seen."""
    every = np.concatenate(seen)
    return 100 * float(every.mean()) if every.size else float("nan")
