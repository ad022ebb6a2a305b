"""Says a statement in the words of the wire."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from cloud.ledger.account import owner_account
from cloud.ledger.chain import Link, public
from cloud.settlement.statement import Correction, Line, Movement, Statement
from cloud.wire import statement as wire
from cloud.wire.merkle import Levels, path


@dataclass(frozen=True, slots=True)
class Place:
    """Where an entry lies: the day of its root, its number among the day's leaves, the hashes of the day's tree."""

    day: int
    index: int
    tree: Levels


@dataclass(frozen=True, slots=True)
class Proof:
    """What proves a page: entries with documents and places, the signed roots, and what was measured elsewhere."""

    entries: tuple[wire.ProvenEntry, ...] = ()
    roots: tuple[str, ...] = ()
    sites: tuple[str, ...] = ()
    elsewhere_wh: Mapping[int, int] = field(default_factory=dict)


def message(
    who: tuple[str, str],
    period: tuple[int, int],
    statement: Statement,
    *,
    waiting: int,
    handovers: Sequence[wire.Handover],
    proof: Proof,
    following: int | None,
) -> wire.Statement:
    """Return the statement of (community, owner) over a period as it is sent."""
    totals = statement.totals
    return wire.Statement(
        community=who[0],
        owner=who[1],
        start=period[0],
        end=period[1],
        opening_micro=statement.opening_micro,
        closing_micro=statement.closing_micro,
        totals=wire.Totals(
            net_wh=totals.net_wh,
            local_wh=totals.local_wh,
            grid_wh=totals.grid_wh,
            direct_wh=totals.direct_wh,
            points_micro=totals.points_micro,
            corrections_micro=totals.corrections_micro,
            movements_micro=totals.movements_micro,
            fees_micro=totals.fees_micro,
            rewards_micro=totals.rewards_micro,
        ),
        intervals_waiting=waiting,
        lines=tuple(_line(line, proof.elsewhere_wh.get(line.start, 0)) for line in statement.lines),
        corrections=tuple(map(_correction, statement.corrections)),
        movements=tuple(map(_movement, statement.movements)),
        transfers=tuple(handovers),
        sites=proof.sites,
        entries=proof.entries,
        roots=proof.roots,
        next=following,
    )


def _line(line: Line, elsewhere_wh: int) -> wire.Line:
    return wire.Line(
        start=line.start,
        seconds=line.seconds,
        net_wh=line.net_wh + line.direct_wh,
        local_wh=line.local_wh,
        grid_wh=line.grid_wh,
        direct_wh=line.direct_wh,
        local_micro_per_wh=line.local_micro_per_wh,
        grid_micro_per_wh=line.grid_micro_per_wh,
        direct_points_micro=line.direct_points_micro,
        points_micro=line.points_micro + line.direct_points_micro,
        quality=line.quality,
        elsewhere_wh=elsewhere_wh,
        blind=line.blind,
        entry=line.entry,
    )


def _correction(item: Correction) -> wire.Correction:
    return wire.Correction(
        start=item.start,
        revision=item.revision,
        booked_at=item.booked_at,
        net_wh=item.net_wh + item.direct_wh,
        local_wh=item.local_wh,
        grid_wh=item.grid_wh,
        direct_wh=item.direct_wh,
        points_micro=item.points_micro + item.direct_points_micro,
        blind=item.blind,
        entry=item.entry,
    )


def _movement(item: Movement) -> wire.Movement:
    return wire.Movement(item.at, item.kind, item.cause, item.points_micro, item.fee_micro, item.entry)


def proven(link: Link, document: bytes | None, place: Place | None, owner: str) -> wire.ProvenEntry | None:
    """Return an entry as an owner may see it: postings only where they name no other owner.

    Entries of the first version cannot be shown without everybody's postings; they have no public form.
    """
    if link.salt is None:
        return None
    owners = {leg.account for leg in link.postings if leg.account.startswith("owner:")}
    open_book = owners <= {owner_account(owner).id}
    return wire.ProvenEntry(
        public=public(link),
        document=None if document is None else document.decode(),
        day=None if place is None else place.day,
        index=0 if place is None else place.index,
        path=() if place is None else tuple(item.hex() for item in path(place.tree, place.index)),
        postings=tuple((leg.account, leg.amount_micro) for leg in link.postings) if open_book else None,
        salt=link.salt if open_book else None,
    )
