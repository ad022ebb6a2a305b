"""The audit: what nobody touched is sound, whatever hand is laid on it shows, and no check is there in vain."""

import asyncio
from collections.abc import Callable, Iterable
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial
import logging
from pathlib import Path
import shutil

import pytest
from sqlalchemy import Connection, create_engine, text

from cloud.__main__ import main
from cloud.config import Config
from cloud.database import Database, bucket_of
from cloud.ledger import store as ledger
from cloud.ledger.chain import Link, hash_of
from cloud.ledger.posting import Posting
from cloud.ledger.store import entry_table, posting_table
from cloud.settlement.audit.finding import CHECKS, Check, Finding, Report
from cloud.settlement.audit.rows import store as rows
from cloud.settlement.audit.store import audit
from cloud.settlement.job import settle
from cloud.sites.store import community_of
from cloud.wire import GENESIS, digest

from .audited import COUNT, END, come_late, live
from .conftest import Databases
from .ground import HALF_HOUR, NOON

NOW = END + 2 * 86_400  # beyond the grace time
SECOND = NOON + HALF_HOUR


@pytest.fixture
def lived(config: Config, databases: Databases | None, new_cloud: Path) -> Config:
    """Make a cloud with a community that has lived and is settled; what came late is corrected. It lived only once."""
    if databases is not None:
        databases.renew(config.database_url, "lived", partial(_live, config))
        return config
    kept, own = new_cloud / "lived.db", config.key_file.with_name("cloud.db")
    if kept.exists():
        shutil.copy(kept, own)
    else:
        _live(config)
        shutil.copy(own, kept)
    return config


def _live(config: Config) -> None:
    async def settled() -> None:
        database = Database(config.database_url)
        await database.write(live)
        assert await settle(database, NOW) == COUNT
        await database.write(come_late, NOW)
        assert await settle(database, NOW) == 2
        database.dispose()

    asyncio.run(settled())


def audited(config: Config, checks: Iterable[Check] = CHECKS) -> tuple[list[Finding], Report]:
    """Audit the community with some of the checks."""

    def look(conn: Connection) -> tuple[list[Finding], Report]:
        community, findings = community_of(conn, "lane"), list[Finding]()
        assert community is not None
        report = audit(conn, community, rows.totals(conn, "lane")["lane"], findings.append, frozenset(checks))
        return findings, report

    database = Database(config.database_url)
    try:
        return asyncio.run(database.read(look))
    finally:
        database.dispose()


