"""The client over a real connection: what it sends, what it believes, and how it says what went wrong."""

import asyncio
from dataclasses import replace

import aiohttp
from aiohttp import web
import pytest

from custom_components.commonwatt.errors import BadSignature, CloudRefused, CloudUnreachable, NotAuthorised
from custom_components.commonwatt.link import CloudClient, KeptTree, SealedBatch, pair
from custom_components.commonwatt.link.packing import columns_of
from custom_components.commonwatt.wire import (
    BODY_BYTES_MAX,
    GENESIS,
    SIGNATURE_HEADER,
    Answer,
    Batch,
    Head,
    Notice,
    digest,
    parse_answer,
    parse_tree,
    to_bytes,
)

from .cloud_double import SETTINGS, CloudDouble, CloudKey, problem
from .conftest import client_of, until
from .material import SITE, START, TREE, interval, key


def sealed(seq: int = 1) -> SealedBatch:
    """Return a batch as the outbox would."""
    raw = to_bytes(Batch(SITE, 1, seq, GENESIS, START, columns_of([interval(0)])))
    return SealedBatch(1, seq, raw, key().sign(raw), digest(raw))


def signed(message: object, by: CloudKey) -> web.Response:
    """Return an answer signed by a key."""
    raw = to_bytes(message)
    return web.Response(body=raw, headers={SIGNATURE_HEADER: by.sign(raw)})


async def test_a_site_joins_with_a_code(cloud: CloudDouble, session: aiohttp.ClientSession) -> None:
    """The request carries the key it is signed with; the answer names the site, its secret and the cloud's key."""
    paired = await pair(session, cloud.url, key(), code="GOOD-CODE", name="Home", time_zone="Europe/Berlin")
    assert (paired.site, paired.client_secret, paired.cloud_key) == (SITE, "secret", cloud.key.public_key)


async def test_a_refused_code_says_why(cloud: CloudDouble, session: aiohttp.ClientSession) -> None:
    """The problem's type, detail and reference reach whoever asked."""
    with pytest.raises(CloudRefused) as caught:
        await pair(session, cloud.url, key(), code="BAD-CODE", name="Home", time_zone="UTC")
    refused = caught.value
    assert (refused.status, refused.problem_type) == (403, "pairing-code-refused")
    assert refused.detail == "because pairing-code-refused (reference r-1)"


async def test_too_many_tries_say_when_to_come_back(cloud: CloudDouble, session: aiohttp.ClientSession) -> None:
    """Retry-After is kept."""
    cloud.trouble = lambda _: problem(429, "too-many-tries", {"Retry-After": "90"})
    with pytest.raises(CloudRefused) as caught:
        await pair(session, cloud.url, key(), code="GOOD-CODE", name="Home", time_zone="UTC")
    assert (caught.value.status, caught.value.retry_after_s) == (429, 90)


async def test_settings_and_head_are_the_clouds_own_words(client: CloudClient, cloud: CloudDouble) -> None:
    """Both are signed over the raw body."""
    assert await client.settings() == SETTINGS
    assert await client.head() == Head(SITE, 0, 0, GENESIS)
    assert cloud.tokens == 1


async def test_unsigned_or_forged_words_are_not_believed(client: CloudClient, cloud: CloudDouble) -> None:
    """No signature, another's signature, and a signed head of another site are all refused."""
    forger = CloudKey(bytes(32))
    head = Head(SITE, 7, 7, GENESIS)

    def answers(response: web.Response) -> None:
        cloud.trouble = lambda request: response if request.path.endswith("/head") else None

    for response in (
        web.Response(body=to_bytes(head)),
        signed(head, forger),
        web.Response(body=to_bytes(head) + b" ", headers={SIGNATURE_HEADER: cloud.key.sign(to_bytes(head))}),
        signed(replace(head, site="site-2"), cloud.key),
    ):
        answers(response)
        with pytest.raises(BadSignature):
            await client.head()


