"""A statement with proof, from a signed batch to a site that verifies it from its own records alone."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
import pytest
from sqlalchemy import Connection, update

from cloud.ledger.evidence.store import entry_evidence_table
from cloud.ledger.root.job import seal
from cloud.notice.kind import STATEMENT
from cloud.notice.store import notice_table, tell_statement_ready
from cloud.settlement.job import settle
from cloud.settlement.proof import pages
from cloud.settlement.proof.pages import LINES_MAX, Weight, end_of
from cloud.settlement.store import settled_owner_interval_table
from cloud.wire import compact_parts, digest, from_base64url, time_text
from custom_components.commonwatt.verify import Kept, Own, OwnInterval, Promised, Report, verify
from custom_components.commonwatt.wire.statement_reader import parse_statement

from .booked import DAY, book
from .conftest import COMMUNITY, INTERVAL, NOON, Site, verified

PRICES = {"local": "20", "grid_buy": "30", "grid_sell": "8"}
COUNT = 4
START = NOON - COUNT * INTERVAL
MIDNIGHT = NOON - NOON % DAY
NETS = {"anna": 700 - 300 + 450, "ben": 300, "sun": -450}  # what TREE's taps come to in each interval


@pytest.fixture
async def settled(site: Site) -> Site:
    """Let the site's four intervals be settled; Anna has bought points in between."""
    cloud = site.cloud
    assert (await cloud.operator("PUT", f"{COMMUNITY}/tariffs/{time_text(0)}", PRICES)).status < 300
    for raw in site.chain(COUNT, start=START):
        assert (await site.post(raw)).json["result"] == "created"
    await settle(cloud.database, NOON)  # the cloud's own job may have been first
    await cloud.database.write(book, START + INTERVAL + 7, "v1", 40_000_000, community=COMMUNITY, kind="voucher")
    return site


@pytest.fixture
async def sealed(settled: Site) -> Site:
    """Let the day be sealed."""
    made = await seal(settled.cloud.database, settled.cloud.key.sign_compact, MIDNIGHT + DAY + 60, tell_statement_ready)
    assert made == 1
    return settled


def day_of(**more: str) -> str:
    """Return the query of the day's statement."""
    query = {"from": time_text(MIDNIGHT), "to": time_text(MIDNIGHT + DAY)} | more
    return "&".join(f"{name}={value}" for name, value in query.items())


def own_of(site: Site, owner: str = "anna") -> Own:
    """Return what the site holds of these intervals."""
    batches = site.chain(COUNT, start=START)
    starts = range(START, NOON, INTERVAL)
    return Own(
        site=site.site,
        community=COMMUNITY,
        owner=owner,
        intervals={
            start: OwnInterval(start, INTERVAL, NETS[owner], (1, number, digest(raw)))
            for number, (start, raw) in enumerate(zip(starts, batches, strict=True), 1)
        },
        promised={start: Promised(20_000, 30_000, 8_000) for start in starts},
    )


def kept_of(site: Site, raw: bytes) -> Kept:
    """Return what a site keeps of an answer; the roots' signatures are the cloud's."""
    page = parse_statement(raw)
    payloads = []
    for signed in page.roots:
        _, payload, covered, proof = compact_parts(signed)
        key = Ed25519PublicKey.from_public_bytes(from_base64url(site.cloud.key.public_key, "key"))
        key.verify(proof, covered)
        payloads.append(payload)
    return Kept(page, tuple(payloads))


async def fetched(site: Site, owner: str = "anna") -> tuple[Kept, Report]:
    """Fetch the day's statement as the site does, and verify it."""
    reply = await site.get(f"statement?{day_of(owner=owner, proof='true')}")
    assert reply.status == 200, reply.json
    verified(site.cloud, reply)
    kept = kept_of(site, reply.raw)
    return kept, verify([kept], own_of(site, owner))


@pytest.mark.parametrize("owner", ["anna", "ben", "sun"])
async def test_the_site_verifies_what_the_cloud_settled(sealed: Site, owner: str) -> None:
    """Each owner with a tap there: energy, prices, share, entries, roots, sums; nothing is left without a witness."""
    kept, report = await fetched(sealed, owner)
    assert report.altered == ()
    assert report.unwitnessed == ()
    assert report.verified
    assert report.lines == COUNT
    assert kept.page.sites == (sealed.site,)
    assert kept.page.totals.net_wh == COUNT * NETS[owner]