def command(config: Config, *options: str) -> int:
    """Run the command as a person would."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("COMMONWATT_DATABASE_URL", config.database_url)
        patch.setattr(logging.root, "handlers", [])  # the command puts its own there
        patch.setattr(logging.root, "level", logging.root.level)
        return main(["audit", *options])


def touch(config: Config, hand: Callable[[Connection], None]) -> None:
    """Lay a hand on the database that no constraint between tables holds back."""
    engine = create_engine(config.database_url.replace("postgresql:", "postgresql+psycopg:"))
    with engine.begin() as conn:
        if engine.dialect.name == "postgresql":
            conn.execute(text("SET LOCAL session_replication_role = replica"))
        hand(conn)
    engine.dispose()


def test_a_community_that_lived_is_sound(lived: Config, capsys: pytest.CaptureFixture[str]) -> None:
    """Gaps, resets, an island, two tariffs, a silent owner and late data are no findings; late data are noted."""
    assert command(lived) == 0
    line = capsys.readouterr().out.strip()
    assert line.startswith("lane: sound; 6 intervals, 2 corrections, 8 entries, ")
    assert "9 batches, 37 readings" in line
    assert "late" not in line


def test_each_community_has_its_line_and_one_can_be_asked_for(
    lived: Config, capsys: pytest.CaptureFixture[str]
) -> None:
    """One unsound community is enough for the whole audit to say so."""
    touch(
        lived,
        sql(
            "INSERT INTO community SELECT :bucket, 'road', name, time_zone, interval_seconds, cycle_seconds,"
            " grace_seconds, currency, points_per_unit, created_at FROM community",
            bucket=bucket_of("road"),
        ),
    )
    touch(lived, sql("UPDATE ledger_head SET number = 5"))
    assert command(lived) == 1
    assert [line.partition(";")[0] for line in capsys.readouterr().out.splitlines()][-2:] == [
        "lane: 1 findings",
        "road: sound",
    ]
    assert command(lived, "--community", "road") == 0


def test_an_audit_that_cannot_look_says_so(config: Config, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """No database, no tables or no such community is neither sound nor unsound; nothing is made on the way."""
    gone, bare, torn = (tmp_path / name for name in ("gone.db", "bare.db", "torn.db"))
    bare.touch()
    torn.write_bytes(b"SQLite format 3\0" + b"\x07" * 8000)
    for file, said in ((gone, "no database"), (bare, "migrate"), (torn, "the database failed")):
        assert command(replace(config, database_url=f"sqlite:///{file}")) == 2
        assert said in capsys.readouterr().err
    assert not gone.exists()
    assert command(config, "--community", "nowhere") == 2


def test_an_audit_writes_nothing(lived: Config) -> None:
    """A settling cloud holds it up no more than it holds up the cloud: both work at the same time."""
    writer = Database(lived.database_url)
    with closing(writer.engine.connect()) as busy:
        busy.execute(text("UPDATE community SET name = 'Lane' WHERE community = 'lane'"))
        assert command(lived) == 0
    writer.dispose()


@dataclass(frozen=True)
class Hand:
    """A hand laid on the database, the row an audit must name, and the checks that see it."""

    what: str
    lay: Callable[[Connection], None]
    named: str
    seen_by: frozenset[Check]


def sql(statement: str, **values: object) -> Callable[[Connection], None]:
    """Run one statement that changes something."""

    def lay(conn: Connection) -> None:
        assert conn.execute(text(statement), values).rowcount > 0

    return lay


def both(*hands: Callable[[Connection], None]) -> Callable[[Connection], None]:
    """Lay one hand after another."""

    def lay(conn: Connection) -> None:
        for hand in hands:
            hand(conn)

    return lay


def swap(conn: Connection) -> None:
    """Give entries 2 and 3 each other's number."""
    for table in ("entry", "posting"):
        for old, new in ((2, 102), (3, 2), (102, 3)):
            sql(f"UPDATE {table} SET number = {new} WHERE number = {old}")(conn)


def raw_changed(old: bytes, new: bytes, *, hashed: bool = False) -> Callable[[Connection], None]:
    """Change bytes of the house's first batch, and the hash too if whoever does it is thorough."""

    def lay(conn: Connection) -> None:
        where = "WHERE site = 'house' AND seq = 1"
        raw = bytes(conn.execute(text(f"SELECT raw FROM batch {where}")).scalar_one())
        assert raw.count(old) >= 1
        changed = raw.replace(old, new, 1)
        conn.execute(text(f"UPDATE batch SET raw = :raw {where}"), {"raw": changed})
        if hashed:
            conn.execute(text(f"UPDATE batch SET hash = :hash {where}"), {"hash": digest(changed)})

    return lay


def forge(cause: str, *amounts: int) -> Callable[[Connection], None]:
    """Add entries that move amounts from nowhere, with hashes, head and balance as they must be."""

    def lay(conn: Connection) -> None:
        for place, amount in enumerate(amounts):
            head = ledger.head_of(conn, "lane")
            balanced = [Posting("grid", -amount), Posting("owner:ben", amount)]
            legs = tuple(balanced if len(amounts) == 1 else balanced[1:])
            link = Link(head.number + 1, head.hash, "", "lane", f"{cause}{place}", NOON, NOW, GENESIS, legs)
            link = replace(link, hash=hash_of(link))
            owned = {"bucket": bucket_of("lane"), "community": "lane", "number": link.number}
            names = ("cause", "valued_at", "made_at", "evidence", "prev_hash", "hash")
            conn.execute(entry_table.insert().values(owned | {name: getattr(link, name) for name in names}))
            for leg in legs:
                conn.execute(
                    posting_table.insert().values(owned | {"account": leg.account, "amount_micro": leg.amount_micro})
                )
                move = "UPDATE account SET balance_micro = balance_micro + :by WHERE account = :account"
                sql(move, by=leg.amount_micro, account=leg.account)(conn)
            sql("UPDATE ledger_head SET number = :n, hash = :h", n=link.number, h=link.hash)(conn)

    return lay


