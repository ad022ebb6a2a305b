"""A measured figure beside its limit, and how a run of them is printed."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
import json
import resource
from statistics import median
import time


@dataclass(frozen=True, slots=True)
class Figure:
    """What was measured: ours and the limit of the same run, in `unit`; `goal` is the least (or most) `ratio` may be.

    `more_is_better` tells a rate from a time. A figure without a limit of its own has the goal as its limit.
    """

    name: str
    unit: str
    limit_name: str
    limit: float
    ours: float
    goal: float
    more_is_better: bool = True

    @property
    def ratio(self) -> float:
        """Ours by the limit."""
        return self.ours / self.limit if self.limit else float("inf")

    @property
    def reached(self) -> bool:
        """Whether the goal is reached."""
        return self.ratio >= self.goal if self.more_is_better else self.ratio <= self.goal


def table(figures: Sequence[Figure]) -> str:
    """Return figures as lines to read; the last one says how many goals are reached."""
    lines = [f"{'figure':44} {'limit':>12} {'ours':>12} {'ratio':>7} {'goal':>7}  unit, limit"]
    for item in figures:
        sign = "≥" if item.more_is_better else "≤"
        mark = " " if item.reached else "!"
        lines.append(
            f"{item.name:44} {item.limit:12,.6g} {item.ours:12,.6g} {item.ratio:7.2f} {sign}{item.goal:6.2f}{mark} "
            f"{item.unit}, {item.limit_name}"
        )
    reached = sum(item.reached for item in figures)
    lines.append(f"{reached} of {len(figures)} goals reached, peak memory {peak_mib():.0f} MiB")
    return "\n".join(lines)


def as_json(figures: Sequence[Figure], **about: object) -> str:
    """Return figures for a program."""
    rows = [asdict(item) | {"ratio": item.ratio, "reached": item.reached} for item in figures]
    return json.dumps(about | {"figures": rows, "peak_mib": peak_mib()}, indent=1)


def peak_mib() -> float:
    """Return the most memory this process has had, in MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def cpu_rate(work: Callable[[], int], seconds: float) -> float:
    """Return how much of some work is done in a second of processor time: the median of five equal parts."""
    rates = []
    for _ in range(5):
        done, begun = 0, time.process_time()
        while (spent := time.process_time() - begun) < seconds / 5 or not done:
            done += work()
        rates.append(done / spent)
    return median(rates)


def best_s(work: Callable[[], object], times: int = 3) -> float:
    """Return the shortest wall time of some work in seconds: what the machine can do when nobody disturbs it."""
    spans = []
    for _ in range(times):
        begun = time.perf_counter()
        work()
        spans.append(time.perf_counter() - begun)
    return min(spans)