async def test_a_purchase_stands_in_the_statement(sealed: Site) -> None:
    """With its cause, its entry's postings, and within the sums."""
    kept, _ = await fetched(sealed)
    (movement,) = kept.page.movements
    assert (movement.kind, movement.cause, movement.points_micro) == ("voucher", "voucher:v1", 40_000_000)
    page = kept.page
    assert page.closing_micro == page.totals.points_micro + 40_000_000
    (entry,) = (item for item in page.entries if item.public["number"] == movement.entry)
    assert entry.postings == (("owner:anna", 40_000_000), ("voucher", -40_000_000))


async def test_nobody_elses_name_is_in_a_statement(sealed: Site) -> None:
    """Neither in the documents nor anywhere else."""
    reply = await sealed.get(f"statement?{day_of(owner='ben', proof='true')}")
    assert b'"ben"' in reply.raw
    for other in (b"anna", b"sun"):
        assert other not in reply.raw


async def test_before_its_day_is_sealed_an_entry_has_no_place_yet(settled: Site) -> None:
    """All else is verified already; which entries wait is said."""
    kept, report = await fetched(settled)
    assert report.verified
    assert kept.page.roots == ()
    assert {item.what.partition(": ")[2] for item in report.unwitnessed} == {"its day has no root yet"}


def line_of(start: int, **values: int) -> Any:
    """Return what changes a settled row behind the program's back."""

    def change(conn: Connection) -> None:
        where = {"community": COMMUNITY, "start": start, "owner": "anna"}
        conn.execute(update(settled_owner_interval_table).filter_by(**where).values(**values))

    return change


@pytest.mark.parametrize(
    ("values", "what"),
    [
        ({"net_wh": 851, "grid_wh": 518}, "net_wh"),
        ({"grid_micro_per_wh": 30_001}, "grid_micro_per_wh"),
        ({"local_micro_per_wh": 19_999}, "local_micro_per_wh"),
        ({"local_wh": 332, "grid_wh": 518}, "local_wh"),
    ],
)
async def test_a_row_altered_in_the_cloud_is_named_by_the_site(
    sealed: Site, values: Mapping[str, int], what: str
) -> None:
    """One Wh or one price: the line, what of it, and both values."""
    start = START + INTERVAL
    await sealed.cloud.database.write(line_of(start, **values))
    _, report = await fetched(sealed)
    assert not report.verified
    assert {item.start for item in report.altered} <= {start, None}
    assert (start, what) in {(item.start, item.what) for item in report.altered}


async def test_a_document_altered_in_the_cloud_is_named_by_the_site(sealed: Site) -> None:
    """Though it is only another owner's Wh."""

    def change(conn: Connection) -> None:
        row = conn.execute(entry_evidence_table.select().filter_by(community=COMMUNITY, number=2)).one()
        raw = row.raw.replace(b",300,", b",301,")
        assert raw != row.raw
        conn.execute(update(entry_evidence_table).filter_by(community=COMMUNITY, number=2).values(raw=raw))

    await sealed.cloud.database.write(change)
    _, report = await fetched(sealed, "sun")
    assert (START + INTERVAL, "entry 2, document") in {(item.start, item.what) for item in report.altered}