def last_taken_back(conn: Connection) -> None:
    """Remove the newest entry so that the ledger by itself is sound."""
    newest = "(SELECT max(number) FROM entry)"
    back = f"(SELECT amount_micro FROM posting WHERE posting.account = account.account AND number = {newest})"
    sql(f"UPDATE account SET balance_micro = balance_micro - coalesce({back}, 0)")(conn)
    sql(f"UPDATE ledger_head SET number = number - 1, hash = (SELECT prev_hash FROM entry WHERE number = {newest})")(
        conn
    )
    sql(f"DELETE FROM posting WHERE number = {newest}")(conn)
    sql(f"DELETE FROM entry WHERE number = {newest}")(conn)


def hand(what: str, lay: Callable[[Connection], None], named: str, *seen_by: Check) -> Hand:
    """Make a hand."""
    return Hand(what, lay, named, frozenset(seen_by))


EV = f"start = {SECOND - HALF_HOUR} AND site = 'house' AND tap = 'ev'"
BEN = f"start = {NOON} AND owner = 'ben'"
READING = f"reading(start={NOON}, site=house, tap=ev)"
PART = f"settled_owner_interval(start={NOON}, owner=ben)"
BATCH = "batch(site=house, epoch=1, seq=1)"
COPY_PART = (
    "INSERT INTO settled_owner_interval (bucket, community, start, owner, net_wh, local_wh, grid_wh, points_micro,"
    " quality) SELECT {}, owner, {}, points_micro, quality"
    f" FROM settled_owner_interval WHERE {BEN}"
)

