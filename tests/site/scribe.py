"""A cloud that keeps honest books of one day, by the cloud's own rules, and one that writes them anew after a lie.

Anna owns the site `house`; Ben and Sun live elsewhere. What the house itself holds comes out beside the statement.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from cloud.ledger.chain import START, Head, Link, link, public
from cloud.ledger.posting import Entry, postings_of
from cloud.ledger.root.day import EntryMark, payload_of, seal
from cloud.settlement.evidence import BatchName, Outcome, Part, blind_of, document_of
from cloud.settlement.share import share
from cloud.tariff.price import Prices
from cloud.wire import GENESIS, Quality, digest, time_text, to_bytes
from cloud.wire.merkle import levels, path
from custom_components.commonwatt.verify import Kept, Own, OwnInterval, Promised
from custom_components.commonwatt.wire.statement import (
    Correction,
    Line,
    Movement,
    ProvenEntry,
    Statement,
    Totals,
)

DAY = 1_795_219_200  # 2026-11-21T00:00:00Z
HALF_HOUR = 1800
PRICES = Prices(20_000, 30_000, 8_000)
SECRET = "5e" * 32
NETS = (
    {"anna": 700, "ben": 301, "sun": -450},
    {"anna": -120, "ben": 333, "sun": -333},
    {"anna": 0, "ben": 5, "sun": -5},
    {"anna": 251, "ben": 252, "sun": -100},
    {"anna": -777, "ben": 776, "sun": 0},
)
CORRECTED = 3  # the interval that Ben's site reported late, and what it came to then
CORRECTED_BEN = 299
OK: Quality = "ok"


@dataclass(frozen=True)
class Booked:
    """An entry with its document, in its place."""

    link: Link
    document: bytes


@dataclass
class Scribe:
    """Writes the day's books from these nets and prices, whatever they are."""

    nets: tuple[dict[str, int], ...] = NETS
    prices: tuple[Prices, ...] = (PRICES,) * len(NETS)
    purchase_micro: int = 50_000_000

    def books(self) -> list[Booked]:
        """Return the day's entries: the intervals, a purchase of Anna's, one of Ben's, a correction."""
        head, booked = START, []
        entries = [self.energy(at, self.nets[at], 0) for at in range(len(self.nets))]
        entries.insert(2, self.bought("anna", "p1", self.purchase_micro))
        entries.insert(3, self.bought("ben", "p2", 7_000_000))
        entries.append(self.energy(CORRECTED, self.nets[CORRECTED] | {"ben": CORRECTED_BEN}, 1))
        for entry, document in entries:
            item = link(entry, head, "5a" * 16)
            head = Head(item.number, item.hash)
            booked.append(Booked(item, document))
        return booked

    def outcome(self, at: int, nets: Mapping[str, int], revision: int) -> Outcome:
        """Settle an interval by the cloud's rules."""
        prices, shared = self.prices[at], share(nets, self.prices[at])
        grid_price = {
            owner: prices.grid_buy_micro_per_wh if net > 0 else prices.grid_sell_micro_per_wh
            for owner, net in nets.items()
        }
        parts = {
            owner: Part(nets[owner], part.local_wh, part.grid_wh, grid_price[owner], part.points_micro, OK)
            for owner, part in shared.owners.items()
        }
        return Outcome(
            community="lane",
            start=DAY + at * HALF_HOUR,
            seconds=HALF_HOUR,
            revision=revision,
            batches=[BatchName("house", 1, at + 1, batch_hash(at)), BatchName("row", 2, at + 7, digest(b"row"))],
            without=[],
            local_micro_per_wh=prices.local_micro_per_wh,
            parts=parts,
            directs=[],
            grid_wh=-sum(nets.values()),
            grid_points_micro=shared.grid_points_micro,
        )

    def energy(self, at: int, nets: Mapping[str, int], revision: int) -> tuple[Entry, bytes]:
        """Return the entry of an interval; a correction's moves the differences, in a later interval."""
        outcome = self.outcome(at, nets, revision)
        start = outcome.start
        document = document_of(outcome, {owner: blind_of(SECRET, start, owner) for owner in nets})
        amounts = {f"owner:{owner}": part.points_micro for owner, part in outcome.parts.items()}
        amounts["grid"] = outcome.grid_points_micro
        valued_at = start
        if revision:
            before = self.outcome(at, self.nets[at], 0)
            for owner, part in before.parts.items():
                amounts[f"owner:{owner}"] -= part.points_micro
            amounts["grid"] -= before.grid_points_micro
            valued_at = DAY + 40 * HALF_HOUR
        suffix = f":{revision}" if revision else ""
        cause = f"energy:{time_text(start)}{suffix}"
        return Entry("lane", cause, valued_at, valued_at + 60, digest(document), postings_of(amounts)), document

    def bought(self, owner: str, name: str, points_micro: int) -> tuple[Entry, bytes]:
        """Return the entry of a purchase."""
        document = to_bytes({"v": 1, "kind": "purchase", "points_micro": points_micro})
        legs = postings_of({f"owner:{owner}": points_micro, "purchase": -points_micro})
        at = DAY + HALF_HOUR + 77
        return Entry("lane", f"purchase:{name}", at, at, digest(document), legs), document

    def statement(self) -> tuple[Statement, bytes]:
        """Return Anna's statement of the day with all its proof, and the payload of the day's root."""
        books = self.books()
        by_cause = {item.link.cause: item for item in books}
        lines = tuple(self.line(at, by_cause) for at in range(len(self.nets)))
        corrections = (self.correction(by_cause),)
        movements = self.movements(by_cause)
        marks = [EntryMark(item.link.number, item.link.made_at, item.link.hash) for item in books]
        root = payload_of(seal("lane", DAY, marks, GENESIS))
        tree = levels([bytes.fromhex(item.link.hash) for item in books])
        entries = tuple(proven(item, tree) for item in books if item.link.cause != "purchase:p2")
        told: list[Line | Correction | Movement] = [*lines, *corrections, *movements]
        moved = sum(item.points_micro for item in told)
        page = Statement(
            community="lane",
            owner="anna",
            start=DAY,
            end=DAY + 86_400,
            opening_micro=9_000_000,
            closing_micro=9_000_000 + moved,
            totals=totals(lines, corrections, movements),
            intervals_waiting=0,
            lines=lines,
            corrections=corrections,
            movements=movements,
            sites=("house",),
            entries=entries,
        )
        return page, root

    def movements(self, by_cause: Mapping[str, Booked]) -> tuple[Movement, ...]:
        """Return what moved Anna's points beside energy."""
        purchase = by_cause["purchase:p1"].link
        return (Movement(purchase.valued_at, "purchase", purchase.cause, self.purchase_micro, 0, purchase.number),)

    def line(self, at: int, by_cause: Mapping[str, Booked]) -> Line:
        """Return Anna's line of an interval."""
        outcome = self.outcome(at, self.nets[at], 0)
        part, start = outcome.parts["anna"], outcome.start
        entry = by_cause[f"energy:{time_text(start)}"].link.number
        return Line(
            start=start,
            seconds=HALF_HOUR,
            net_wh=part.net_wh,
            local_wh=part.local_wh,
            grid_wh=part.grid_wh,
            direct_wh=0,
            local_micro_per_wh=outcome.local_micro_per_wh,
            grid_micro_per_wh=part.grid_micro_per_wh,
            direct_points_micro=0,
            points_micro=part.points_micro,
            quality=OK,
            blind=blind_of(SECRET, start, "anna"),
            entry=entry,
        )

    def correction(self, by_cause: Mapping[str, Booked]) -> Correction:
        """Return what the correction changed for Anna."""
        nets = self.nets[CORRECTED]
        was = self.outcome(CORRECTED, nets, 0).parts["anna"]
        now = self.outcome(CORRECTED, nets | {"ben": CORRECTED_BEN}, 1).parts["anna"]
        start = DAY + CORRECTED * HALF_HOUR
        link = by_cause[f"energy:{time_text(start)}:1"].link
        return Correction(
            start=start,
            revision=1,
            booked_at=link.valued_at,
            net_wh=now.net_wh - was.net_wh,
            local_wh=now.local_wh - was.local_wh,
            grid_wh=now.grid_wh - was.grid_wh,
            direct_wh=0,
            points_micro=now.points_micro - was.points_micro,
            blind=blind_of(SECRET, start, "anna"),
            entry=link.number,
        )


