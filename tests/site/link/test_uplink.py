"""The uplink against a cloud that goes down, loses replies, forges, refuses, and comes back."""

import asyncio
from collections.abc import Iterable
from functools import partial
from itertools import pairwise
from pathlib import Path
import time

import aiohttp
from aiohttp import web
from aiohttp.test_utils import unused_port
import pytest

from custom_components.commonwatt.link import CloudClient, LinkState, Outbox, Remark, Runner
from custom_components.commonwatt.link.uplink import full_jitter
from custom_components.commonwatt.wire import (
    SIGNATURE_HEADER,
    Answer,
    Incident,
    Notice,
    Settings,
    TreeTap,
    digest,
    parse_batch,
    parse_tree,
    to_bytes,
)

from .cloud_double import SETTINGS, CloudDouble, CloudKey, problem
from .conftest import Watched, client_of, drained, until
from .material import SITE, START, TREE, boundaries, interval

FAR = 4_000_000_000
OUT_OF_STEP = "Out of step with the cloud"


async def keep(run: Runner, outbox: Outbox, numbers: Iterable[int]) -> None:
    """Keep a tree and these intervals."""
    await run(outbox.keep_tree, TREE, START)
    for number in numbers:
        await run(outbox.keep_interval, interval(number), boundaries(number))


def notice(notice_id: str, kind: str = "balance", expires_at: int = FAR, site: str = SITE) -> Notice:
    """Return a notice."""
    return Notice(notice_id, site, kind, START, expires_at, {"owner": "anna"})


async def test_it_brings_trees_then_batches_and_hears_notices(
    cloud: CloudDouble, client: CloudClient, outbox: Outbox, run: Runner
) -> None:
    """The whole conversation once: settings, head, tree, batch, notice, all acknowledged."""
    await keep(run, outbox, range(2))
    cloud.notify(notice("n1"))
    async with Watched(client, outbox, run) as link:
        await until(lambda: cloud.batches and link.notices and cloud.acknowledged)
        await until(lambda: link.states[-1].clock_offset_ms is not None)
        await drained(run, outbox)
    calls = [path for path in cloud.paths if not path.endswith(("/ws", "/notices", "/ack"))]
    assert calls == [
        "POST /v1/token",
        f"GET /v1/sites/{SITE}/settings",
        f"GET /v1/sites/{SITE}/head",
        f"PUT /v1/sites/{SITE}/tree",
        "POST /v1/batches",
    ]
    assert link.settings == [SETTINGS]
    assert link.notices == [notice("n1")]
    assert [state.status for state in link.states] == ["connected", "connected"]
    assert abs(link.states[-1].clock_offset_ms or 0) < 500
    assert await run(outbox.settings) == SETTINGS
    assert await run(outbox.notice, "balance") == {"owner": "anna"}


async def test_news_go_out_at_once(cloud: CloudDouble, client: CloudClient, outbox: Outbox, run: Runner) -> None:
    """A nudge after an interval was kept brings it within moments."""
    async with Watched(client, outbox, run) as link:
        await until(lambda: link.states)
        for number in range(3):
            await keep(run, outbox, [number])
            link.uplink.nudge()
            await until(partial(cloud.holds, number + 1))
    assert sorted(cloud.batches) == [(1, 1), (1, 2), (1, 3)]


async def test_a_cloud_that_was_down_gets_everything(
    session: aiohttp.ClientSession, outbox: Outbox, run: Runner, expected_logs: list[str]
) -> None:
    """Nothing is lost, the newest batch arrives first, and silence and return are told once each."""
    expected_logs.append(OUT_OF_STEP)
    cloud, port = CloudDouble(), unused_port()
    cloud.url = f"http://127.0.0.1:{port}"
    await keep(run, outbox, [0, 2, 4, 6])
    async with Watched(client_of(cloud, session), outbox, run) as link:
        await until(lambda: len(link.waits) >= 4)
        assert link.states == [LinkState("disconnected", error=link.states[0].error)]
        async with cloud.serving(port):
            await until(lambda: len(cloud.batches) == 4)
            await drained(run, outbox)
    assert cloud.arrivals == [(1, 4), (1, 1), (1, 2), (1, 3)]
    assert link.waits[:4] == [1, 2, 3, 4]
    assert (link.states[-1].status, link.states[-1].error) == ("connected", None)


