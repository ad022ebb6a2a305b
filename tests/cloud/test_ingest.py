"""Batches: verified, kept for ever, answered when durable; whatever is wrong with them is found."""

from dataclasses import replace
import json
from typing import Any

import pytest

from cloud.ingest.batches.store import batch_table, contradiction_table, incident_table
from cloud.ingest.job import Releaser
from cloud.ingest.readings.store import intervals_known, reading_table, readings_at, sites_reported
from cloud.sites.store import site_table
from cloud.wire import (
    BODY_BYTES_MAX,
    GENESIS,
    ISLAND,
    SENT_HEADER,
    Batch,
    Incident,
    Intervals,
    TreeTap,
    base64url,
    digest,
    parse_answer,
    parse_head,
    to_bytes,
)

from .conftest import COMMUNITY, INTERVAL, NOON, TREE, Cloud, Site, columns_of, verified

START = NOON - 20 * INTERVAL


async def test_a_batch_becomes_readings(cloud: Cloud, site: Site) -> None:
    """One per boundary tap and interval, each naming the batch that says so."""
    assert (await site.post(site.batch(count=2))).status == 201
    found = await cloud.database.read(readings_at, COMMUNITY, START + INTERVAL)
    assert [(reading.tap, reading.owner, reading.upstream_owner) for reading in found] == [
        ("ev", "ben", "anna"),
        ("main", "anna", None),
        ("pv", "sun", "anna"),
    ]
    registers = columns_of(START, 2)["main"].register_wh[1]
    main = found[1]
    assert (main.start, main.seconds, main.import_wh, main.export_wh) == (START + INTERVAL, INTERVAL, 700, 0)
    assert (main.import_register_wh, main.export_register_wh) == registers
    assert (main.quality, main.epoch, main.seq, main.island) == ("ok", 1, 1, False)
    assert await cloud.database.read(sites_reported, COMMUNITY, START) == {site.site}
    assert await cloud.database.read(intervals_known, COMMUNITY) == (START, START + INTERVAL)


async def test_nothing_is_known_before_the_first_batch(cloud: Cloud, site: Site) -> None:
    """No interval, no site that reported."""
    assert await cloud.database.read(intervals_known, COMMUNITY) is None
    assert await cloud.database.read(sites_reported, COMMUNITY, START) == frozenset()


async def test_a_batch_is_kept_as_it_was_signed(cloud: Cloud, site: Site) -> None:
    """Byte for byte with its signature, also members this version does not know."""
    raw = site.batch(later_invention={"x": 1})
    await site.post(raw)
    (row,) = await cloud.rows(batch_table)
    assert (row.raw, row.signature, row.hash, row.kid) == (raw, site.sign(raw), digest(raw), site.kid)


async def test_the_answer_is_signed_and_compares_clocks(cloud: Cloud, site: Site) -> None:
    """It binds to the batch by its hash, and carries when the site sent and the cloud received and answered."""
    raw = site.batch()
    reply = await site.post(raw, headers={SENT_HEADER: "1795262399000"})
    verified(cloud, reply)
    answer = parse_answer(reply.raw)
    assert (answer.site, answer.epoch, answer.seq, answer.hash) == (site.site, 1, 1, digest(raw))
    assert (answer.echo_ms, answer.received_ms, answer.sent_ms) == (1795262399000, NOON * 1000, NOON * 1000)
    assert (answer.result, answer.acked_through, answer.reason) == ("created", 1, None)


@pytest.mark.parametrize("sent", ["-1", "1.5", "x", "9" * 17, "9" * 16, "٣"])
async def test_a_senseless_clock_is_refused(site: Site, sent: str) -> None:
    """What cannot be echoed exactly is malformed."""
    assert (await site.post(site.batch(), headers={SENT_HEADER: sent})).problem == "malformed"


async def test_a_replayed_batch_has_no_second_effect(cloud: Cloud, site: Site) -> None:
    """The answer was lost, so it comes again: exists."""
    raw = site.batch(incidents=(Incident(START, "meter-silent", "ev"),))
    assert (await site.post(raw)).status == 201
    tables = (batch_table, reading_table, incident_table, contradiction_table)
    before = [await cloud.rows(table) for table in tables]
    for _ in range(3):
        reply = await site.post(raw)
        assert (reply.status, parse_answer(reply.raw).result) == (200, "exists")
    assert [await cloud.rows(table) for table in tables] == before


