"""Grid equipment as values: a forest of pieces, what each feeds and what it carries. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from typing import Any, Literal

EQUIPMENT_MAX = 10_000  # of a community: every transformer of a large town
DEPTH_MAX = 16  # from a house to the high-voltage grid there are five levels; what is deeper is a mistake

type EquipmentKind = Literal["feeder", "transformer", "line", "switchboard"]
type Above = Mapping[str, str | None]  # by piece, the one it hangs below
type Fault = Literal["ring", "too-deep", "no-above"]


@dataclass(frozen=True, slots=True)
class Equipment:
    """A piece of grid equipment with the sites and connected systems it feeds directly, by id.

    `above` is the piece it hangs below. What it carries is `limit_va` (VA) or `limit_a` (A in each of `phases` wires)
    at `nominal_mv` (mV from a wire to neutral).
    """

    equipment: str
    name: str
    sites: tuple[str, ...] = ()
    devices: tuple[str, ...] = ()
    kind: EquipmentKind | None = None
    above: str | None = None
    limit_va: int | None = None
    limit_a: int | None = None
    nominal_mv: int | None = None
    phases: int | None = None

    @property
    def carries_mva(self) -> int | None:
        """How much apparent power it carries in mVA, if anybody said."""
        if self.limit_va is not None:
            return self.limit_va * 1000
        if self.limit_a is None or self.nominal_mv is None:
            return None
        return self.limit_a * self.nominal_mv * (self.phases or 1)


MEMBERS = tuple(field.name for field in fields(Equipment) if field.name != "equipment")
PLAIN = tuple(name for name in MEMBERS if name not in ("sites", "devices"))  # one word or number each


def members_of(piece: Equipment) -> dict[str, Any]:
    """Return what is said of a piece, as JSON data."""
    return {name: getattr(piece, name) for name in PLAIN} | {
        "sites": list(piece.sites),
        "devices": list(piece.devices),
    }


def changed(before: Equipment | None, equipment: str, members: Mapping[str, Any]) -> Equipment:
    """Return a piece with these members; what they do not name stays as it was, `None` takes it away."""
    stands = {} if before is None else {name: getattr(before, name) for name in MEMBERS}
    wanted = stands | dict(members)
    for name in ("sites", "devices"):
        wanted[name] = tuple(sorted(set(wanted.get(name) or ())))
    return Equipment(equipment, **wanted)


def chain(above: Above, equipment: str) -> list[str]:
    """Return a piece and everything above it, from the bottom up."""
    found = [equipment]
    while (over := above.get(found[-1])) is not None and len(found) <= DEPTH_MAX:
        found.append(over)
    return found


def fault_of(above: Above, equipment: str) -> Fault | None:
    """Return what is wrong with where a piece hangs: below itself, below nothing that is there, or too deep."""
    found = chain(above, equipment)
    if any(name not in above for name in found):
        return "no-above"
    if len(found) > len(set(found)):
        return "ring"
    return "too-deep" if len(found) > DEPTH_MAX else None


def below(above: Above, roots: Iterable[str]) -> set[str]:
    """Return these pieces and everything that hangs below them."""
    wanted = set(roots)
    return {name for name in above if not wanted.isdisjoint(chain(above, name))} | wanted