async def test_a_connection_that_breaks_is_taken_up_again(
    cloud: CloudDouble, link: Watched, expected_logs: list[str]
) -> None:
    """The socket closes and the cloud is away: disconnected is told, and then all goes on from the head."""
    expected_logs.append(OUT_OF_STEP)
    await keep(link.run, link.outbox, [0])
    async with link:
        await until(lambda: cloud.batches and cloud.sockets)
        cloud.trouble = lambda _: problem(503, "unavailable")
        for socket in cloud.sockets:
            await socket.close()
        await until(lambda: link.states[-1].status == "disconnected")
        cloud.trouble = None
        await keep(link.run, link.outbox, [1])
        await until(lambda: len(cloud.batches) == 2 and link.states[-1].status == "connected")
    assert cloud.paths.count(f"GET /v1/sites/{SITE}/head") >= 2


async def test_lost_replies_cost_a_repetition_and_no_duplicate(
    cloud: CloudDouble, client: CloudClient, outbox: Outbox, run: Runner, expected_logs: list[str]
) -> None:
    """The cloud stored it, the answer was lost: the same bytes come again and are answered `exists`."""
    expected_logs.append(OUT_OF_STEP)
    await keep(run, outbox, [0, 2, 4])
    cloud.lose = 2
    async with Watched(client, outbox, run) as link:
        await until(lambda: len(cloud.arrivals) == 5)
        await drained(run, outbox)
    assert link.states[-1].status == "connected"
    assert len(cloud.batches) == 3
    assert len(cloud.trees) == 1
    starts = [batch.intervals.start for batch in cloud.parsed() if batch.intervals is not None]
    assert starts == sorted(set(starts))


async def test_a_site_the_cloud_no_longer_knows_stops(
    cloud: CloudDouble, client: CloudClient, outbox: Outbox, run: Runner, expected_logs: list[str]
) -> None:
    """After one refresh it says so and ends by itself, and hammers nobody."""
    expected_logs.append("no longer knows this site")
    async with Watched(client, outbox, run) as link:
        await until(lambda: link.states)
        cloud.secret = "changed"
        cloud.token_valid = False
        await keep(run, outbox, [0])
        link.uplink.nudge()
        assert link.task is not None
        async with asyncio.timeout(5):
            await link.task
    assert link.states[-1].status == "unauthorised"
    assert cloud.paths.count("POST /v1/token") <= 3
    assert await run(outbox.depth) == 1


async def test_a_forged_answer_acknowledges_nothing(
    cloud: CloudDouble, client: CloudClient, outbox: Outbox, run: Runner, expected_logs: list[str]
) -> None:
    """Somebody in between says `created`: the batch stays in the queue until the cloud itself says so."""
    expected_logs.append(OUT_OF_STEP)
    await keep(run, outbox, [0])
    await run(outbox.meet, cloud.head())

    def forge(request: web.Request) -> web.Response | None:
        if request.path != "/v1/batches":
            return None
        raw = to_bytes(Answer(SITE, 1, 1, "0" * 64, "created", 1, 0, 0))
        return web.Response(body=raw, headers={SIGNATURE_HEADER: CloudKey(bytes(32)).sign(raw)})

    cloud.trouble = forge
    async with Watched(client, outbox, run) as link:
        await until(lambda: len(link.waits) >= 2)
        assert "signed with another key" in {state.error for state in link.states}
        assert await run(outbox.depth) == 1
        cloud.trouble = None
        await until(lambda: cloud.batches)
        await drained(run, outbox)


async def test_a_held_batch_is_acknowledged_and_remembered(
    cloud: CloudDouble, client: CloudClient, outbox: Outbox, run: Runner
) -> None:
    """It is stored, so it is not sent again; why it is not settled can be looked up."""
    await keep(run, outbox, [0])
    cloud.held[1, 1] = "unknown-tree"
    async with Watched(client, outbox, run) as link:
        await until(lambda: link.states and link.states[-1].clock_offset_ms is not None)
    assert cloud.arrivals == [(1, 1)]
    assert await run(outbox.remarks) == [Remark(1, 1, "held", "unknown-tree")]


