"""Which taps are an owner's, and since when: read off the revisions of a site's tree."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from cloud.wire import Tree, parse_tree

TREES_CACHED = 1024  # trees change seldom, and an owner's page looks into those of a whole community


@dataclass(frozen=True, slots=True)
class OwnedTap:
    """A tap and since when it has been its owner's without a break."""

    site: str
    site_name: str
    tap: str
    name: str | None
    since: int


@lru_cache(maxsize=TREES_CACHED)
def tree_of(raw: bytes) -> Tree:
    """Return a stored tree."""
    return parse_tree(raw)


def owned(revisions: Sequence[Tree], owner: str, site_name: str) -> list[OwnedTap]:
    """Return the owner's taps in the newest of a site's revisions, which come newest first."""
    newest = revisions[0]
    found = []
    for tap_id, tap in sorted(newest.taps.items()):
        if tap.owner == owner:
            since = _since(revisions, tap_id, owner)
            found.append(OwnedTap(newest.site, site_name, tap_id, tap.name, since))
    return found


def _since(revisions: Sequence[Tree], tap_id: str, owner: str) -> int:
    since = revisions[0].valid_from
    for tree in revisions:
        tap = tree.taps.get(tap_id)
        if tap is None or tap.owner != owner:
            break
        since = min(since, tree.valid_from)
    return since
