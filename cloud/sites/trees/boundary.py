"""Boundary taps: where energy passes from one owner to another, read off a site's tree."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from cloud.wire import ISLAND, Tree, TreeTap, parse_tree

TREES_CACHED = 2048  # a site keeps the same tree for months; a usual one takes a few KB here


@dataclass(frozen=True, slots=True)
class BoundaryTap:
    """Whose energy passes a boundary tap, and whose it was upstream: None from the grid or at an island's first tap.

    `private` is a tap below an island's first one: no grid reaches it.
    """

    owner: str
    upstream_owner: str | None
    island: bool
    private: bool = False


def boundary_taps(tree: Tree) -> Mapping[str, BoundaryTap]:
    """Return the taps whose owner differs from the owner upstream, or that have none upstream."""
    found = {}
    for tap_id, tap in tree.taps.items():
        upstream = None if tap.parent in (None, ISLAND) else tree.taps[tap.parent or ""].owner
        if upstream != tap.owner:
            island = tap.parent == ISLAND
            found[tap_id] = BoundaryTap(tap.owner, upstream, island, private=not island and _below_island(tree, tap))
    return found


def _below_island(tree: Tree, tap: TreeTap) -> bool:
    while tap.parent not in (None, ISLAND):
        tap = tree.taps[tap.parent or ""]
    return tap.parent == ISLAND


@lru_cache(maxsize=TREES_CACHED)
def read_tree(raw: bytes) -> tuple[int, Mapping[str, BoundaryTap]]:
    """Return from when on a stored tree is valid, and its boundary taps."""
    tree = parse_tree(raw)
    return tree.valid_from, boundary_taps(tree)


type Verdict = Literal[
    "created", "exists", "tree-conflict", "tree-revision", "unknown-owner", "tree-time", "owner-not-transferred"
]


@dataclass(frozen=True, slots=True)
class TreeStands:
    """What is stored before a tree arrives: the newest revision, and the hash of this revision if it is there."""

    newest_rev: int
    same_rev_hash: str | None


def judge(tree: Tree, digest: str, stands: TreeStands, owners: frozenset[str], interval_seconds: int) -> Verdict:
    """Decide on a tree that arrives: it is created, it exists, or the problem it has.

    `created` holds as long as no tap changes hands by it without a transfer, which is judged apart.
    """
    if stands.same_rev_hash is not None:
        return "exists" if stands.same_rev_hash == digest else "tree-conflict"
    if tree.rev != stands.newest_rev + 1:
        return "tree-revision"
    if not {tap.owner for tap in tree.taps.values()} <= owners:
        return "unknown-owner"
    return "created" if tree.valid_from % interval_seconds == 0 else "tree-time"