async def test_a_batch_is_sent_as_it_was_signed(client: CloudClient, cloud: CloudDouble) -> None:
    """Raw bytes, detached signature; the answer is bound to them."""
    batch = sealed()
    answer = await client.send(batch)
    assert (answer.result, answer.hash) == ("created", batch.hash)
    assert cloud.batches == {(1, 1): batch.raw}
    assert (await client.send(batch)).result == "exists"


async def test_an_answer_about_another_batch_is_not_believed(client: CloudClient, cloud: CloudDouble) -> None:
    """Signed by the cloud, but for other bytes, another number or another site."""
    batch = sealed()
    right = Answer(SITE, 1, 1, batch.hash, "created", 1, 0, 0)
    for wrong in (
        replace(right, hash=GENESIS),
        replace(right, seq=2),
        replace(right, epoch=2),
        replace(right, site="x"),
    ):
        response = signed(wrong, cloud.key)
        cloud.trouble = lambda request, response=response: response if request.path == "/v1/batches" else None
        with pytest.raises(BadSignature):
            await client.send(batch)


async def test_clocks_are_compared_on_the_way(client: CloudClient, cloud: CloudDouble) -> None:
    """Four times give the cloud's clock minus ours, whatever the way there takes."""
    assert client.clock_offset_ms is None
    cloud.clock_ahead_ms = -7_000
    await client.send(sealed())
    assert client.clock_offset_ms == pytest.approx(-7_000, abs=500)


async def test_a_stored_answer_says_nothing_about_the_clock(client: CloudClient, cloud: CloudDouble) -> None:
    """Times that echo another sending are not used."""
    batch = sealed()
    stored = signed(Answer(SITE, 1, 1, batch.hash, "exists", 1, 10, 20, echo_ms=5), cloud.key)
    cloud.trouble = lambda request: stored if request.path == "/v1/batches" else None
    assert parse_answer(bytes(stored.body)).echo_ms == 5  # type: ignore[arg-type]
    await client.send(batch)
    assert client.clock_offset_ms is None


async def test_a_tree_is_put_under_its_revision(client: CloudClient, cloud: CloudDouble) -> None:
    """Signed by the site, answered with the cloud's signature."""
    answer = await client.put_tree(KeptTree(1, START, TREE))
    assert (answer.rev, answer.result) == (1, "created")
    assert parse_tree(cloud.trees[1]).taps == TREE


async def test_a_token_that_ran_out_is_fetched_anew_once(client: CloudClient, cloud: CloudDouble) -> None:
    """One 401 costs one more request, not the connection."""
    await client.head()
    cloud.token_valid = False
    await client.head()
    assert cloud.tokens == 2
    assert cloud.paths.count("POST /v1/token") == 2


async def test_two_requests_at_once_fetch_one_token(client: CloudClient, cloud: CloudDouble) -> None:
    """The second waits for the first one's."""
    await asyncio.gather(client.head(), client.settings(), client.notices())
    assert cloud.tokens == 1


async def test_a_site_the_cloud_no_longer_knows_is_told_apart(
    cloud: CloudDouble, session: aiohttp.ClientSession
) -> None:
    """A wrong secret, a fresh token that is refused, and a door the cloud closed all mean: pair again."""
    with pytest.raises(NotAuthorised):
        await client_of(cloud, session, secret="old").head()
    cloud.trouble = lambda request: None if request.path == "/v1/token" else problem(401, "not-authorised")
    with pytest.raises(NotAuthorised):
        await client_of(cloud, session).head()
    with pytest.raises(CloudUnreachable, match="fresh token"):  # a handshake cannot tell whose 401 it is
        async with client_of(cloud, session).socket():
            pass
    cloud.trouble = lambda request: None if request.path == "/v1/token" else problem(403, "forbidden")
    with pytest.raises(NotAuthorised):
        await client_of(cloud, session).head()


