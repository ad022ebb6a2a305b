"""Notices: kept until acknowledged, pushed within two seconds, signed, and never disturbed by a bad client."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

from aiohttp import ClientWebSocketResponse, WSMsgType
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
import pytest

from cloud.notice import http
from cloud.notice.http import BELL
from cloud.notice.store import NOTICES_PAGE_MAX, notice_table, post
from cloud.sites.access.credentials import TOKEN_SECONDS
from cloud.wire import Notice, compact_parts, from_base64url, parse_notice

from .conftest import COMMUNITY, NOON, Cloud, Site

DAY = 86_400


@pytest.fixture
def expected_lingering_timers() -> bool:
    """Allow the heartbeat timer aiohttp leaves behind when the server closes a socket first."""
    return True


async def tell(cloud: Cloud, site: Site, kind: str = "balance", body: Any = None, seconds: int = DAY) -> str:
    """Post a notice as a room of the cloud does, in a transaction of its own; nobody rings."""
    at = cloud.clock() // 1000
    said = {"n": 1} if body is None else body
    return await cloud.database.write(post, COMMUNITY, site.site, kind, said, issued_at=at, expires_at=at + seconds)


def opened(cloud: Cloud, token: str) -> Notice:
    """Verify a pushed notice as a site does."""
    kid, payload, signed, mark = compact_parts(token)
    assert kid == cloud.key.kid
    Ed25519PublicKey.from_public_bytes(from_base64url(cloud.key.public_key, "key")).verify(mark, signed)
    return parse_notice(payload)


async def listed(site: Site) -> list[str]:
    """Return the ids of the notices a site is shown when it asks."""
    tokens = (await site.get("notices")).json["notices"]
    return [opened(site.cloud, token).id for token in tokens]


@asynccontextmanager
async def socket_of(site: Site) -> AsyncIterator[ClientWebSocketResponse]:
    """Open the site's WebSocket."""
    headers = {"Authorization": f"Bearer {site.token}"}
    async with site.cloud.client.ws_connect(f"/v1/sites/{site.site}/ws", headers=headers) as socket:
        yield socket


async def heard(cloud: Cloud, socket: ClientWebSocketResponse) -> Notice:
    """Wait for the next notice; two seconds is the promise."""
    async with asyncio.timeout(2):
        return opened(cloud, await socket.receive_str())


async def silent(socket: ClientWebSocketResponse) -> bool:
    """Tell whether nothing comes for a while."""
    with suppress(TimeoutError):
        async with asyncio.timeout(1.3):
            await socket.receive()
            return False
    return True


async def acknowledged(cloud: Cloud, notice: str) -> None:
    """Wait until a notice is noted as acknowledged."""
    async with asyncio.timeout(2):
        while not (await cloud.rows(notice_table, notice=notice))[0].acked_at:  # noqa: ASYNC110 - a database rings no bell
            await asyncio.sleep(0.02)


async def test_a_notice_is_shown_until_it_is_acknowledged(cloud: Cloud, site: Site) -> None:
    """Asked for again it comes again; acknowledged twice it is done once."""
    notice = await tell(cloud, site, body={"owner": "anna", "balance_micro": -5})
    (token,) = (await site.get("notices")).json["notices"]
    shown = opened(cloud, token)
    assert (shown.id, shown.site, shown.kind, shown.issued_at, shown.expires_at) == (
        notice,
        site.site,
        "balance",
        NOON,
        NOON + DAY,
    )
    assert shown.body == {"owner": "anna", "balance_micro": -5}
    assert await listed(site) == [notice]
    for _ in range(2):
        path = f"/v1/sites/{site.site}/notices/{notice}/ack"
        assert (await cloud.call("POST", path, token=site.token)).status == 204
        assert await listed(site) == []


async def test_a_stranger_acknowledges_nothing(cloud: Cloud, site: Site) -> None:
    """Neither an id nobody was sent nor a neighbour's."""
    neighbour = await cloud.join()
    notice = await tell(cloud, site)
    for who, what in ((site, "unknown"), (neighbour, notice)):
        reply = await cloud.call("POST", f"/v1/sites/{who.site}/notices/{what}/ack", token=who.token)
        assert reply.problem == "not-found"
    assert await listed(site) == [notice]
    assert await listed(neighbour) == []


async def test_a_newer_balance_overtakes_the_older(cloud: Cloud, site: Site) -> None:
    """Only how things stand now is worth telling; other kinds are each told."""
    await tell(cloud, site)
    other = [await tell(cloud, site, "owner") for _ in range(2)]
    newest = await tell(cloud, site)
    assert sorted(await listed(site)) == sorted([*other, newest])
    assert await cloud.count(notice_table) == 4


async def test_sites_hear_that_their_community_changed(cloud: Cloud, site: Site) -> None:
    """A new owner, another name: told once to every site of it, so that they fetch their settings; else nothing."""
    await cloud.found("hillside")
    elsewhere = await cloud.join("hillside")
    for _ in range(2):
        await cloud.operator("PUT", f"{COMMUNITY}/owners/eve", {"name": "Eve"})
    (notice,) = await cloud.rows(notice_table)
    assert (notice.site, notice.kind, notice.superseded_by) == (site.site, "settings", None)
    await cloud.operator("PUT", f"{COMMUNITY}/owners/eve", {"name": "Eva"})
    (token,) = (await site.get("notices")).json["notices"]
    assert opened(cloud, token).kind == "settings"
    assert await listed(elsewhere) == []