async def test_incidents_are_kept_apart(cloud: Cloud, site: Site) -> None:
    """A batch without intervals may report them alone."""
    raw = to_bytes(Batch(site.site, 1, 1, GENESIS, NOON, None, (Incident(START, "clock-offset", None, "3 s"),)))
    assert (await site.post(raw)).status == 201
    (row,) = await cloud.rows(incident_table)
    assert (row.at, row.kind, row.tap, row.detail) == (START, "clock-offset", None, "3 s")
    assert await cloud.count(reading_table) == 0


async def test_a_tampered_batch_is_refused(cloud: Cloud, site: Site) -> None:
    """One byte changed on the way, another site's signature, a header of another kind: nothing is kept."""
    raw, neighbour = site.batch(), await cloud.join()
    header = base64url(to_bytes({"alg": "EdDSA", "kid": site.kid}))
    other_alg = base64url(to_bytes({"alg": "none", "b64": False, "crit": ["b64"], "kid": site.kid}))
    good = site.sign(raw)
    for body, signature in [
        (raw.replace(b"700", b"701", 1), good),
        (raw + b"\n", good),
        (raw, neighbour.sign(raw)),
        (raw, f"{header}..{good.rpartition('.')[2]}"),
        (raw, f"{other_alg}.."),
        (raw, good[:-4] + "AAAA"),
        (raw, ""),
        (raw, "x" * 5000),
    ]:
        assert (await site.post(body, signature=signature)).problem == "signature-refused"
    assert await cloud.count(batch_table) == 0


async def test_the_key_name_of_another_site_helps_nobody(cloud: Cloud, site: Site) -> None:
    """A neighbour signs with the own key under this site's token."""
    neighbour = await cloud.join()
    thief = replace(neighbour, site=site.site, token=site.token)
    assert (await thief.post(thief.batch())).problem == "signature-refused"


async def test_a_batch_of_another_site_is_refused(cloud: Cloud, site: Site) -> None:
    """A site speaks for itself alone, however well it signs."""
    neighbour = await cloud.join()
    assert (await site.post(neighbour.batch(), signature=None)).problem == "forbidden"


async def test_a_batch_without_a_token_is_refused(cloud: Cloud, site: Site) -> None:
    """The token is asked for before anything else is looked at."""
    assert (await replace(site, token="").post(site.batch())).problem == "not-authorised"
    assert (await cloud.call("POST", "/v1/batches", data=b"{}")).problem == "not-authorised"


@pytest.mark.parametrize(
    "change",
    [
        lambda raw: b"",
        lambda raw: b"[]",
        lambda raw: raw[:-1],
        lambda raw: raw.replace(b'"seq":1', b'"seq":1,"seq":1'),
        lambda raw: raw.replace(b'"seq":1', b'"seq":1.0'),
        lambda raw: raw.replace(b'"seq":1', b'"seq":NaN'),
        lambda raw: raw.replace(b'"seq":1', b'"seq":0'),
        lambda raw: raw.replace(b'"seq":1', b'"seq":' + b"9" * 5000),
        lambda raw: raw.replace(b'"seq":1', b'"x":' + b"[" * 40 + b"]" * 40 + b',"seq":1'),
        lambda raw: raw.replace(b"700", b"-70"),
        lambda raw: raw.replace(b'"ok"', b'"fine"'),
        lambda raw: raw.replace(b'"v":1', b'"v":2'),
        lambda raw: b"\xff" + raw,
    ],
)
async def test_a_malformed_batch_is_refused(cloud: Cloud, site: Site, change: Any) -> None:
    """Well signed nonsense is named and not kept."""
    raw = change(site.batch())
    assert raw != site.batch()
    assert (await site.post(raw)).problem == "malformed"
    assert await cloud.count(batch_table) == 0


async def test_a_body_beyond_a_mebibyte_is_refused(cloud: Cloud, site: Site) -> None:
    """Whether it says its length or not, and before anybody hashes it; the cloud goes on answering."""
    raw = site.batch(padding="x" * BODY_BYTES_MAX)

    async def in_pieces() -> Any:
        for place in range(0, len(raw), 65536):
            yield raw[place : place + 65536]

    assert (await site.post(raw)).problem == "body-too-large"
    assert (await cloud.call("POST", "/v1/batches", token=site.token, data=in_pieces())).problem == "body-too-large"
    assert (await site.post(site.batch())).status == 201


