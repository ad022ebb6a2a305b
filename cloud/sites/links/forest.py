"""A forest of sites: a site's root taps hang on the grid, or below a tap of another site, from a time on."""

from bisect import bisect_right
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import groupby
from typing import Self

from cloud.wire import Tree


@dataclass(frozen=True, slots=True)
class Link:
    """Below which tap of which site a site hangs from a time on; both None: on the grid again."""

    site: str
    valid_from: int
    upstream_site: str | None
    upstream_tap: str | None


@dataclass(frozen=True, slots=True)
class Forest:
    """Every link of a community by site, each in the order of their validity."""

    links: Mapping[str, tuple[Link, ...]] = field(default_factory=dict)

    @classmethod
    def of(cls, links: Iterable[Link]) -> Self:
        """Bring links into order."""
        ordered = sorted(links, key=lambda link: (link.site, link.valid_from))
        return cls({site: tuple(own) for site, own in groupby(ordered, key=lambda link: link.site)})

    def above(self, site: str, at: int) -> tuple[str, str] | None:
        """Return site and tap a site hangs below at a time, None where it hangs on the grid."""
        own = self.links.get(site, ())
        begun = bisect_right(own, at, key=lambda link: link.valid_from)
        link = own[begun - 1] if begun else None
        if link is None or link.upstream_site is None or link.upstream_tap is None:
            return None
        return link.upstream_site, link.upstream_tap

    def with_link(self, wanted: Link) -> Forest:
        """Return the forest with one more link, in place of one of the same site and time."""
        kept = [link for own in self.links.values() for link in own if not _same_place(link, wanted)]
        return Forest.of([*kept, wanted])

    def loops(self, since: int) -> bool:
        """Tell whether some site hangs below itself at or after a time."""
        changes = {link.valid_from for own in self.links.values() for link in own if link.valid_from > since}
        return any(self._loops_at(at) for at in (since, *changes))

    def _loops_at(self, at: int) -> bool:
        sound: set[str] = set()
        for site in self.links:
            way: list[str] = []
            above: str | None = site
            while above is not None and above not in sound:
                if above in way:
                    return True
                way.append(above)
                found = self.above(above, at)
                above = None if found is None else found[0]
            sound.update(way)
        return False


def _same_place(one: Link, other: Link) -> bool:
    return (one.site, one.valid_from) == (other.site, other.valid_from)


@dataclass(frozen=True, slots=True)
class Upstreams:
    """Whose energy comes in at the roots of sites that hang below another one.

    `trees` are the upstream sites' revisions in their order, each with when it came. The revision in force is the
    newest one valid by then; where it has lost the tap, the one before that had it.
    """

    forest: Forest = field(default_factory=Forest)
    trees: Mapping[str, tuple[tuple[int, Tree], ...]] = field(default_factory=dict)

    def owner(self, site: str, start: int, known_at: int) -> str | None:
        """Return who owns the tap a site's roots hang below in an interval, by what was known at a time."""
        above = self.forest.above(site, start)
        if above is None:
            return None
        upstream_site, tap = above
        revisions = [tree for came, tree in self.trees.get(upstream_site, ()) if came <= known_at and tap in tree.taps]
        assert revisions, f"{site} hangs below {tap} of {upstream_site}, which no tree has"
        in_force = [tree for tree in revisions if tree.valid_from <= start]
        return (in_force[-1] if in_force else revisions[0]).taps[tap].owner
