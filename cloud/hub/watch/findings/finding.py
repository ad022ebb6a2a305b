"""A finding, and what a look at the network does to those that are open: two looks open one, two close it. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from cloud.hub.watch.flow import LOAD_PERCENT_MAX
from cloud.hub.watch.rule import Mark, Watch

PENDING_MS_MAX = 3_600_000  # a second look that comes later has nothing to do with the first
PENDING_MAX = 20_000  # more points out for the first time are no finding but another network


@dataclass(frozen=True, slots=True)
class Seen:
    """How a mark was out of tolerance in one look, or in the worst of several."""

    value: int
    lowest: int | None
    highest: int | None
    by: int
    at_ms: int


@dataclass(frozen=True, slots=True)
class Finding:
    """What is or was out of tolerance, since the first look that saw it; `until_ms` is None while it is open."""

    finding: str
    mark: Mark
    worst: Seen
    since_ms: int
    until_ms: int | None = None


@dataclass(frozen=True, slots=True)
class Pending:
    """What one look has seen and a second has not yet: out of tolerance, or within it where a finding is open."""

    out: Mapping[Mark, Seen] = field(default_factory=dict)
    back: Mapping[Mark, int] = field(default_factory=dict)

    def plain(self) -> dict[str, Any]:
        """Return it as JSON data."""
        out = [[*asdict(mark).values(), *asdict(seen).values()] for mark, seen in self.out.items()]
        return {"out": out, "back": [[*asdict(mark).values(), at] for mark, at in self.back.items()]}


def pending_of(data: Mapping[str, Any]) -> Pending:
    """Return what `plain` made JSON of."""
    out = {Mark(*row[:4]): Seen(*row[4:]) for row in data.get("out", ())}
    return Pending(out, {Mark(*row[:4]): row[4] for row in data.get("back", ())})


@dataclass(frozen=True, slots=True)
class Decision:
    """What becomes of a look: findings to open (mark, worst, since), to change, to close; what waits for the next."""

    opened: list[tuple[Mark, Seen, int]]
    worsened: list[Finding]
    closed: list[Finding]
    pending: Pending


def looked(watch: Watch, at_ms: int) -> dict[Mark, Seen]:
    """Return what a look saw out of tolerance, each with the time of its measurement."""
    found = {
        Mark("device", item.device, item.point, item.quantity): Seen(
            item.value.value, item.lowest, item.highest, item.by, item.value.measured_ms
        )
        for item in watch.out
    }
    for flow in watch.flows:
        if flow.overloaded and flow.load_percent is not None:
            by = flow.load_percent - LOAD_PERCENT_MAX
            mark = Mark("equipment", flow.equipment, "", "load")
            found[mark] = Seen(flow.load_percent, None, LOAD_PERCENT_MAX, by, at_ms)
    return found


@dataclass(frozen=True, slots=True)
class Look:
    """One look: what it saw out of tolerance and within, and what is limited at all."""

    at_ms: int
    seen: Mapping[Mark, Seen]
    within: frozenset[Mark]
    limited: frozenset[Mark]  # of those of open findings


def decided(opened: Iterable[Finding], pending: Pending, look: Look) -> Decision:
    """Return what a look changes.

    A mark must be out in two looks, at two measurements, before a finding is opened, and within in two before it is
    closed. What a look did not see leaves everything as it stands; what nothing limits any more is closed.
    """
    stood = {finding.mark: finding for finding in opened}
    new, out = _new(stood, pending, look)
    closed, back = _closed(stood, pending, look)
    worse = [
        replace(finding, worst=look.seen[mark])
        for mark, finding in stood.items()
        if mark in look.seen and abs(look.seen[mark].by) > abs(finding.worst.by)
    ]
    return Decision(new, worse, closed, Pending(dict([*out.items()][:PENDING_MAX]), back))


def _new(
    stood: Mapping[Mark, Finding], pending: Pending, look: Look
) -> tuple[list[tuple[Mark, Seen, int]], dict[Mark, Seen]]:
    """Return what is out for the second time, and what waits for that."""
    new: list[tuple[Mark, Seen, int]] = []
    out = {
        mark: was
        for mark, was in pending.out.items()
        if mark not in look.seen and mark not in look.within and look.at_ms - was.at_ms <= PENDING_MS_MAX
    }
    for mark, now in look.seen.items():
        before = pending.out.get(mark)
        if mark in stood:
            continue
        if before is not None and 0 < now.at_ms - before.at_ms <= PENDING_MS_MAX:
            new.append((mark, max(before, now, key=lambda seen: abs(seen.by)), before.at_ms))
        else:
            out[mark] = now
    return new, out


def _closed(stood: Mapping[Mark, Finding], pending: Pending, look: Look) -> tuple[list[Finding], dict[Mark, int]]:
    """Return what is within for the second time or limited no more, and what waits for that."""
    closed: list[Finding] = []
    back: dict[Mark, int] = {}
    for mark, finding in stood.items():
        first = pending.back.get(mark)
        if mark in look.within and first is not None:
            closed.append(replace(finding, until_ms=first))
        elif mark in look.within:
            back[mark] = look.at_ms
        elif mark not in look.seen and mark not in look.limited:
            closed.append(replace(finding, until_ms=look.at_ms))
        elif mark not in look.seen and first is not None:
            back[mark] = first
    return closed, back