@pytest.mark.parametrize(
    "refusal",
    [
        (400, "malformed"),
        (403, "signature-refused"),
        (409, "equivocation"),
        (409, "https://commonwatt.example/problems/chain-broken"),
        (413, ""),
    ],
)
async def test_a_batch_refused_for_good_holds_up_no_other(
    cloud: CloudDouble, link: Watched, expected_logs: list[str], refusal: tuple[int, str]
) -> None:
    """It is set aside with its reason and told; the others arrive, and then a new epoch begins."""
    status, kind = refusal
    expected_logs.append("refuses batch 1/2 for good")
    await keep(link.run, link.outbox, [0, 2, 4])
    await link.run(link.outbox.meet, cloud.head())

    async def refusing(request: web.Request) -> web.Response:
        if parse_batch(await request.read()).seq == 2:
            return problem(status, kind) if kind else web.Response(status=status)
        return await cloud.take_batch(request)

    cloud.override = refusing
    async with link:
        await until(lambda: len(cloud.batches) == 2 and cloud.paths.count(f"GET /v1/sites/{SITE}/head") == 2)
        assert link.states[-1].refused is not None
        assert link.states[-1].refused.startswith(f"1/2: {status}")
        await keep(link.run, link.outbox, [6])
        link.uplink.nudge()
        await until(lambda: (2, 1) in cloud.batches)
    assert sorted(cloud.batches) == [(1, 1), (1, 3), (2, 1)]
    [remark] = await link.run(link.outbox.remarks)
    assert (remark.epoch, remark.seq, remark.result) == (1, 2, "refused")
    assert parse_batch(cloud.batches[2, 1]).prev == digest(cloud.batches[1, 3])


async def test_a_cloud_that_wants_to_be_left_alone_is(
    cloud: CloudDouble, client: CloudClient, outbox: Outbox, run: Runner, expected_logs: list[str]
) -> None:
    """Retry-After is honoured even when there is news; a batch told to wait is not set aside."""
    expected_logs.append(OUT_OF_STEP)
    await keep(run, outbox, [0])
    cloud.trouble = lambda request: (
        problem(429, "too-many-tries", {"Retry-After": "1"}) if request.path == "/v1/batches" else None
    )
    async with Watched(client, outbox, run) as link:
        await until(lambda: link.waits)
        cloud.trouble, asked, told = None, len(cloud.paths), time.monotonic()
        for _ in range(10):
            link.uplink.nudge()
            await asyncio.sleep(0.02)
        assert len(cloud.paths) == asked
        await until(lambda: cloud.batches)
        assert time.monotonic() - told > 0.8
    assert await run(outbox.remarks) == []


async def test_news_cut_the_wait_short(
    cloud: CloudDouble, client: CloudClient, outbox: Outbox, run: Runner, expected_logs: list[str]
) -> None:
    """Whoever waits minutes for the next try tries at once when an interval was kept."""
    expected_logs.append(OUT_OF_STEP)
    cloud.trouble = lambda _: problem(503, "unavailable")
    link = Watched(client, outbox, run)
    link.uplink._wait_s = lambda _: 600
    async with link:
        await until(lambda: link.states)
        cloud.trouble = None
        await asyncio.sleep(0.05)
        link.uplink.nudge()
        await until(lambda: link.states[-1].status == "connected")


async def test_a_full_outbox_goes_out_after_a_restart(
    cloud: CloudDouble, client: CloudClient, run: Runner, tmp_path: Path
) -> None:
    """What an earlier run sealed and what it only kept both arrive, under one chain."""
    outbox = await run(Outbox.open, tmp_path / "full.db")
    await run(outbox.meet, cloud.head())
    await keep(run, outbox, range(0, 20, 2))
    await run(outbox.seal, SITE, START, client.key.sign)
    await keep(run, outbox, range(20, 40, 2))
    await run(outbox.keep_incidents, [Incident(START, "clock")])
    await run(outbox.close)

    outbox = await run(Outbox.open, tmp_path / "full.db")
    async with Watched(client, outbox, run):
        await until(lambda: len(cloud.batches) == 20)
    await run(outbox.close)
    batches = cloud.parsed()
    assert [batch.seq for batch in batches] == list(range(1, 21))
    assert all(batch.prev == digest(to_bytes(before)) for before, batch in pairwise(batches))
    assert batches[10].incidents == (Incident(START, "clock"),)


