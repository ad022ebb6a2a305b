"""Packing: kept intervals that belong together become the content of one batch."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from ..wire import (
    CABLES_MAX,
    GENESIS,
    READINGS_MAX,
    TELEMETRY_MAX,
    Batch,
    Incident,
    Intervals,
    TapColumns,
    Telemetry,
    parse_batch,
    to_bytes,
)
from .kept import KeptInterval

INCIDENT_DETAIL_MAX = 500  # as the wire has it


def packs(kept: Iterable[KeptInterval]) -> Iterator[tuple[KeptInterval, ...]]:
    """Group intervals, given in order of time, as long as they adjoin, are alike, and stay within a batch's size."""
    pack: list[KeptInterval] = []
    for interval in kept:
        if pack and not (_adjoins(pack[-1], interval) and _fits(pack, interval)):
            yield tuple(pack)
            pack = []
        pack.append(interval)
    if pack:
        yield tuple(pack)


def columns_of(pack: Sequence[KeptInterval], *, amends: bool = False) -> Intervals:
    """Return the wire's columns of a group; `amends` says that it takes the place of what was sent before."""
    first = pack[0]
    return Intervals(
        start=first.start,
        seconds=first.seconds,
        count=len(pack),
        tree_rev=first.tree_rev or 0,
        taps={
            tap: TapColumns(
                owner=columns.owner,
                upstream_owner=columns.upstream_owner,
                import_wh=tuple(interval.taps[tap].import_wh[0] for interval in pack),
                export_wh=tuple(interval.taps[tap].export_wh[0] for interval in pack),
                register_wh=tuple(interval.taps[tap].register_wh[0] for interval in pack),
                quality=tuple(interval.taps[tap].quality[0] for interval in pack),
            )
            for tap, columns in first.taps.items()
        },
        amends=amends,
        cables=tuple(replace(cable, at=at) for at, interval in enumerate(pack) for cable in interval.cables),
    )


def telemetry_of(pack: Sequence[KeptInterval]) -> tuple[Telemetry, ...]:
    """Return what goes along with a group."""
    return tuple(item for interval in pack for item in interval.telemetry)


def check(interval: KeptInterval) -> None:
    """Raise WireError for an interval that no batch could carry: better before it is kept than in the queue."""
    intervals = replace(columns_of((interval,)), tree_rev=interval.tree_rev or 1)
    parse_batch(to_bytes(Batch("check", 1, 1, GENESIS, interval.end, intervals, telemetry=interval.telemetry)))


def sendable(incident: Incident) -> Incident:
    """Return the incident as the wire takes it: its words printable and not too many."""
    words = "".join(mark if mark.isprintable() else " " for mark in incident.detail or "")
    return Incident(incident.at, incident.kind, incident.tap, words[:INCIDENT_DETAIL_MAX] or None)


def _fits(pack: Sequence[KeptInterval], interval: KeptInterval) -> bool:
    cables = sum(len(item.cables) for item in (*pack, interval))
    telemetry = sum(len(item.telemetry) for item in (*pack, interval))
    readings = (len(pack) + 1) * len(interval.taps)
    return readings <= READINGS_MAX and cables <= CABLES_MAX and telemetry <= TELEMETRY_MAX


def _adjoins(before: KeptInterval, after: KeptInterval) -> bool:
    return (before.end, before.seconds, before.tree_rev, _owners(before)) == (
        after.start,
        after.seconds,
        after.tree_rev,
        _owners(after),
    )


def _owners(interval: KeptInterval) -> dict[str, tuple[str, str | None]]:
    return {tap: (columns.owner, columns.upstream_owner) for tap, columns in interval.taps.items()}
