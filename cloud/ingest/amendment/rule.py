"""Whether readings may take the place of those that stand, and which of them differ."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace

from cloud.ingest.reading import Reading

REPLACEABLE = ("estimated", "missing")  # what was measured stands


def replacements(wanted: Sequence[Reading], stands: Sequence[Reading]) -> list[Reading] | None:
    """Return those of the wanted readings that change something; None if they are no amendment of what stands.

    They cover the same taps and intervals, only what was not measured changes, and at each tap the registers begin
    and end as before: energy moves from one interval to another.
    """
    before = {(item.start, item.tap): item for item in stands}
    if before.keys() != {(item.start, item.tap) for item in wanted}:
        return None
    changed = [item for item in wanted if _measured(item) != _measured(before[item.start, item.tap])]
    if not all(_may_replace(item, before[item.start, item.tap]) for item in changed):
        return None
    old, new = _by_tap(stands), _by_tap(wanted)
    return changed if all(_conserved(new[tap], old[tap]) for tap in old) else None


def _measured(reading: Reading) -> Reading:
    return replace(reading, epoch=0, seq=0)


def _may_replace(wanted: Reading, stands: Reading) -> bool:
    named = [(item.seconds, item.owner, item.upstream_owner, item.island) for item in (wanted, stands)]
    return named[0] == named[1] and stands.quality in REPLACEABLE and wanted.quality != "reset"


def _by_tap(readings: Sequence[Reading]) -> Mapping[str, Sequence[Reading]]:
    found: defaultdict[str, list[Reading]] = defaultdict(list)
    for reading in sorted(readings, key=lambda item: item.start):
        found[reading.tap].append(reading)
    return found


def _conserved(new: Sequence[Reading], old: Sequence[Reading]) -> bool:
    """Tell whether a tap's readings add up to the same, from the same registers to the same ones."""
    if _sums(new) != _sums(old) or _closing(new[-1]) != _closing(old[-1]):
        return False
    register = _opening(old[0])
    for item in new:
        if item.quality != "reset" and _opening(item) != register:
            return False
        register = _closing(item)
    return True


def _sums(readings: Sequence[Reading]) -> tuple[int, int]:
    return sum(item.import_wh for item in readings), sum(item.export_wh for item in readings)


def _opening(reading: Reading) -> tuple[int, int]:
    return reading.import_register_wh - reading.import_wh, reading.export_register_wh - reading.export_wh


def _closing(reading: Reading) -> tuple[int, int]:
    return reading.import_register_wh, reading.export_register_wh