async def test_an_expired_notice_is_not_shown(cloud: Cloud, site: Site) -> None:
    """It would be refused anyway."""
    await tell(cloud, site, seconds=60)
    cloud.clock.forward(60)
    assert await listed(site) == []


async def test_a_page_holds_the_oldest(cloud: Cloud, site: Site) -> None:
    """More come when these are acknowledged."""
    notices = [await tell(cloud, site, "owner") for _ in range(NOTICES_PAGE_MAX + 1)]
    assert await listed(site) == notices[:-1]


async def test_a_notice_is_pushed_within_two_seconds(cloud: Cloud, site: Site) -> None:
    """Posted by any process, for nobody rang; acknowledged over the same line and never sent again."""
    async with socket_of(site) as socket:
        notice = await tell(cloud, site)
        assert (await heard(cloud, socket)).id == notice
        await socket.send_json({"ack": notice})
        await acknowledged(cloud, notice)
        assert await silent(socket)
    assert await listed(site) == []


async def test_a_bell_is_faster_than_looking(cloud: Cloud, site: Site) -> None:
    """Who posts in this process rings, and the notice goes at once."""
    async with socket_of(site) as socket:
        for _ in range(5):
            notice = await tell(cloud, site)
            cloud.client.app[BELL].ring()
            async with asyncio.timeout(0.5):
                assert opened(cloud, await socket.receive_str()).id == notice


async def test_what_was_not_acknowledged_comes_again_on_the_next_connection(cloud: Cloud, site: Site) -> None:
    """Delivered twice rather than never; on one connection once."""
    notice = await tell(cloud, site)
    for _ in range(2):
        async with socket_of(site) as socket:
            assert (await heard(cloud, socket)).id == notice
            assert await silent(socket)


async def test_more_than_a_page_is_pushed(cloud: Cloud, site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second page follows as the first is acknowledged."""
    monkeypatch.setattr("cloud.notice.store.NOTICES_PAGE_MAX", 3)
    notices = [await tell(cloud, site, "owner") for _ in range(7)]
    async with socket_of(site) as socket:
        for notice in notices:
            assert (await heard(cloud, socket)).id == notice
            await socket.send_json({"ack": notice})


@pytest.mark.parametrize("frame", ["", "x", "{}", "[]", '{"ack":1}', '{"ack":"a b"}', '{"ack":"a","ack":"b"}', b"{}"])
async def test_a_bad_frame_ends_one_connection_only(cloud: Cloud, site: Site, frame: str | bytes) -> None:
    """The one who sent it has to come again; the neighbour hears what there is."""
    neighbour = await cloud.join()
    async with socket_of(neighbour) as good, socket_of(site) as bad:
        await (bad.send_str(frame) if isinstance(frame, str) else bad.send_bytes(frame))
        assert (await bad.receive()).type is WSMsgType.CLOSE
        assert bad.close_code == 1008
        notice = await tell(cloud, neighbour)
        assert (await heard(cloud, good)).id == notice


async def test_a_huge_frame_ends_its_connection(cloud: Cloud, site: Site) -> None:
    """Nobody fills the memory through the socket."""
    async with socket_of(site) as socket:
        await socket.send_str("x" * 100_000)
        assert (await socket.receive()).type is WSMsgType.CLOSE
        assert socket.close_code == 1009


async def test_an_unknown_acknowledgement_changes_nothing(cloud: Cloud, site: Site) -> None:
    """It may be of a notice that was overtaken long ago."""
    async with socket_of(site) as socket:
        await socket.send_json({"ack": "unknown"})
        notice = await tell(cloud, site)
        assert (await heard(cloud, socket)).id == notice


async def test_a_second_connection_replaces_the_first(cloud: Cloud, site: Site) -> None:
    """The older one is dead, or a copy of the site."""
    async with socket_of(site) as first, socket_of(site) as second:
        assert (await first.receive()).type is WSMsgType.CLOSE
        notice = await tell(cloud, site)
        assert (await heard(cloud, second)).id == notice


async def test_a_connection_ends_with_its_token(cloud: Cloud, site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever may not come in any more does not stay in either."""
    monkeypatch.setattr(http, "LOOK_SECONDS", 0.05)
    async with socket_of(site) as socket:
        cloud.clock.forward(TOKEN_SECONDS)
        async with asyncio.timeout(2):
            assert (await socket.receive()).type is WSMsgType.CLOSE


async def test_the_cloud_says_goodbye(cloud: Cloud, site: Site) -> None:
    """A cloud that stops ends its connections at once, so that sites look for it again."""
    async with socket_of(site) as socket:
        cloud.client.app[BELL].close()
        async with asyncio.timeout(2):
            assert (await socket.receive()).type is WSMsgType.CLOSE
        assert socket.close_code == 1001