async def test_a_proxy_in_the_way_is_no_verdict_about_the_site(client: CloudClient, cloud: CloudDouble) -> None:
    """A 401 or 403 that is no problem of the cloud's, a redirect or a page: an error, not the end of the pairing."""
    for response in (
        web.Response(status=401, text="<html>sign in to the hotel</html>"),
        web.Response(status=403, text="<html>blocked</html>"),
        web.Response(status=302, headers={"Location": "http://elsewhere.invalid/"}),
    ):
        cloud.trouble = lambda _, response=response: response
        with pytest.raises(CloudRefused) as caught:
            await client.head()
        assert not isinstance(caught.value, NotAuthorised)
        assert caught.value.problem_type == ""
    cloud.trouble = lambda _: web.Response(text="<html>hello</html>")
    with pytest.raises(CloudUnreachable, match="words not known"):
        await client.head()


@pytest.mark.parametrize("status", [500, 502, 503])
async def test_a_cloud_in_trouble_is_out_of_reach(client: CloudClient, cloud: CloudDouble, status: int) -> None:
    """Its own mistakes are not ours: come back later, when it says so if it does."""
    cloud.trouble = lambda _: problem(status, "unavailable", {"Retry-After": "999999"})
    with pytest.raises(CloudUnreachable) as caught:
        await client.head()
    assert caught.value.retry_after_s == 3600


@pytest.mark.parametrize("header", ["soon", "-5", "Wed, 21 Oct 2026 07:28:00 GMT", "1e9"])
async def test_a_strange_retry_after_is_left_aside(client: CloudClient, cloud: CloudDouble, header: str) -> None:
    """Nothing a header says can stop the site, or make it hammer."""
    cloud.trouble = lambda _: problem(503, "unavailable", {"Retry-After": header})
    with pytest.raises(CloudUnreachable) as caught:
        await client.head()
    assert caught.value.retry_after_s is None


async def test_an_endless_answer_is_cut_off(client: CloudClient, cloud: CloudDouble) -> None:
    """No answer fills the memory."""
    cloud.trouble = lambda _: web.Response(body=b" " * (BODY_BYTES_MAX + 1))
    with pytest.raises(CloudUnreachable, match="larger"):
        await client.head()


@pytest.mark.parametrize("url", ["http://127.0.0.1:9", "http://", "no url at all"])
async def test_nobody_at_the_address_is_out_of_reach(session: aiohttp.ClientSession, url: str) -> None:
    """A refused connection and an address that is none are the same to the site."""
    with pytest.raises(CloudUnreachable):
        await pair(session, url, key(), code="C", name="Home", time_zone="UTC")


@pytest.mark.parametrize("body", [b"[]", b"{}", b'{"notices":[1]}', b'{"notices":"x"}', b"\xff"])
async def test_notices_that_are_no_list_of_texts_are_refused(
    client: CloudClient, cloud: CloudDouble, body: bytes
) -> None:
    """A wrong answer is an error, never an empty list."""
    cloud.trouble = lambda request: web.Response(body=body) if request.path.endswith("/notices") else None
    with pytest.raises(CloudUnreachable):
        await client.notices()


@pytest.mark.parametrize("expected_lingering_timers", [True])  # aiohttp's, of a closed socket's heartbeat
async def test_notices_come_over_the_socket_and_are_acknowledged_on_it(client: CloudClient, cloud: CloudDouble) -> None:
    """What waited comes at once."""
    token = cloud.notify(Notice("n1", SITE, "balance", START, START + 60, {}))
    async with client.socket() as socket:
        async for received in socket:
            assert received == token
            await socket.acknowledge("n1")
            break
        await until(lambda: cloud.acknowledged)
    assert cloud.acknowledged == ["n1"]
    assert await client.notices() == []


@pytest.mark.parametrize("expected_lingering_timers", [True])  # aiohttp's, of a closed socket's heartbeat
async def test_a_socket_opens_with_a_fresh_token_if_the_old_one_is_refused(
    client: CloudClient, cloud: CloudDouble
) -> None:
    """The socket is no second way to lose the pairing."""
    await client.head()
    cloud.token_valid = False
    async with client.socket():
        assert cloud.tokens == 2


async def test_a_socket_that_cannot_be_had_is_out_of_reach(client: CloudClient, cloud: CloudDouble) -> None:
    """Some networks let no WebSocket through."""
    cloud.sockets_allowed = False
    with pytest.raises(CloudUnreachable, match="no socket"):
        async with client.socket():
            pass
