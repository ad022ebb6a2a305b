"""The tap tree of a site: what hangs where, and who owns it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .strict import (
    VERSION,
    WireError,
    check_version,
    identifier,
    load,
    members,
    parse_time,
    plain_members,
    take,
    text,
    time_text,
    whole,
)

TAPS_MAX = 1000
ISLAND = "island"  # the parent of the first tap of a private line, which no grid feeds


@dataclass(frozen=True, slots=True)
class TreeTap:
    """A tap in the tree: who owns it and what it hangs below (a tap id, `None` for the grid, or `island`)."""

    owner: str
    parent: str | None
    name: str | None = None
    rated_power_w: int | None = None


@dataclass(frozen=True, slots=True)
class Tree:
    """The tap tree of a site: revision `rev`, valid from an interval boundary on. PUT, signed by the site."""

    site: str
    rev: int
    valid_from: int
    taps: Mapping[str, TreeTap]

    def plain(self) -> dict[str, Any]:
        """Return the JSON data of this tree."""
        taps = {tap_id: plain_members(tap) | {"parent": tap.parent} for tap_id, tap in self.taps.items()}
        return {
            "v": VERSION,
            "site": self.site,
            "rev": self.rev,
            "valid_from": time_text(self.valid_from),
            "taps": taps,
        }


def parse_tree(raw: bytes) -> Tree:
    """Read a tree; every parent must be a tap of it, `island` or the grid, and no tap may hang below itself."""
    data = load(raw, "tree")
    check_version(data, "tree")
    taps = {
        identifier(tap_id, "tree.taps"): _tree_tap(member, f"tree.taps.{tap_id}")
        for tap_id, member in members(data, "taps", "tree", TAPS_MAX).items()
    }
    tree = Tree(
        site=identifier(take(data, "site", "tree"), "tree.site"),
        rev=whole(take(data, "rev", "tree"), "tree.rev", 1),
        valid_from=parse_time(take(data, "valid_from", "tree"), "tree.valid_from"),
        taps=taps,
    )
    _check_parents(tree)
    return tree


def _tree_tap(data: Any, where: str) -> TreeTap:
    if not isinstance(data, dict):
        raise WireError(where, "is not an object")
    parent = take(data, "parent", where)
    rated = data.get("rated_power_w")
    return TreeTap(
        owner=identifier(take(data, "owner", where), f"{where}.owner"),
        parent=None if parent is None else identifier(parent, f"{where}.parent"),
        name=None if data.get("name") is None else text(data, "name", where),
        rated_power_w=None if rated is None else whole(rated, f"{where}.rated_power_w", 1),
    )


def _check_parents(tree: Tree) -> None:
    sound: set[str] = set()
    for start in tree.taps:
        path: set[str] = set()
        tap_id: str | None = start
        while tap_id is not None and tap_id != ISLAND and tap_id not in sound:
            if tap_id in path:
                raise WireError(f"tree.taps.{start}", "hangs below itself")
            if tap_id not in tree.taps:
                raise WireError(f"tree.taps.{start}", f"hangs below {tap_id}, which is no tap of this tree")
            path.add(tap_id)
            tap_id = tree.taps[tap_id].parent
        sound |= path
