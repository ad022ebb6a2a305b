"""A mirror copies what it was told first, signs what follows from it, and stops at the entry that was rewritten."""

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path
import subprocess
import sys
from typing import Any

import aiohttp
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
import pytest
from sqlalchemy import Connection, select

from cloud.database import Database
from cloud.errors import Unavailable
from cloud.ledger.chain import hash_of
from cloud.ledger.evidence.store import entry_evidence_table
from cloud.ledger.root.job import seal
from cloud.ledger.root.store import countersignature_table, day_root_table, root_of
from cloud.ledger.store import entry_table, ledger_head_table, links, posting_table
from cloud.mirror import store as mirror_store
from cloud.mirror.client import CloudReader
from cloud.mirror.copy import Rewritten
from cloud.mirror.job import InStep, Mirror, follow_for_ever
from cloud.principal import CloudKey
from cloud.wire import compact_parts, digest, from_base64url, to_bytes

from .booked import DAY, MIDNIGHT, book, book_days
from .conftest import Cloud

KEY = CloudKey(bytes([9]) * 32)
LANE = "/v1/communities/lane"
ROOT = Path(__file__).parents[2]


@pytest.fixture
async def ledger(cloud: Cloud) -> Cloud:
    """Give the cloud a community with three days of entries, sealed."""
    await cloud.database.write(book_days, 3)
    assert await seal(cloud.database, cloud.key.sign_compact, MIDNIGHT + 4 * DAY) == 3
    return cloud


def url_of(cloud: Cloud) -> str:
    """Return where the cloud answers."""
    return str(cloud.client.make_url("")).rstrip("/")


@pytest.fixture
async def mirror(ledger: Cloud, tmp_path: Path) -> AsyncIterator[Mirror]:
    """Mirror it over HTTP, into a file of its own."""
    database = Database(f"sqlite:///{tmp_path}/mirror.db")
    async with aiohttp.ClientSession() as session:
        reader = CloudReader(session, url_of(ledger), "lane", ("operator", ledger.operator_secret))
        yield Mirror(database, reader, KEY, "lane")
    database.dispose()


async def roots(cloud: Cloud) -> list[dict[str, Any]]:
    """Return the roots as everybody reads them."""
    found: list[dict[str, Any]] = (await cloud.call("GET", f"{LANE}/roots")).json["roots"]
    return found


async def test_a_mirror_copies_verifies_and_countersigns(ledger: Cloud, mirror: Mirror) -> None:
    """A second turn finds nothing new; what came meanwhile comes with the next."""
    first = await mirror.turn()
    assert isinstance(first, InStep)
    assert (first.head.number, first.added, first.roots, first.signed) == (9, 9, 3, 3)
    second = await mirror.turn(full=True)
    assert isinstance(second, InStep)
    assert (second.head, second.added, second.signed) == (first.head, 0, 0)
    await ledger.database.write(book, MIDNIGHT + 5 * DAY, "later", 70)
    await seal(ledger.database, ledger.key.sign_compact, MIDNIGHT + 7 * DAY)
    third = await mirror.turn()
    assert isinstance(third, InStep)
    assert (third.added, third.roots, third.signed) == (1, 4, 1)
    for item in await roots(ledger):
        (other,) = item["countersignatures"]
        kid, payload, signed, proof = compact_parts(other["signed"])
        Ed25519PublicKey.from_public_bytes(from_base64url(KEY.public_key, "key")).verify(proof, signed)
        assert (kid, payload) == (KEY.kid, compact_parts(item["signed"])[1])
    assert await mirror._database.read(mirror_store.balances) == {"owner:anna": 124, "voucher": -124}