def totals(lines: tuple[Line, ...], corrections: tuple[Correction, ...], movements: tuple[Movement, ...]) -> Totals:
    """Add up."""
    energy: list[Any] = [*lines, *corrections]
    return Totals(
        net_wh=sum(item.net_wh for item in energy),
        local_wh=sum(item.local_wh for item in energy),
        grid_wh=sum(item.grid_wh for item in energy),
        direct_wh=0,
        points_micro=sum(line.points_micro for line in lines),
        corrections_micro=sum(item.points_micro for item in corrections),
        movements_micro=sum(item.points_micro for item in movements),
        fees_micro=sum(item.fee_micro for item in movements),
        rewards_micro=sum(item.points_micro for item in movements if item.kind == "v2g-reward"),
    )


def proven(item: Booked, tree: Any) -> ProvenEntry:
    """Return an entry as Anna may see it, under the day's root."""
    index = item.link.number - 1
    own = item.link.cause == "purchase:p1" or item.link.cause.startswith("v2g-")
    return ProvenEntry(
        public=public(item.link),
        document=item.document.decode(),
        day=DAY,
        index=index,
        path=tuple(sibling.hex() for sibling in path(tree, index)),
        postings=tuple((leg.account, leg.amount_micro) for leg in item.link.postings) if own else None,
        salt=item.link.salt if own else None,
    )


def batch_hash(at: int) -> str:
    """Return the hash of the batch that the house signed for an interval."""
    return digest(f"batch {at}".encode())


def own() -> Own:
    """Return what the house holds, measured and promised before anybody settled."""
    starts = {at: DAY + at * HALF_HOUR for at in range(len(NETS))}
    return Own(
        site="house",
        community="lane",
        owner="anna",
        intervals={
            start: OwnInterval(start, HALF_HOUR, NETS[at]["anna"], (1, at + 1, batch_hash(at)))
            for at, start in starts.items()
        },
        promised={start: Promised(20_000, 30_000, 8_000) for start in starts.values()},
    )


def kept(scribe: Scribe | None = None, **changes: Any) -> Kept:
    """Return what the house keeps of a statement."""
    page, root = (scribe or Scribe()).statement()
    return Kept(replace(page, **changes), (root,))


def nothing(query: Mapping[str, str], community: str = "c") -> dict[str, Any]:
    """Return a sound statement of a time in which nothing happened."""
    none = Statement(community, query["owner"], 0, 1, 0, 0, totals((), (), ()), 0, ())
    return none.plain() | {"from": query["from"], "to": query["to"]}
