"""Day roots: every entry under exactly one, made once whoever makes it, published to everybody, and never changed."""

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from hypothesis import given, strategies as st
import pytest
from sqlalchemy import Connection

from cloud import schema
from cloud.__main__ import _audit
from cloud.config import Config
from cloud.ledger.root import store
from cloud.ledger.root.day import UNSEALED, EntryMark, after, faults, is_over, next_day, of_day, seal
from cloud.ledger.root.job import Sealer, seal as seal_due
from cloud.ledger.root.store import day_root_table, root_faults
from cloud.ledger.store import entry_table
from cloud.principal import CloudKey
from cloud.wire import GENESIS, compact_parts, digest, from_base64url, to_bytes
from cloud.wire.merkle import holds, levels, path, root
from cloud.wire.root import parse_root

from .booked import DAY, MIDNIGHT, book, book_days
from .conftest import COMMUNITY, Cloud
from .ground import OpenDatabase, found

KEY = CloudKey(bytes(32))
MIRROR = CloudKey(bytes([7]) * 32)
LANE = "/v1/communities/lane"


@given(st.lists(st.integers(0, 6 * DAY), min_size=1, max_size=40))
def test_every_entry_is_under_exactly_one_root_whatever_the_clocks_said(times: list[int]) -> None:
    """Also those of a clock behind or ahead: no number is left out, none is under two, each root links to the last."""
    marks = [EntryMark(number, at, digest(bytes([number]))) for number, at in enumerate(times, 1)]
    sealed, roots, left = UNSEALED, [], list(marks)
    while left:
        day = next_day(left[0], sealed)
        covered = of_day(left, day)
        made = seal("lane", day, covered, sealed.hash)
        assert list(faults(made, covered, sealed)) == []
        assert all(mark.made_at < day + DAY for mark in covered)
        roots.append(made)
        sealed, left = after(made), left[len(covered) :]
    assert [number for made in roots for number in range(made.first, made.last + 1)] == [mark.number for mark in marks]
    assert [made.day for made in roots] == sorted({made.day for made in roots})


def test_a_day_is_over_a_minute_after_midnight() -> None:
    """A transaction that began before may still come in."""
    assert not is_over(MIDNIGHT, MIDNIGHT + DAY + 59)
    assert is_over(MIDNIGHT, MIDNIGHT + DAY + 60)