async def test_pages_follow_from_one_another(sealed: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """However small they are, each is whole in itself and begins with the balance that the last one ended with."""
    whole, _ = await fetched(sealed)
    monkeypatch.setattr(pages, "PROOF_BYTES_MAX", 6000)
    found: list[Kept] = []
    start: str | None = time_text(MIDNIGHT)
    while start is not None:
        query = f"owner=anna&from={start}&to={time_text(MIDNIGHT + DAY)}&proof=true"
        reply = await sealed.get(f"statement?{query}")
        found.append(kept_of(sealed, reply.raw))
        start = reply.json["next"]
    assert len(found) > 2
    assert verify(found, own_of(sealed)).altered == ()
    assert tuple(line for item in found for line in item.page.lines) == whole.page.lines
    assert found[-1].page.closing_micro == whole.page.closing_micro


@pytest.mark.parametrize("proof", [True, False])
def test_a_page_holds_one_instant_at_least(proof: bool) -> None:
    """And ends where the next would be too much, never within an instant."""
    big = [Weight(at, 300_000) for at in (5, 5, 5, 9, 12)]
    assert end_of(0, 100, 1, big, proof=proof) == (9 if proof else 100)
    assert end_of(5, 100, 1, big, proof=proof) == (9 if proof else 100)
    many = [Weight(at, 0) for at in range(LINES_MAX + 10)]
    assert end_of(0, 10_000, 1, many, proof=False) == LINES_MAX
    assert end_of(0, 10_000, 1, [], proof=proof) == LINES_MAX
    assert end_of(0, 10, 1, [], proof=proof) == 10


async def test_a_site_reads_no_statement_of_strangers(sealed: Site) -> None:
    """Only of owners who had a tap there in that time; of its main owner always."""
    cloud = sealed.cloud
    assert (await cloud.operator("PUT", f"{COMMUNITY}/owners/cleo", {"name": "Cleo"})).status == 200
    for owner in ("cleo", "nobody"):
        reply = await sealed.get(f"statement?{day_of(owner=owner)}")
        assert (reply.status, reply.problem) == (403, "forbidden")
    long_ago = f"from={time_text(0)}&to={time_text(DAY)}"
    assert (await sealed.get(f"statement?owner=ben&{long_ago}")).status == 403
    assert (await sealed.get(f"statement?{long_ago}")).json["owner"] == "anna"
    assert (await sealed.get("statement?owner=..")).problem == "malformed"


async def test_the_owners_own_statement_is_the_same(sealed: Site) -> None:
    """Asked by staff, with or without proof."""
    path = f"{COMMUNITY}/owners/anna/statement?{day_of()}"
    plain = (await sealed.cloud.operator("GET", path)).json
    proven = (await sealed.cloud.operator("GET", f"{path}&proof=true")).json
    assert plain["lines"] == proven["lines"]
    assert (plain["entries"], plain["roots"]) == ([], [])
    assert len(proven["entries"]) == COUNT + 1
    assert len(proven["roots"]) == 1


async def test_sites_hear_that_a_day_is_sealed(sealed: Site) -> None:
    """Once for each day: then its statement can be verified whole."""
    rows = await sealed.cloud.rows(notice_table, kind=STATEMENT)
    assert [row.site for row in rows] == [sealed.site]


@pytest.fixture
async def barn(site: Site) -> Site:
    """Add a second site with the same owners' taps; nobody has reported yet."""
    assert (await site.cloud.operator("PUT", f"{COMMUNITY}/tariffs/{time_text(0)}", PRICES)).status < 300
    barn = await site.cloud.join()
    assert (await barn.put_tree(valid_from=START)).status == 201
    return barn


async def test_what_other_sites_measured_is_told_apart(site: Site, barn: Site) -> None:
    """Each site verifies its own part of an owner's energy, and says that there is another."""
    for each in (site, barn):
        for raw in each.chain(COUNT, start=START):
            assert (await each.post(raw)).json["result"] == "created"
    await settle(site.cloud.database, NOON)
    for each in (site, barn):
        kept, report = await fetched(each)
        assert report.altered == ()
        assert {item.what for item in report.unwitnessed} >= {"part of the energy was measured at other sites"}
        assert [line.elsewhere_wh for line in kept.page.lines] == [NETS["anna"]] * COUNT
        assert [line.net_wh for line in kept.page.lines] == [2 * NETS["anna"]] * COUNT
        assert kept.page.sites == tuple(sorted((site.site, barn.site)))


async def test_a_correction_is_verified_by_what_stood_before(site: Site, barn: Site) -> None:
    """The barn reports after the grace time: the differences are booked later, with the documents of both states."""
    for raw in site.chain(COUNT, start=START):
        await site.post(raw)
    late = NOON + 2 * DAY
    site.cloud.clock.ms = late * 1000
    await settle(site.cloud.database, late)
    for each in (site, barn):
        each.token = await site.cloud.token(each.site, each.secret)
    for raw in barn.chain(COUNT, start=START):
        assert (await barn.post(raw)).json["result"] == "created"
    await settle(site.cloud.database, late + INTERVAL)
    query = f"owner=anna&from={time_text(MIDNIGHT)}&to={time_text(MIDNIGHT + 4 * DAY)}&proof=true"
    reply = await site.get(f"statement?{query}")
    kept = kept_of(site, reply.raw)
    assert [item.revision for item in kept.page.corrections] == [1] * COUNT
    assert {item.net_wh for item in kept.page.corrections} == {NETS["anna"]}
    assert all(item.booked_at >= MIDNIGHT + DAY for item in kept.page.corrections)
    report = verify([kept], own_of(site))
    assert report.altered == ()
    page = kept.page
    lie = replace(page.corrections[1], net_wh=page.corrections[1].net_wh + 1)
    wrong = replace(page, corrections=(page.corrections[0], lie, *page.corrections[2:]))
    told = verify([replace(kept, page=wrong)], own_of(site)).altered
    assert (START + INTERVAL, "net_wh") in {(item.start, item.what) for item in told}
    only_later = f"owner=anna&from={time_text(NOON + DAY)}&to={time_text(MIDNIGHT + 4 * DAY)}&proof=true"
    kept = kept_of(site, (await site.get(f"statement?{only_later}")).raw)
    assert (kept.page.lines, len(kept.page.corrections), len(kept.page.entries)) == ((), COUNT, 2 * COUNT)
    assert verify([kept], own_of(site)).altered == ()