@pytest.mark.parametrize("seconds", [301, 86_400, 10 * 365 * 86_400])
async def test_a_batch_from_the_future_waits_for_its_time(cloud: Cloud, site: Site, seconds: int) -> None:
    """A clock that is wrong settles nothing early; when its time has come, the batch counts like any other."""
    end = NOON + seconds - seconds % INTERVAL + INTERVAL
    raw = site.batch(start=end - INTERVAL)
    reply = await site.post(raw)
    assert (reply.status, reply.json["result"], reply.json["reason"]) == (202, "held", "future")
    assert await cloud.count(reading_table) == 0
    cloud.clock.forward(end - NOON - 301)
    await settle_down(cloud)
    assert await cloud.count(reading_table) == 0
    cloud.clock.forward(1)
    await settle_down(cloud)
    assert await cloud.count(reading_table) == len(TREE)


@pytest.mark.parametrize(("ahead_s", "status"), [(300, 201), (301, 202)])
async def test_five_minutes_of_a_clock_are_forgiven(site: Site, ahead_s: int, status: int) -> None:
    """An interval that ends just ahead is taken."""
    site.cloud.clock.forward(INTERVAL - ahead_s)
    assert (await site.post(site.batch(start=NOON))).status == status


async def test_a_batch_waits_for_its_tree(cloud: Cloud, site: Site) -> None:
    """Held while the revision it names is unknown; released when the tree arrives, without another batch."""
    reply = await site.post(site.batch(tree_rev=2))
    assert (reply.status, reply.json["reason"]) == (202, "unknown-tree")
    assert (await site.put_tree(2)).status == 201
    await settle_down(cloud)
    assert await cloud.count(reading_table) == len(TREE)


async def test_the_next_batch_releases_what_was_held(cloud: Cloud, site: Site) -> None:
    """Not only the job: whoever comes next takes along what has become good."""
    first = site.batch(tree_rev=2)
    await site.post(first)
    await site.put_tree(2)
    await site.post(site.batch(seq=2, prev=digest(first), start=START + INTERVAL))
    assert {row.seq for row in await cloud.rows(reading_table)} == {1, 2}


def other(tap: str, **changes: Any) -> Any:
    """Return the columns of one interval with one tap's changed."""
    columns = columns_of(START)
    return columns | {tap: replace(columns[tap], **changes)}


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"taps": other("ev", owner="anna")}, "owners-differ"),
        ({"taps": other("ev", upstream_owner="sun")}, "owners-differ"),
        ({"taps": other("ev", upstream_owner=None)}, "owners-differ"),
        ({"taps": {"main": columns_of(START)["main"]}}, "taps-differ"),
        ({"taps": columns_of(START) | {"attic": columns_of(START)["ev"]}}, "taps-differ"),
        ({"taps": other("ev", register_wh=((5, 0),))}, "registers-differ"),
        ({"tree_rev": 3}, "tree-not-valid-yet"),
        ({"tree_rev": 4}, "unknown-tree"),
    ],
)
async def test_a_batch_that_does_not_agree_is_held(
    cloud: Cloud, site: Site, changes: dict[str, Any], reason: str
) -> None:
    """Kept as evidence and not settled; the batches behind it are."""
    await site.put_tree(2)
    await site.put_tree(3, START + 2 * INTERVAL)
    held = site.batch(**changes)
    reply = await site.post(held)
    assert (reply.status, reply.json["result"], reply.json["reason"]) == (202, "held", reason)
    assert (await site.post(held)).json["result"] == "exists"
    assert (await site.post(site.batch(seq=2, prev=digest(held), start=START + INTERVAL))).status == 201
    assert {row.seq for row in await cloud.rows(reading_table)} == {2}
    assert await cloud.count(batch_table) == 2


async def test_an_interval_of_another_length_is_held(site: Site) -> None:
    """A community settles intervals of one length."""
    columns = columns_of(START)
    raw = to_bytes(Batch(site.site, 1, 1, GENESIS, NOON, Intervals(START, 900, 1, 1, columns)))
    assert (await site.post(raw)).json["reason"] == "interval-length"