async def test_days_that_are_over_get_their_roots_once(open_database: OpenDatabase, tmp_path: Path) -> None:
    """Run again it makes nothing; a day without entries has none; today's waits."""
    database = open_database(tmp_path)
    await database.write(book_days, 2)
    await database.write(book, MIDNIGHT + 4 * DAY, "later")
    now = MIDNIGHT + 4 * DAY + 100
    assert await seal_due(database, KEY.sign_compact, now) == 2
    before = await database.read(store.roots_page, "lane", -1, 100)
    assert await seal_due(database, KEY.sign_compact, now) == 0
    assert await seal_due(database, KEY.sign_compact, now + DAY) == 1
    roots = await database.read(store.roots_page, "lane", -1, 100)
    assert roots[:2] == before
    assert [(kept.day - MIDNIGHT) // DAY for kept in roots] == [0, 1, 4]
    previous = GENESIS
    for kept in roots:
        kid, payload, signed, proof = compact_parts(kept.signed)
        Ed25519PublicKey.from_public_bytes(from_base64url(KEY.public_key, "key")).verify(proof, signed)
        stands = parse_root(payload)
        assert (kid, stands.previous, to_bytes(stands)) == (KEY.kid, previous, payload)
        hashes = [bytes.fromhex(item) for item in await database.read(store.hashes, "lane", kept.first, kept.last)]
        assert root(hashes).hex() == stands.root
        assert holds(hashes[0], 0, stands.count, path(levels(hashes), 0), bytes.fromhex(stands.root))
        previous = digest(payload)
    assert await database.read(lambda conn: list(root_faults(conn, "lane"))) == []
    database.dispose()


async def test_two_machines_make_one_root(open_database: OpenDatabase, tmp_path: Path) -> None:
    """Both find the day over; the second finds it sealed, and the roots are the same."""
    one, two = open_database(tmp_path), open_database(tmp_path)
    await one.write(book_days, 5)
    sealers = [Sealer(database, KEY.sign_compact) for database in (one, two)]
    await asyncio.gather(*(sealer.turn(MIDNIGHT + 9 * DAY) for sealer in sealers))
    assert [sealer.failing for sealer in sealers] == [set(), set()]
    roots = await one.read(store.roots_page, "lane", -1, 100)
    assert [kept.first for kept in roots] == [1, 4, 7, 10, 13]
    one.dispose()
    two.dispose()


async def test_an_entry_that_comes_after_its_day_was_sealed_is_under_the_next_root(
    open_database: OpenDatabase, tmp_path: Path
) -> None:
    """What stands is not changed, and nothing stays without a root."""
    database = open_database(tmp_path)
    await database.write(book_days, 1)
    assert await seal_due(database, KEY.sign_compact, MIDNIGHT + DAY + 60) == 1
    await database.write(book, MIDNIGHT + DAY - 1, "late")
    assert await seal_due(database, KEY.sign_compact, MIDNIGHT + DAY + 120) == 0
    assert await seal_due(database, KEY.sign_compact, MIDNIGHT + 2 * DAY + 60) == 1
    roots = await database.read(store.roots_page, "lane", -1, 100)
    assert [(kept.day - MIDNIGHT, kept.first, kept.last) for kept in roots] == [(0, 1, 3), (DAY, 4, 4)]
    assert await database.read(lambda conn: list(root_faults(conn, "lane"))) == []
    database.dispose()


@pytest.mark.parametrize(
    ("change", "member"),
    [
        (lambda conn: alter(conn, entry_table, 2, hash=digest(b"other")), "root"),
        (lambda conn: alter(conn, entry_table, 2, made_at=MIDNIGHT + 3 * DAY), "last"),
        (lambda conn: resign(conn, MIDNIGHT, root=digest(b"other")), "root"),
        (lambda conn: resign(conn, MIDNIGHT + DAY, previous=digest(b"other")), "previous"),
        (lambda conn: resign(conn, MIDNIGHT, count=2), "first"),
        (lambda conn: conn.execute(day_root_table.update().filter_by(day=MIDNIGHT).values(first=2)), "first"),
    ],
    ids=["hash", "made_at", "root", "previous", "count", "column"],
)
async def test_a_changed_entry_or_root_is_found(
    open_database: OpenDatabase, tmp_path: Path, change: Any, member: str
) -> None:
    """Whoever changes a row, even with the cloud's key in hand, leaves roots that do not follow."""
    database = open_database(tmp_path)
    await database.write(book_days, 2)
    await seal_due(database, KEY.sign_compact, MIDNIGHT + 3 * DAY)
    await database.write(change)
    told = await database.read(lambda conn: list(root_faults(conn, "lane")))
    assert member in {fault.member for fault in told}
    database.dispose()


def alter(conn: Connection, table: Any, number: int, **values: Any) -> None:
    """Change a row behind the program's back."""
    conn.execute(table.update().filter_by(number=number).values(**values))


def resign(conn: Connection, day: int, **values: Any) -> None:
    """Sign another root for a day."""
    kept = store.root_of(conn, "lane", day)
    assert kept is not None
    signed = KEY.sign_compact(to_bytes(kept.stands().plain() | values))
    conn.execute(day_root_table.update().filter_by(day=day).values(signed=signed))


async def sealed(cloud: Cloud, days: int = 3, community: str = "lane") -> None:
    """Give a community entries and roots."""
    await cloud.database.write(book_days, days, community=community)
    assert await seal_due(cloud.database, cloud.key.sign_compact, MIDNIGHT + (days + 1) * DAY) == days


async def upper(cloud: Cloud, method: str, path: str, json: Any = None) -> Any:
    """Ask as the operator, who may do all that a mirror may."""
    token = await cloud.token("operator", cloud.operator_secret)
    return await cloud.call(method, path, token=token, json=json)


async def test_everybody_reads_the_roots_and_learns_nobodys_name(cloud: Cloud) -> None:
    """Without a token, paged; of a community that is not there as little as of one without entries."""
    await sealed(cloud)
    first = await cloud.call("GET", f"{LANE}/roots?limit=2")
    rest = await cloud.call("GET", f"{LANE}/roots?limit=2&after={first.json['next']}")
    roots = first.json["roots"] + rest.json["roots"]
    assert first.json["cloud_key"] == cloud.key.public_key
    assert [item["first"] for item in roots] == [1, 4, 7]
    assert rest.json["next"] is None
    assert b"anna" not in first.raw + rest.raw
    assert (await cloud.call("GET", "/v1/communities/nowhere/roots")).json["roots"] == []
    assert (await cloud.call("GET", f"{LANE}/roots?after=yesterday")).problem == "malformed"


def countersigned(item: Mapping[str, Any], key: CloudKey, **changes: Any) -> dict[str, str]:
    """Return what a mirror sends that signs this root."""
    payload = compact_parts(item["signed"])[1]
    if changes:
        payload = to_bytes(parse_root(payload).plain() | changes)
    return {"public_key": key.public_key, "signed": key.sign_compact(payload)}


async def test_a_mirrors_signature_is_published_with_the_root(cloud: Cloud) -> None:
    """Brought twice it is kept once."""
    await sealed(cloud)
    item = (await cloud.call("GET", f"{LANE}/roots")).json["roots"][1]
    where = f"{LANE}/roots/{item['day']}/signatures"
    assert (await upper(cloud, "POST", where, countersigned(item, MIRROR))).status == 201
    again = await upper(cloud, "POST", where, countersigned(item, MIRROR))
    assert (again.status, again.json) == (200, {"kid": MIRROR.kid, "created": False})
    item = (await cloud.call("GET", f"{LANE}/roots")).json["roots"][1]
    assert [other["kid"] for other in item["countersignatures"]] == [MIRROR.kid]
    kid, _, signed, proof = compact_parts(item["countersignatures"][0]["signed"])
    Ed25519PublicKey.from_public_bytes(from_base64url(MIRROR.public_key, "key")).verify(proof, signed)
    assert kid == MIRROR.kid


async def test_what_is_no_signature_under_this_root_is_refused(cloud: Cloud) -> None:
    """Another payload, another key, no signature, no such day."""
    await sealed(cloud)
    item = (await cloud.call("GET", f"{LANE}/roots")).json["roots"][1]
    where, good = f"{LANE}/roots/{item['day']}/signatures", countersigned(item, MIRROR)
    other = CloudKey(Ed25519PrivateKey.generate().private_bytes_raw())
    for body in (
        countersigned(item, MIRROR, count=item["count"] + 1),
        good | {"public_key": other.public_key},
        good | {"public_key": "x"},
        good | {"signed": good["signed"][:-6] + "AAAAAA"},
        good | {"signed": "a.b.c"},
    ):
        reply = await upper(cloud, "POST", where, body)
        assert (reply.status, reply.problem) == (403, "signature-refused"), body
    assert (await upper(cloud, "POST", f"{LANE}/roots/2030-01-01T00:00:00Z/signatures", good)).status == 404
    assert (await upper(cloud, "POST", f"{LANE}/roots/today/signatures", good)).problem == "malformed"
    assert (await cloud.call("POST", where, json=good)).status == 401


async def test_no_more_countersignatures_are_kept_than_a_page_can_carry(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those that stand stay, and may be brought again."""
    monkeypatch.setattr(store, "COUNTERSIGNERS_MAX", 2)
    await sealed(cloud)
    item = (await cloud.call("GET", f"{LANE}/roots")).json["roots"][0]
    where = f"{LANE}/roots/{item['day']}/signatures"
    keys = [CloudKey(bytes([seed]) * 32) for seed in (1, 2, 3)]
    replies = [await upper(cloud, "POST", where, countersigned(item, key)) for key in (*keys, keys[0])]
    assert [reply.status for reply in replies] == [201, 201, 409, 200]


async def test_the_ledger_is_given_whole_page_by_page(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    """With postings, salts and documents; pages end early where documents are large, and hold one entry at least."""
    await sealed(cloud)
    for page_bytes in (900 * 1024, 1000, 1):
        monkeypatch.setattr(store, "PAGE_BYTES_MAX", page_bytes)
        told: list[dict[str, Any]] = []
        after_number: int | None = 0
        while after_number is not None:
            reply = await upper(cloud, "GET", f"{LANE}/ledger?after={after_number}&limit=4")
            told += reply.json["entries"]
            after_number = reply.json["next"]
        assert [entry["number"] for entry in told] == list(range(1, 10))
        assert all(digest(entry["document"].encode()) == entry["evidence"] for entry in told)
        assert told[-1]["hash"] == reply.json["head_hash"]
    empty = await upper(cloud, "GET", f"/v1/communities/{COMMUNITY}/ledger")
    assert (empty.json["entries"], empty.json["head_number"], empty.json["next"]) == ([], 0, None)


async def test_the_audit_tells_of_a_root_that_does_not_follow(
    open_database: OpenDatabase, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """By the command an operator uses; a sound ledger ends with 0, a root signed otherwise with 1."""
    database = open_database(tmp_path)
    await database.write(found)
    await database.write(book_days, 2)
    await seal_due(database, KEY.sign_compact, MIDNIGHT + 3 * DAY)
    monkeypatch.setattr(schema, "check", lambda conn: None)  # these tables were made without migrations
    config = Config(database.engine.url.render_as_string(hide_password=False).replace("+psycopg", ""))
    assert await _audit(config, "lane") == 0
    await database.write(lambda conn: resign(conn, MIDNIGHT + DAY, root=digest(b"other")))
    assert await _audit(config, "lane") == 1
    assert f"lane: day_root(day={MIDNIGHT + DAY}) root: stored {digest(b'other')}" in capsys.readouterr().out
    database.dispose()
