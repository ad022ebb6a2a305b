"""The outbox as the shell uses it: every call in its own thread, trees by interval."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Self

from .const import LOGGER, OUTBOX_FILE
from .errors import OutboxError
from .link import KeptBoundary, KeptInterval, Outbox
from .link.outbox import NO_NOTES
from .thread import OutboxThread
from .wire import Incident, TreeTap

TREES_MAX = 10  # in memory, of which the open interval needs one and the next boundary another
FAR = 253_402_300_799  # the end of the year 9999: later than every tree


class Store:
    """One site's outbox. With a cloud, intervals have a tree revision and are sent; without one they lie here."""

    def __init__(self, run: OutboxThread, outbox: Outbox, *, paired: bool) -> None:
        """Take an open outbox."""
        self.run = run
        self.outbox = outbox
        self.paired = paired
        self._trees: list[tuple[int, Mapping[str, TreeTap]]] = []

    @classmethod
    async def async_open(cls, folder: Path, *, paired: bool) -> Self:
        """Open the outbox of a site's folder; raises OutboxError, and then no thread is left behind."""
        run = OutboxThread()
        try:
            return cls(run, await run(Outbox.open, folder / OUTBOX_FILE), paired=paired)
        except BaseException:
            await run.async_stop()
            raise

    async def async_close(self) -> None:
        """Give the file and the thread free, after every call that still waits its turn."""
        try:
            await self.run(self.outbox.close)
        except OutboxError as error:
            LOGGER.error("The outbox could not be closed in order; the next start verifies it: %s", error.detail)
        finally:
            await self.run.async_stop()

    def go_on_with(self, tree: Mapping[str, TreeTap]) -> None:
        """Take over the tree that holds in the open interval from the run before a reload."""
        self._trees = [(0, tree)]

    async def async_plant(self, tree: Mapping[str, TreeTap], valid_from: int) -> None:
        """Take a tree that holds from a boundary on; the very first of a run holds before it too."""
        self._trees.append((valid_from if self._trees else 0, tree))
        del self._trees[:-TREES_MAX]
        if self.paired and (tree or await self.run(self.outbox.tree_at, valid_from) is not None):
            await self.run(self.outbox.keep_tree, tree, valid_from)

    async def async_tree_at(self, start: int) -> tuple[int | None, Mapping[str, TreeTap]]:
        """Return revision and taps of the tree that holds in the interval from `start` on; no revision, no batch."""
        if self.paired and (kept := await self.run(self.outbox.tree_at, start)) is not None:
            return kept
        return None, next((tree for valid_from, tree in reversed(self._trees) if valid_from <= start), {})

    async def async_newest_parents(self) -> dict[str, str | None]:
        """Return what each tap hangs below in the newest tree that was kept."""
        newest = await self.run(self.outbox.tree_at, FAR)
        return {} if newest is None else {tap: member.parent for tap, member in newest[1].items()}

    async def async_begin(self) -> tuple[int | None, KeptInterval | None, dict[str, KeptBoundary], dict[str, int]]:
        """Return where the last run ended: last end, latest interval, boundaries by tap, net Wh ever by owner."""
        return (
            await self.run(self.outbox.last_end),
            await self.run(self.outbox.latest_interval),
            await self.run(self.outbox.boundaries),
            await self.run(self.outbox.nets),
        )

    async def async_keep(
        self, interval: KeptInterval, boundaries: Mapping[str, KeptBoundary], notes: Mapping[str, str] = NO_NOTES
    ) -> None:
        """Keep an interval, the boundary it ends at and notes of it durably."""
        await self.run(self.outbox.keep_interval, interval, boundaries, (), notes)

    async def async_note(self, name: str) -> str | None:
        """Return the note kept under a name."""
        return await self.run(self.outbox.note, name)

    async def async_report(self, incidents: Iterable[Incident]) -> None:
        """Keep incidents for the cloud; a site without one has nobody to report to."""
        told = tuple(incidents)
        if told and self.paired:
            await self.run(self.outbox.keep_incidents, told)

    async def async_depth(self) -> int:
        """Return how much waits to be sealed or acknowledged."""
        return await self.run(self.outbox.depth)
