"""Judges day roots: what the ledger's own rule finds about them, told as every other finding."""

from collections.abc import Iterable, Iterator

from cloud.ledger.root.day import Fault

from .finding import Finding, Place


def root_findings(community: str, faults: Iterable[Fault]) -> Iterator[Finding]:
    """Tell each member of a root that is not what it must be."""
    for fault in faults:
        place = Place("chain", community, "day_root", {"day": fault.day})
        yield Finding(place, fault.member, fault.stored, fault.recomputed)