async def test_a_restored_copy_goes_on_in_a_new_epoch(
    cloud: CloudDouble, client: CloudClient, run: Runner, tmp_path: Path
) -> None:
    """After a backup from earlier the cloud is asked, and no number goes out with other bytes."""
    path = tmp_path / "restored.db"

    async def live(numbers: Iterable[int], count: int) -> None:
        outbox = await run(Outbox.open, path)
        await keep(run, outbox, numbers)
        async with Watched(client, outbox, run):
            await until(lambda: len(cloud.batches) == count)
            await drained(run, outbox)
        await run(outbox.close)

    await live([0, 2], 2)
    backup = path.read_bytes()
    await live([4], 3)
    path.write_bytes(backup)
    await live([6], 4)
    assert sorted(cloud.batches) == [(1, 1), (1, 2), (1, 3), (2, 1)]
    assert len(cloud.arrivals) == len(set(cloud.arrivals)) == 4


async def test_trees_find_the_clouds_count(
    cloud: CloudDouble, client: CloudClient, outbox: Outbox, run: Runner
) -> None:
    """Where the cloud knows other trees under our numbers, ours becomes its next, and batches name that."""
    for rev in (1, 2):
        cloud.trees[rev] = to_bytes({"other": rev})
    await keep(run, outbox, [0])
    async with Watched(client, outbox, run):
        await until(lambda: cloud.batches)
    assert parse_tree(cloud.trees[3]).taps == TREE
    [batch] = cloud.parsed()
    assert batch.intervals is not None
    assert batch.intervals.tree_rev == 3


async def test_a_cloud_that_lost_trees_gets_them_again(
    cloud: CloudDouble, client: CloudClient, outbox: Outbox, run: Runner
) -> None:
    """It asks for the one before until it has them all."""
    await run(outbox.keep_tree, TREE, START)
    await run(outbox.mark_tree, 1)
    await run(outbox.keep_tree, {"main": TREE["main"]}, START)
    await run(outbox.mark_tree, 2)
    await run(outbox.keep_tree, TREE, START + 1800)
    async with Watched(client, outbox, run):
        await until(lambda: len(cloud.trees) == 3)
    assert [len(parse_tree(cloud.trees[rev]).taps) for rev in (1, 2, 3)] == [3, 1, 3]


async def test_a_refused_tree_holds_back_its_intervals_until_it_is_taken(
    cloud: CloudDouble, client: CloudClient, outbox: Outbox, run: Runner, expected_logs: list[str]
) -> None:
    """An owner the cloud does not know: told, tried again when the settings change, and then all goes out."""
    expected_logs.append("refuses tree 1")
    cloud.owners = {"anna"}
    await keep(run, outbox, [0])
    await run(outbox.keep_incidents, [Incident(START, "clock")])
    async with Watched(client, outbox, run) as link:
        await until(lambda: cloud.batches and link.states[-1].error)
        assert cloud.parsed()[0].intervals is None
        cloud.owners = {"anna", "ben"}
        cloud.settings = Settings(SITE, "village", "Village", 1800, 1, "anna", {"anna": "A", "ben": "B"})
        await until(lambda: cloud.sockets)
        await cloud.push(cloud.notify(notice("n9", "settings")))
        await until(lambda: len(cloud.batches) == 2)
        await until(lambda: link.states[-1].error is None)
    assert len(link.settings) == 2


async def test_the_mended_tree_takes_the_number_of_the_refused_one(
    cloud: CloudDouble, client: CloudClient, outbox: Outbox, run: Runner, expected_logs: list[str]
) -> None:
    """The owner of the tap is corrected at the site: the cloud sees revision 1, once."""
    expected_logs.append("refuses tree 1")
    cloud.owners = {"anna"}
    await keep(run, outbox, [])
    async with Watched(client, outbox, run) as link:
        await until(lambda: link.states and link.states[-1].error)
        await run(outbox.keep_tree, {**TREE, "ev": TreeTap("anna", "main")}, START)
        link.uplink.nudge()
        await until(lambda: cloud.trees)
    assert list(cloud.trees) == [1]