async def test_a_ledger_of_many_pages_comes_whole(
    ledger: Cloud, mirror: Mirror, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever the size of a page, also the comparison's."""
    monkeypatch.setattr("cloud.mirror.client.ENTRIES_PAGE", 2)
    assert isinstance(await mirror.turn(), InStep)
    again = await mirror.turn(full=True)
    assert isinstance(again, InStep)
    assert again.head.number == 9


def alter_posting(conn: Connection) -> None:
    """Give Anna a point more, and the voucher account one less."""
    for account, amount in (("owner:anna", 6), ("voucher", -6)):
        conn.execute(posting_table.update().filter_by(number=4, account=account).values(amount_micro=amount))


def alter_document(conn: Connection) -> None:
    """Tell another reason for an entry."""
    conn.execute(entry_evidence_table.update().filter_by(number=4).values(raw=b'{"v":1,"voucher":"another"}'))


def rewrite(conn: Connection) -> None:
    """Write the whole chain anew from the fourth entry on, every hash as it must be: nothing in it contradicts."""
    alter_posting(conn)
    prev = links(conn, "lane", 2, 1)[0].hash
    for link in links(conn, "lane", 3):
        conn.execute(entry_table.update().filter_by(number=link.number).values(prev_hash=prev))
        (again,) = links(conn, "lane", link.number - 1, 1)
        prev = hash_of(again)
        conn.execute(entry_table.update().filter_by(number=link.number).values(hash=prev))
    conn.execute(ledger_head_table.update().filter_by(community="lane").values(hash=prev))


def cut(conn: Connection) -> None:
    """Forget the newest entry."""
    for table in (countersignature_table, day_root_table):
        conn.execute(table.delete().filter_by(day=MIDNIGHT + 2 * DAY))
    for table in (posting_table, entry_evidence_table, entry_table):
        conn.execute(table.delete().filter_by(number=9))
    (last,) = links(conn, "lane", 7, 1)
    conn.execute(ledger_head_table.update().filter_by(community="lane").values(number=8, hash=last.hash))


@pytest.mark.parametrize(
    ("change", "place"),
    [
        (alter_posting, "entry 4, postings"),
        (alter_document, "entry 4, document"),
        (rewrite, "entry 4, postings"),
        (cut, "entry 9"),
    ],
)
async def test_a_mirror_that_compares_all_names_the_entry_that_was_rewritten(
    ledger: Cloud, mirror: Mirror, change: Callable[[Connection], None], place: str
) -> None:
    """Whatever was changed behind it; nothing is signed from then on."""
    assert isinstance(await mirror.turn(), InStep)
    await ledger.database.write(change)
    found = await mirror.turn(full=True)
    assert isinstance(found, Rewritten)
    assert found.place == place


async def test_history_written_anew_is_noticed_without_comparing_all(ledger: Cloud, mirror: Mirror) -> None:
    """The chain no longer goes on from what we hold; the first entry that differs is named, and no root is signed."""
    assert isinstance(await mirror.turn(), InStep)
    await ledger.database.write(rewrite)
    await ledger.database.write(book, MIDNIGHT + 5 * DAY, "later")
    await seal(ledger.database, ledger.key.sign_compact, MIDNIGHT + 7 * DAY)
    found = await mirror.turn()
    assert isinstance(found, Rewritten)
    assert str(found) == (
        "entry 4, postings: the cloud says owner:anna +6, voucher -6, it must be owner:anna +5, voucher -5"
    )
    assert [len(item["countersignatures"]) for item in await roots(ledger)] == [1, 1, 1, 0]


async def test_a_ledger_that_does_not_hold_is_not_copied(ledger: Cloud, mirror: Mirror) -> None:
    """A mirror that comes new believes a cloud as little as an old one."""
    await ledger.database.write(alter_posting)
    found = await mirror.turn()
    assert isinstance(found, Rewritten)
    assert found.place == "entry 4, hash"
    assert all(item["countersignatures"] == [] for item in await roots(ledger))


@pytest.mark.parametrize("member", ["root", "previous", "first", "community"])
async def test_a_root_that_does_not_follow_is_not_signed(ledger: Cloud, mirror: Mirror, member: str) -> None:
    """Though the cloud signed it."""

    def sign_other(conn: Connection) -> None:
        kept = root_of(conn, "lane", MIDNIGHT + DAY)
        assert kept is not None
        values = {"root": digest(b"x"), "previous": digest(b"x"), "first": 5, "community": "row"}
        signed = ledger.key.sign_compact(to_bytes(kept.stands().plain() | {member: values[member]}))
        conn.execute(day_root_table.update().filter_by(day=kept.day).values(signed=signed))

    await ledger.database.write(sign_other)
    found = await mirror.turn()
    assert isinstance(found, Rewritten)
    assert found.place == f"root of 2026-11-22T00:00:00Z, {member}"
    assert all(item["countersignatures"] == [] for item in await roots(ledger))


async def test_a_root_signed_twice_otherwise_is_rewritten_history(ledger: Cloud, mirror: Mirror) -> None:
    """Even where the new one follows as well: what was published stands."""
    assert isinstance(await mirror.turn(), InStep)

    def resign(conn: Connection) -> None:
        kept = root_of(conn, "lane", MIDNIGHT)
        assert kept is not None
        signed = ledger.key.sign_compact(to_bytes(kept.stands().plain() | {"note": "x"}))
        conn.execute(day_root_table.update().filter_by(day=kept.day).values(signed=signed))

    await ledger.database.write(resign)
    found = await mirror.turn()
    assert isinstance(found, Rewritten)
    assert found.place == "root of 2026-11-21T00:00:00Z"


async def test_another_key_than_the_first_is_not_believed(ledger: Cloud, mirror: Mirror) -> None:
    """Given or learnt, the cloud's key is held to; roots by another one are no roots."""
    other = KEY.public_key
    assert isinstance(await mirror.turn(other), Rewritten)
    with pytest.raises(Unavailable, match="begun with"):
        await mirror.turn(ledger.key.public_key)


async def test_roots_of_another_key_are_no_roots(ledger: Cloud, mirror: Mirror) -> None:
    """Whoever holds the database but not the key cannot make any."""

    def forge(conn: Connection) -> None:
        signed = conn.execute(select(day_root_table.c.signed).filter_by(day=MIDNIGHT)).scalar_one()
        forged = KEY.sign_compact(compact_parts(signed)[1])
        conn.execute(day_root_table.update().filter_by(day=MIDNIGHT).values(signed=forged))

    await ledger.database.write(forge)
    found = await mirror.turn()
    assert isinstance(found, Rewritten)
    assert found.place == "a root"


async def test_a_file_mirrors_one_community(ledger: Cloud, mirror: Mirror) -> None:
    """Two ledgers in one file would contradict."""
    await mirror.turn()
    other = Mirror(mirror._database, mirror._cloud, KEY, "row")
    with pytest.raises(Unavailable, match="mirrors lane"):
        await other.turn()


async def test_a_cloud_out_of_reach_is_asked_again(ledger: Cloud, mirror: Mirror) -> None:
    """It goes on until history is rewritten."""
    told: list[InStep] = []
    async with aiohttp.ClientSession() as session:
        gone = CloudReader(session, "http://127.0.0.1:9", "lane", ("operator", "x"))
        with pytest.raises(Unavailable, match="cannot be reached"):
            await Mirror(mirror._database, gone, KEY, "lane").turn()
    assert isinstance(await mirror.turn(), InStep)
    await ledger.database.write(cut)
    found = await follow_for_ever(mirror, None, 0.01, told.append)
    assert isinstance(found, Rewritten)
    assert told == []


async def test_the_command_says_how_it_ended(ledger: Cloud, tmp_path: Path) -> None:
    """A process of its own: 0 in step, 1 rewritten, 2 cannot look; the secret is no argument."""

    async def mirrored(*more: str, secret: str = ledger.operator_secret) -> tuple[int, str]:
        command = [sys.executable, "-m", "cloud", "mirror", url_of(ledger), "--community", "lane"]
        command += ["--client", "operator", "--database", f"{tmp_path}/m.db", "--key-file", f"{tmp_path}/m.key", *more]
        done = await asyncio.to_thread(
            subprocess.run,
            command,
            cwd=ROOT,
            env={"COMMONWATT_MIRROR_SECRET": secret},
            capture_output=True,
            text=True,
            check=False,
        )
        return done.returncode, done.stdout + done.stderr

    code, said = await mirrored()
    assert code == 0, said
    assert "in step: 9 entries (9 new), 3 roots (3 signed now)" in said
    code, said = await mirrored(secret="wrong")
    assert code == 2, said
    code, said = await mirrored(secret="")
    assert (code, "COMMONWATT_MIRROR_SECRET" in said) == (2, True)
    await ledger.database.write(rewrite)
    code, said = await mirrored("--full")
    assert code == 1, said
    assert "HISTORY WAS REWRITTEN" in said
    assert "entry 4, postings" in said
