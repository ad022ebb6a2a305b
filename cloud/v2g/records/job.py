"""Looks at the records and reports that came with batches, cable by cable, and at what should have come by now."""

from collections import defaultdict
from collections.abc import Iterable, Mapping

from cloud.ingest.cables import store as batch_cables
from cloud.ingest.cables.store import Arrived, Reported
from cloud.v2g.cables.store import not_searched, note_searched
from cloud.v2g.turn import Hands
from cloud.v2g.visits import store as visits
from cloud.v2g.visits.store import Visited

from .findings.store import cables_with_gaps_due
from .kept import store

PAGE = 500  # looked at in one turn


async def look_at_records(hands: Hands, now: int) -> int:
    """Take what has come into the facts of its cables, in two steps each that may both be done again."""
    searched = await _search(hands, now)
    return searched + await _records(hands, now) + await _presence(hands, now) + await _gaps(hands, now)


async def _search(hands: Hands, now: int) -> int:
    """Look again at what came of cables before they were registered."""
    again = 0
    for cable in await hands.database.read(not_searched, PAGE):
        again += await hands.guarded(f"search for {cable}", hands.database.write(batch_cables.look_again, cable)) or 0
        await hands.guarded(f"search for {cable}", hands.database.write(note_searched, cable, now))
    return again


async def _records(hands: Hands, now: int) -> int:
    done = 0
    for cable, items in _by_cable(await hands.database.read(batch_cables.not_handled, PAGE)).items():
        done += await hands.guarded(f"records of {cable}", _keep(hands, cable, items, now)) or 0
    return done


async def _keep(hands: Hands, cable: str, items: list[Arrived], now: int) -> int:
    outcomes = await hands.database.write(store.keep_records, cable, items, now)
    await hands.database.write(store.note_handled, items, outcomes, now)
    hands.ring()  # a cable may have been stopped by what came
    return len(items)


async def _presence(hands: Hands, now: int) -> int:
    reports = await hands.database.read(batch_cables.not_placed, PAGE)
    pluggings = await hands.database.read(visits.not_placed, PAGE)
    done = 0
    came: list[Reported | Visited] = [*reports, *pluggings]
    for cable, items in _by_cable(came).items():
        done += await hands.guarded(f"places of {cable}", _place(hands, cable, items, now)) or 0
    return done


async def _place(hands: Hands, cable: str, items: list[Reported | Visited], now: int) -> int:
    await hands.database.write(store.keep_presence, cable, items, now)
    hands.ring()
    reports = [item for item in items if isinstance(item, Reported)]
    pluggings = [item for item in items if isinstance(item, Visited)]
    await hands.database.write(batch_cables.placed, reports, now)
    await hands.database.write(visits.placed, pluggings, now)
    return len(items)


async def _gaps(hands: Hands, now: int) -> int:
    done = 0
    for cable in await hands.database.read(cables_with_gaps_due, now, PAGE):
        done += await hands.guarded(f"gaps of {cable}", hands.database.write(store.find_gaps, cable, now)) or 0
    return done


def _by_cable[T: Arrived | Reported | Visited](items: Iterable[T]) -> Mapping[str, list[T]]:
    found = defaultdict[str, list[T]](list)
    for item in items:
        found[item.cable].append(item)
    return found