HANDS = [
    hand(
        "a posting",
        sql("UPDATE posting SET amount_micro = amount_micro + 1 WHERE number = 2 AND account = 'grid'"),
        "posting(number=2, account=grid) amount_micro",
        "chain",
        "postings",
        "balances",
        "intervals",
        "sums",
    ),
    hand(
        "a balance",
        sql("UPDATE account SET balance_micro = balance_micro + 7 WHERE account = 'owner:ben'"),
        "account(account=owner:ben) balance_micro",
        "balances",
    ),
    hand(
        "a reading's energy",
        sql(f"UPDATE reading SET import_wh = 300 WHERE {EV}"),
        f"{READING} import_wh: stored 300, recomputed 299",
        "readings",
        "intervals",
    ),
    hand(
        "a reading's register",
        sql(f"UPDATE reading SET import_register_wh = 1 WHERE {EV}"),
        f"{READING} import_register_wh: stored 1, recomputed 10299",
        "readings",
    ),
    hand(
        "a reading's owner",
        sql(f"UPDATE reading SET owner = 'sun' WHERE {EV}"),
        f"{READING} owner: stored sun, recomputed ben",
        "readings",
        "intervals",
    ),
    hand(
        "a reading's quality",
        sql(f"UPDATE reading SET quality = 'estimated' WHERE {EV}"),
        f"{READING} quality: stored estimated, recomputed ok",
        "readings",
        "intervals",
    ),
    hand(
        "a reading's island",
        sql("UPDATE reading SET island = 0 WHERE tap = 'lone' AND start = :s", s=NOON),
        f"reading(start={NOON}, site=shed, tap=lone) island: stored False, recomputed True",
        "readings",
        "intervals",
    ),
    hand(
        "a reading removed",
        sql(f"DELETE FROM reading WHERE {EV}"),
        f"{READING} row: stored no row",
        "readings",
        "intervals",
    ),
    hand(
        "a reading added",
        sql(f"UPDATE reading SET tap = 'spare' WHERE {EV}"),
        f"reading(start={NOON}, site=house, tap=spare) row: stored of batch 1/1",
        "readings",
    ),
    hand("a raw byte", raw_changed(b'made_at":"2026', b'made_at":"2025'), f"{BATCH} hash", "readings"),
    hand(
        "a raw byte and its hash",
        raw_changed(b"[299,", b"[298,", hashed=True),
        f"{BATCH} signature",
        "readings",
        "intervals",
    ),
    hand("raw bytes nobody can read", raw_changed(b"{", b"x"), f"{BATCH} raw: stored cannot be read", "readings"),
    hand(
        "a signature",
        sql("UPDATE batch SET signature = replace(signature, '..', '..A') WHERE site = 'house' AND seq = 1"),
        f"{BATCH} signature",
        "readings",
    ),
    hand(
        "a batch held after it was derived",
        sql("UPDATE batch SET state = 'held', reason = 'overlap' WHERE site = 'house' AND seq = 1"),
        f"{READING} row: stored of batch 1/1, recomputed no derived batch says so",
        "readings",
    ),
    hand(
        "a key put in place of the site's",
        sql(
            "UPDATE site_key SET public_key = (SELECT max(public_key) FROM site_key"
            " WHERE site = 'shed') WHERE site = 'house'"
        ),
        f"{BATCH} signature",
        "readings",
    ),
    hand(
        "a key revoked before",
        sql("UPDATE site_key SET revoked_at = :at WHERE site = 'house'", at=NOON),
        f"{BATCH} signature",
        "readings",
    ),
    hand(
        "a tree",
        sql("UPDATE tree SET signature = replace(signature, '..', '..A') WHERE site = 'house'"),
        "tree(site=house, rev=1) signature",
        "readings",
    ),
    hand(
        "an owner's quality",
        sql(f"UPDATE settled_owner_interval SET quality = 'missing' WHERE {BEN}"),
        f"{PART} quality: stored missing, recomputed ok",
        "intervals",
    ),
    hand(
        "an owner's share",
        sql(f"UPDATE settled_owner_interval SET local_wh = local_wh + 1, grid_wh = grid_wh - 1 WHERE {BEN}"),
        f"{PART} local_wh",
        "intervals",
        "sums",
    ),
    hand(
        "an owner's row removed",
        sql("DELETE FROM settled_owner_interval WHERE start = :s AND owner = 'cleo'", s=END - HALF_HOUR),
        f"settled_owner_interval(start={END - HALF_HOUR}, owner=cleo) row: stored no row",
        "intervals",
    ),
    hand(
        "an owner's row of no interval",
        sql(COPY_PART.format("bucket, community, 1800", "0, 0, 0")),
        "settled_owner_interval(start=1800, owner=ben) row",
        "intervals",
    ),
    hand(
        "an owner's row out of sight",
        sql(COPY_PART.format("bucket + 1, community, start", "net_wh, local_wh, grid_wh")),
        "settled_owner_interval() sum(net_wh)",
        "sums",
    ),
    hand(
        "an interval's grid energy",
        sql(f"UPDATE settled_interval SET grid_wh = grid_wh + 1 WHERE start = {NOON}"),
        f"settled_interval(start={NOON}) grid_wh",
        "intervals",
        "sums",
    ),
    hand(
        "the price an owner was settled by",
        sql(f"UPDATE settled_owner_interval SET grid_micro_per_wh = 1 WHERE {BEN}"),
        f"{PART} grid_micro_per_wh: stored 1, recomputed 30000",
        "intervals",
    ),
    hand(
        "an owner's blinded name",
        sql(f"UPDATE settled_owner_interval SET blind = 'another' WHERE {BEN}"),
        f"{PART} blind: stored another",
        "intervals",
    ),
    hand(
        "what an interval was settled from",
        sql("DELETE FROM entry_evidence WHERE number = 1"),
        "entry_evidence(number=1) row: stored no row",
        "intervals",
    ),
    hand(
        "what a correction changed",
        sql(f"UPDATE settled_owner_correction SET points_micro = points_micro + 1 WHERE {BEN}"),
        f"settled_owner_correction(start={NOON}, revision=1, owner=ben) points_micro",
        "intervals",
    ),
    hand(
        "what a correction changed for the grid",
        sql(f"UPDATE settled_correction SET grid_wh = grid_wh - 1 WHERE start = {NOON}"),
        f"settled_correction(start={NOON}, revision=1) grid_wh",
        "intervals",
        "sums",
    ),
    hand(
        "when a correction was booked",
        sql(f"UPDATE settled_correction SET booked_at = booked_at - 1800 WHERE start = {NOON}"),
        f"settled_correction(start={NOON}, revision=1) valued_at",
        "intervals",
    ),
    hand(
        "an owner's part of a correction removed",
        sql(f"DELETE FROM settled_owner_correction WHERE {BEN}"),
        f"settled_owner_correction(start={NOON}, revision=1, owner=ben) row: stored no row",
        "intervals",
        "sums",
    ),
    hand(
        "a correction removed",
        both(
            sql(f"DELETE FROM settled_owner_correction WHERE start = {NOON}"),
            sql(f"DELETE FROM settled_correction WHERE start = {NOON}"),
        ),
        "row: stored energy:2026-11-21T12:00:00Z:1, recomputed no row",
        "intervals",
    ),
    hand(
        "an interval's evidence",
        sql(f"UPDATE settled_interval SET evidence = :e WHERE start = {NOON}", e=GENESIS),
        f"settled_interval(start={NOON}) evidence: stored {GENESIS}",
        "intervals",
    ),
    hand(
        "a site nobody waited for",
        sql("DELETE FROM settled_without"),
        f"settled_interval(start={END - HALF_HOUR}) ",
        "intervals",
    ),
    hand(
        "a price after use",
        sql("UPDATE tariff SET grid_buy_micro_per_wh = 30001 WHERE valid_from = 0"),
        "tariff(owner=, valid_from=0) prices",
        "intervals",
    ),
    hand(
        "a price's text after use",
        sql("UPDATE tariff SET grid_buy_text = '31' WHERE valid_from = 0"),
        "tariff(owner=, valid_from=0) prices",
        "intervals",
    ),
    hand(
        "a price and its text after use",
        sql("UPDATE tariff SET grid_buy_text = '31', grid_buy_micro_per_wh = 31000 WHERE valid_from = 0"),
        f"settled_interval(start={NOON}) evidence",
        "intervals",
    ),
    hand(
        "a tariff put between",
        sql(
            "INSERT INTO tariff (bucket, community, owner, valid_from, kind, local_text, grid_buy_text, grid_sell_text,"
            " local_micro_per_wh, grid_buy_micro_per_wh, grid_sell_micro_per_wh, made_at) SELECT bucket, community,"
            " owner, :s, kind, local_text, '31', grid_sell_text, local_micro_per_wh, 31000, grid_sell_micro_per_wh,"
            " made_at FROM tariff WHERE valid_from = 0",
            s=SECOND,
        ),
        f"settled_owner_interval(start={SECOND + HALF_HOUR}, owner=ben) grid_micro_per_wh: stored 30000",
        "intervals",
    ),
    hand(
        "an entry removed",
        both(sql("DELETE FROM posting WHERE number = 3"), sql("DELETE FROM entry WHERE number = 3")),
        "entry(number=3) row: stored no row, recomputed entry 3",
        "chain",
        "balances",
        "intervals",
    ),
    hand("the newest entry taken back", last_taken_back, "entry(number=8) row: stored no row", "intervals"),
    hand("two entries swapped", swap, "entry(number=2) hash", "chain", "intervals"),
    hand(
        "an entry's time",
        sql("UPDATE entry SET made_at = made_at - 1 WHERE number = 4"),
        "entry(number=4) hash",
        "chain",
    ),
    hand(
        "the head's number",
        sql("UPDATE ledger_head SET number = number + 1"),
        "ledger_head() number: stored 9, recomputed 8",
        "chain",
    ),
    hand(
        "the head's hash",
        sql("UPDATE ledger_head SET hash = :h", h=GENESIS),
        f"ledger_head() hash: stored {GENESIS}",
        "chain",
    ),
    hand(
        "an energy entry of no interval",
        forge("energy:again", 5),
        "entry(number=9) row: stored energy:again0",
        "intervals",
    ),
    hand(
        "points from nowhere and back",
        forge("gift:", 5, -5),
        "posting(number=9) sum(amount_micro): stored 5",
        "postings",
    ),
]


@pytest.mark.parametrize("hand", HANDS, ids=lambda hand: hand.what)
def test_whatever_hand_is_laid_on_it_shows(lived: Config, hand: Hand, capsys: pytest.CaptureFixture[str]) -> None:
    """The audit ends with 1 and names the row; by the checks said to see it and by no other."""
    touch(lived, hand.lay)
    assert command(lived) == 1
    assert hand.named in capsys.readouterr().out
    assert {finding.place.check for finding in audited(lived)[0]} == hand.seen_by
    assert audited(lived, CHECKS - hand.seen_by)[0] == []


@pytest.mark.parametrize("check", sorted(CHECKS))
def test_no_check_is_there_in_vain(check: Check) -> None:
    """For each there is a hand that, by the test above, the audit without it would not see."""
    assert any(hand.seen_by == {check} for hand in HANDS)