async def test_notices_are_done_once_and_in_time(
    cloud: CloudDouble, client: CloudClient, outbox: Outbox, run: Runner, expected_logs: list[str]
) -> None:
    """Delivered twice, expired, of another site, forged or garbled: only the good one is handed on, once."""
    expected_logs.extend(["not believed", "meant for site"])
    async with Watched(client, outbox, run, poll_s=600) as link:
        await until(lambda: cloud.sockets)
        good = cloud.notify(notice("n1"))
        await cloud.push(good)
        await cloud.push(good)
        await cloud.push(cloud.notify(notice("n2", expires_at=START)))
        await cloud.push(cloud.notify(notice("n3", site="site-2")))
        await cloud.push(cloud.notify(notice("n4"), CloudKey(bytes(32))))
        await cloud.push("garbled")
        await cloud.push(cloud.notify(notice("n5", "statement")))
        await until(lambda: "n5" in cloud.acknowledged)
    assert [item.id for item in link.notices] == ["n1", "n5"]
    assert cloud.acknowledged == ["n1", "n1", "n2", "n5"]


async def test_without_a_socket_notices_are_asked_for(
    cloud: CloudDouble, client: CloudClient, outbox: Outbox, run: Runner
) -> None:
    """Where no WebSocket comes through, they come a poll later, and the site counts as connected."""
    cloud.sockets_allowed = False
    async with Watched(client, outbox, run) as link:
        await until(lambda: link.states)
        cloud.notify(notice("n1"))
        await until(lambda: cloud.acknowledged)
        cloud.sockets_allowed = True
        await until(lambda: cloud.sockets)
    assert [item.id for item in link.notices] == ["n1"]
    assert link.states[-1].status == "connected"


async def test_it_ends_promptly_wherever_it_is(
    cloud: CloudDouble, client: CloudClient, outbox: Outbox, run: Runner, expected_logs: list[str]
) -> None:
    """Listening, waiting or in the middle of a request that hangs: ending takes no network."""
    expected_logs.append(OUT_OF_STEP)

    async def ended(link: Watched, condition: object) -> float:
        async with link:
            await until(condition)  # type: ignore[arg-type]
            begun = time.monotonic()
        return time.monotonic() - begun

    assert await ended(Watched(client, outbox, run, poll_s=600), lambda: cloud.sockets) < 1.5

    waiting = Watched(client, outbox, run)
    waiting.uplink._wait_s = lambda _: 600
    cloud.trouble = lambda _: problem(503, "unavailable")
    assert await ended(waiting, lambda: waiting.states) < 1
    cloud.trouble = None

    reached = asyncio.Event()

    async def hangs(_: web.Request) -> web.Response:
        reached.set()
        await asyncio.sleep(3)
        return problem(503, "unavailable")

    cloud.override = hangs
    await keep(run, outbox, [0])
    assert await ended(Watched(client, outbox, run), reached.is_set) < 1.5


async def test_a_callback_that_fails_is_logged_and_does_not_end_the_link(
    cloud: CloudDouble, client: CloudClient, outbox: Outbox, run: Runner, expected_logs: list[str]
) -> None:
    """One guard around each turn: a mistake of ours costs a turn, not the site's evidence."""
    expected_logs.extend(["The link failed", OUT_OF_STEP])
    await keep(run, outbox, [0])
    link = Watched(client, outbox, run)
    calls: list[Settings] = []

    def fails_once(settings: Settings) -> None:
        calls.append(settings)
        if len(calls) == 1:
            raise ZeroDivisionError

    link.uplink._on_settings = fails_once
    async with link:
        await until(lambda: cloud.batches)
    assert "ZeroDivisionError" in (link.states[0].error or "")


def test_waiting_grows_to_a_bound_and_is_never_in_step() -> None:
    """Full jitter: up to 1, 2, 4 … 512 s, so that a thousand sites do not come back together."""
    for failures, most in ((1, 1), (2, 2), (5, 16), (10, 512), (11, 512), (10_000, 512)):
        waits = [full_jitter(failures) for _ in range(200)]
        assert 0 <= min(waits) < most / 4
        assert most * 3 / 4 < max(waits) <= most