@pytest.mark.parametrize(("energy", "status"), [(700, 201), (699, 202), (701, 202), (0, 202)])
async def test_energy_is_what_the_registers_say(site: Site, energy: int, status: int) -> None:
    """A Wh more or less than the register moved since the reading before is held."""
    first = site.batch()
    await site.post(first)
    columns = columns_of(START + INTERVAL)
    taps = columns | {"main": replace(columns["main"], import_wh=(energy,))}
    reply = await site.post(site.batch(seq=2, prev=digest(first), start=START + INTERVAL, taps=taps))
    assert reply.status == status


async def test_a_reset_meter_is_no_fraud(site: Site) -> None:
    """In an interval marked reset the registers may begin anew; the next one must follow them again."""
    first = site.batch()
    second = columns_of(START + INTERVAL)
    second["main"] = replace(second["main"], register_wh=((5, 0),), quality=("reset",))
    third = columns_of(START + 2 * INTERVAL)
    third["main"] = replace(third["main"], register_wh=((705, 0),))
    raws = [first, site.batch(seq=2, prev=digest(first), start=START + INTERVAL, taps=second)]
    raws.append(site.batch(seq=3, prev=digest(raws[1]), start=START + 2 * INTERVAL, taps=third))
    assert [(await site.post(raw)).status for raw in raws] == [201, 201, 201]


async def test_an_island_is_told_apart_from_the_grid(cloud: Cloud, site: Site) -> None:
    """Both have nobody upstream; only one of them takes energy from the grid."""
    line = TREE | {"main": TreeTap("anna", ISLAND)}
    assert (await site.put_tree(2, taps=line)).status == 201
    await site.post(site.batch(tree_rev=2))
    assert {row.tap: row.island for row in await cloud.rows(reading_table)} == {"main": 1, "ev": 0, "pv": 0}


async def test_equivocation_keeps_both_and_quarantines(cloud: Cloud, site: Site) -> None:
    """One number, two truths: both are evidence, and nothing of this site is settled any more."""
    first, second, third = site.chain(3)
    await site.post(first)
    lie = site.batch(made_at="2026-11-21T11:00:00Z")
    for _ in range(2):
        reply = await site.post(lie)
        assert (reply.status, reply.problem) == (409, "equivocation")
    assert [row.raw for row in await cloud.rows(batch_table)] == [first]
    assert [(row.raw, row.signature) for row in await cloud.rows(contradiction_table)] == [(lie, site.sign(lie))]
    for raw in (second, third):
        reply = await site.post(raw)
        assert (reply.status, reply.json["reason"]) == (202, "quarantined")
    assert {row.seq for row in await cloud.rows(reading_table)} == {1}
    assert await cloud.count(batch_table) == 3
    (row,) = await cloud.rows(site_table, site=site.site)
    assert row.quarantined_at == NOON
    listed = (await cloud.operator("GET", f"{COMMUNITY}/sites")).json["sites"]
    assert listed[0]["quarantined_at"] == "2026-11-21T12:00:00Z"


async def test_a_quarantined_sites_neighbour_goes_on(cloud: Cloud, site: Site) -> None:
    """One bad site never disturbs another."""
    neighbour = await cloud.join()
    await neighbour.put_tree()
    await site.post(site.batch())
    await site.post(site.batch(made_at="2026-11-21T11:00:00Z"))
    assert (await neighbour.post(neighbour.batch())).status == 201


async def test_the_head_is_where_the_chain_stands(cloud: Cloud, site: Site) -> None:
    """Genesis at first, then the highest batch of the newest epoch, signed."""
    assert parse_head((await site.get("head")).raw).hash == GENESIS
    raws = site.chain(3)
    for raw in (raws[0], raws[2]):
        await site.post(raw)
    reply = await site.get("head")
    verified(cloud, reply)
    head = parse_head(reply.raw)
    assert (head.epoch, head.seq, head.hash) == (1, 3, digest(raws[2]))


async def test_acked_through_stops_at_the_gap(site: Site) -> None:
    """It says up to where nothing is missing, and jumps when the gap closes."""
    raws = site.chain(4)
    acked = [json.loads((await site.post(raws[place])).raw)["acked_through"] for place in (0, 3, 2, 1)]
    assert acked == [1, 1, 1, 4]


async def settle_down(cloud: Cloud) -> None:
    """Let the job that releases batches have its turn."""
    while await Releaser(cloud.database).turn(cloud.clock() // 1000):
        pass
