"""The drivers against real servers: how they are let in, how pages end, and everything a maker's cloud does wrong."""

import asyncio
from base64 import b64encode
from collections.abc import Mapping
import gzip
from typing import Any

from aiohttp import web
import pytest

from cloud.hub.drivers import csv_url, rest
from cloud.hub.pull import client
from cloud.hub.pull.driver import PullFailed
from cloud.outbound import fault_of
from tests.cloud.conftest import NOON

from .pull_ground import Kept, making, page, pulled, rest as described, round_of

REST = rest.DRIVER


async def failure(
    url: str, *, private: bool = True, secrets: Mapping[str, str] | None = None, **more: Any
) -> PullFailed:
    """Pull once and return how it failed."""
    async with round_of(REST, described(url, **more), private=private, secrets=secrets or {}) as turn:
        with pytest.raises(PullFailed) as caught:
            await pulled(REST, turn)
    assert not any(value in str(caught.value) for value in (secrets or {}).values())
    return caught.value


async def test_only_what_is_new_is_asked_for_and_late_data_again() -> None:
    """The first round looks back so far, each later one from where the last ended, less the overlap."""
    async with making(page(("m", 0, 1))) as maker:
        spec = described(maker.url + "/d", query={"a": "{since}", "b": "{until}"}, times="seconds", overlap_seconds=100)
        async with round_of(REST, spec) as turn:
            assert [item.raw[:1] for item in await pulled(REST, turn)] == [b"{"]
            turn.now_ms += 900_000
            await pulled(REST, turn)
    spans = [(int(request.query["a"]) - NOON, int(request.query["b"]) - NOON) for request in maker.asked]
    assert spans == [(-86_400, 0), (-100, 900)]


async def test_a_long_time_is_asked_for_in_parts_and_devices_one_by_one() -> None:
    """Each device from where it stands; what does not fit into one round is left for the next, at once."""
    async with making(page()) as maker:
        spec = described(maker.url + "/{device}", query={"a": "{since}"}, window_seconds=3600, first_seconds=3 * 86_400)
        async with round_of(REST, spec, names=("x", "y/z")) as turn:
            assert len(await pulled(REST, turn)) == 2 * rest.WINDOWS_MAX
            assert turn.more
            turn.more = False
            items = await pulled(REST, turn)
            assert not turn.more
            assert {item.device for item in items} == {"x", "y/z"}
            assert turn.state["through_ms"] == {"x": NOON * 1000, "y/z": NOON * 1000}
    assert {request.raw_path.partition("?")[0] for request in maker.asked} == {"/x", "/y%2Fz"}


@pytest.mark.parametrize(
    ("auth", "secrets", "expected"),
    [
        ({"kind": "none"}, {}, None),
        ({"kind": "basic", "user": "hub"}, {"password": "pw"}, "Basic " + b64encode(b"hub:pw").decode()),
        ({"kind": "bearer"}, {"token": "t0"}, "Bearer t0"),
        ({"kind": "key", "name": "Authorization", "prefix": "Key "}, {"key": "k0"}, "Key k0"),
    ],
)
async def test_each_request_shows_what_lets_us_in(
    auth: dict[str, str], secrets: dict[str, str], expected: str | None
) -> None:
    """In the header its kind says."""
    async with making(page()) as maker, round_of(REST, described(maker.url, auth=auth), secrets=secrets) as turn:
        await pulled(REST, turn)
    assert maker.asked[0].headers.get("Authorization") == expected


async def test_a_key_in_the_query_is_escaped_and_never_said() -> None:
    """It is in the URL, so no error repeats a URL's query."""
    auth = {"kind": "key", "place": "query", "name": "apikey"}
    async with making(page()) as maker:
        spec = described(maker.url + "/?x=1", auth=auth)
        async with round_of(REST, spec, secrets={"key": "a&b=c"}) as turn:
            await pulled(REST, turn)
    assert maker.asked[0].query == {"x": "1", "apikey": "a&b=c"}
    error = await failure("http://127.0.0.1:9/", auth=auth, secrets={"key": "k3y-of-ours"})
    assert error.reason == "unreachable"


def token_server(tokens: list[dict[str, Any]], *, status: int = 200) -> Any:
    """Return a server that gives tokens in turn, and lets the last one in."""
    given: list[dict[str, Any]] = []

    async def answer(request: web.Request) -> web.Response:
        if request.path in ("/token", "/login"):
            given.append(tokens[min(len(given), len(tokens) - 1)])
            return web.json_response(given[-1], status=status)
        shown = request.headers.get("Authorization", "").removeprefix("Bearer ")
        return web.json_response(page(), status=200 if given and shown == given[-1].get("access_token") else 401)

    return answer


async def test_a_token_is_fetched_once_and_used_until_it_ends() -> None:
    """Client credentials; the next round finds it kept, and one that is refused is renewed once."""
    async with making(token_server([{"access_token": "t1", "expires_in": 600}, {"access_token": "t2"}])) as maker:
        auth = {"kind": "client_credentials", "token_url": maker.url + "/token", "client_id": "c", "scope": "read"}
        kept = Kept()
        async with round_of(
            REST, described(maker.url + "/d", auth=auth), secrets={"client_secret": "s"}, store=kept
        ) as turn:
            await pulled(REST, turn)
            await pulled(REST, turn)
            assert [request.path for request in maker.asked] == ["/token", "/d", "/d"]
            assert kept.values == [{"access_token": "t1", "access_until_ms": str((NOON + 570) * 1000)}]
            turn.kept = {**turn.kept, "access_token": "stolen"}
            await pulled(REST, turn)
            assert [request.path for request in maker.asked][3:] == ["/d", "/token", "/d"]


async def test_a_new_refresh_token_is_durable_before_anything_else_is_asked() -> None:
    """The one before is dead by then: lost on the way, nobody could let us in again."""
    order: list[str] = []
    server = token_server([{"access_token": "t1", "refresh_token": "r2"}])

    async def answer(request: web.Request) -> Any:
        order.append(request.path + " " + (await request.text()))
        return await server(request)

    async def keep(values: Mapping[str, str]) -> None:
        order.append("kept " + values["refresh_token"])

    async with making(answer) as maker:
        auth = {"kind": "refresh_token", "token_url": maker.url + "/token", "client_id": "c"}
        async with round_of(
            REST, described(maker.url + "/d", auth=auth), secrets={"refresh_token": "r1"}, store=keep
        ) as turn:
            await pulled(REST, turn)
    assert order == ["/token grant_type=refresh_token&refresh_token=r1&client_id=c", "kept r2", "/d "]


async def test_a_login_form_gives_a_session() -> None:
    """Its token stands where the description says; braces in a password are letters."""
    auth = {"kind": "login", "user": "u", "fields": {"name": "{user}", "pass": "{password}"}, "token": "access_token"}
    async with making(token_server([{"access_token": "session"}])) as maker:
        auth |= {"url": maker.url + "/login"}
        bodies: list[str] = []
        async with round_of(REST, described(maker.url + "/d", auth=auth), secrets={"password": '{user}"'}) as turn:
            await pulled(REST, turn)
        bodies = [await request.text() for request in maker.asked]
    assert bodies[0] == '{"name": "u", "pass": "{user}\\""}'


@pytest.mark.parametrize(
    ("given", "status", "reason"),
    [
        ({"error": "invalid_grant"}, 400, "refused"),
        ({"error": "invalid_client"}, 401, "refused"),
        ({"error": "invalid_request"}, 400, "answered"),
        ({"error": ["invalid_grant"]}, 400, "answered"),
        ({"error": {}}, 403, "refused"),
        ({"oops": 1}, 500, "answered"),
        ({"token": "t"}, 200, "unreadable"),
        ({"access_token": "a\nb"}, 200, "unreadable"),
        ({"access_token": "t", "expires_in": -5}, 200, None),
    ],
)
async def test_a_token_url_that_says_no_is_understood(given: dict[str, Any], status: int, reason: str | None) -> None:
    """Refused for good, failing for now, or not what OAuth2 says."""
    async with making(token_server([given], status=status)) as maker:
        auth = {"kind": "client_credentials", "token_url": maker.url + "/token", "client_id": "c"}
        async with round_of(REST, described(maker.url + "/d", auth=auth), secrets={"client_secret": "s"}) as turn:
            if reason is None:
                assert await pulled(REST, turn)
            else:
                with pytest.raises(PullFailed) as caught:
                    await pulled(REST, turn)
                assert caught.value.reason == reason


async def test_a_secret_that_is_not_set_is_named() -> None:
    """Nothing is called."""
    async with making(page()) as maker:
        error = await failure(maker.url, auth={"kind": "bearer"})
    assert (error.reason, maker.asked) == ("not-set", [])
    assert "'token'" in error.why


async def test_pages_follow_by_number_cursor_and_link() -> None:
    """Until the last one."""

    async def answer(request: web.Request) -> web.Response:
        at = int(request.query.get("p") or 0)
        more = {"next": str(at + 1), "link": f"/?p={at + 1}"} if at < 2 else {}
        rows = page(("m", at, at)) if at < 3 else page()
        headers = {"Link": f'</?p={at + 1}>; rel="next"'} if at < 2 else {}
        return web.json_response(rows | more, headers=headers)

    for paging, count in (
        ({"kind": "page", "first": 0, "items": "rows"}, 4),
        ({"kind": "page", "first": 0, "items": "rows", "size": 2}, 1),
        ({"kind": "cursor", "next": "next"}, 3),
        ({"kind": "link", "next": "link"}, 3),
        ({"kind": "link"}, 3),
    ):
        place = {"page": "{page}", "cursor": "{cursor}"}.get(str(paging["kind"]))
        async with making(answer) as maker:
            spec = described(maker.url + "/", paging=paging, query={"p": place} if place else {})
            async with round_of(REST, spec) as turn:
                assert len(await pulled(REST, turn)) == count, paging


async def test_a_kept_cursor_goes_on_where_the_last_round_ended() -> None:
    """For makers that hand out what is new since a mark."""

    async def answer(request: web.Request) -> web.Response:
        at = int(request.query.get("p") or 0)
        return web.json_response(page() | ({"next": at + 1} if at < 2 else {}))

    async with making(answer) as maker:
        paging = {"kind": "cursor", "next": "next", "keep": True}
        async with round_of(REST, described(maker.url, query={"p": "{cursor}"}, paging=paging)) as turn:
            await pulled(REST, turn)
            await pulled(REST, turn)
    assert [request.query.get("p") for request in maker.asked] == [None, "1", "2", "2"]


async def test_a_post_with_a_body_asks_too() -> None:
    """Some makers' clouds are asked so."""
    async with making(page()) as maker:
        spec = described(maker.url, method="POST", body='{"from":"{since}"}', first_seconds=0)
        async with round_of(REST, spec) as turn:
            await pulled(REST, turn)
        assert await maker.asked[0].text() == '{"from":"2026-11-21T12:00:00Z"}'


async def test_pages_without_an_end_end() -> None:
    """Those that go round in a circle, and those that are always new."""

    async def circle(request: web.Request) -> web.Response:
        return web.json_response(page() | {"next": {"a": "b", "b": "c"}.get(request.query.get("p", ""), "a")})

    async def endless(request: web.Request) -> web.Response:
        return web.json_response(page() | {"next": int(request.query.get("p") or 0) + 1})

    for answers in (circle, endless):
        async with making(answers) as maker:
            spec = {"query": {"p": "{cursor}"}, "paging": {"kind": "cursor", "next": "next"}}
            error = await failure(maker.url, query=spec["query"], paging=spec["paging"])
            assert error.reason == "too-many"


async def test_a_page_may_not_lead_to_another_server() -> None:
    """What lets us in is shown to nobody else."""
    async with making(page()) as other, making(page() | {"next": other.url + "/"}) as maker:
        error = await failure(maker.url, paging={"kind": "link", "next": "next"})
        assert (error.reason, other.asked) == ("redirected", [])
    async with making(page() | {"next": "http://[1/"}) as maker:
        assert (await failure(maker.url, paging={"kind": "link", "next": "next"})).reason == "redirected"


@pytest.mark.parametrize(
    ("status", "headers", "reason", "wait"),
    [
        (500, {}, "answered", None),
        (404, {}, "answered", None),
        (403, {}, "answered", None),
        (401, {}, "refused", None),
        (429, {"Retry-After": "120"}, "asked-to-wait", 120),
        (503, {}, "asked-to-wait", None),
        (302, {"Location": "http://127.0.0.1:1/"}, "unreachable", None),
        (302, {"Location": "file:///etc/passwd"}, "not-allowed", None),
        (302, {"Location": "http://[1/"}, "redirected", None),
        (302, {}, "redirected", None),
    ],
)
async def test_whatever_a_server_answers_has_a_name(
    status: int, headers: dict[str, str], reason: str, wait: int | None
) -> None:
    """And a server that asks for time gets it."""

    async def answer(_: web.Request) -> web.Response:
        return web.Response(status=status, headers=headers)

    async with making(answer) as maker:
        error = await failure(maker.url + "/d")
    assert (error.reason, error.wait_seconds) == (reason, wait)


async def test_a_short_wait_is_waited_for() -> None:
    """The same request then succeeds."""
    answers = iter([429, 200])

    async def answer(_: web.Request) -> web.Response:
        return web.json_response(page(), status=next(answers), headers={"Retry-After": "0"})

    async with making(answer) as maker, round_of(REST, described(maker.url)) as turn:
        assert len(await pulled(REST, turn)) == 1


@pytest.mark.parametrize(
    "location",
    ["https://127.0.0.1/", "https://[::ffff:127.0.0.1]/", "https://localhost/", "http://example.org/", "https://10.1/"],
)
async def test_a_redirect_is_judged_like_a_url(location: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A maker's cloud cannot lead us into our own network."""

    async def answer(_: web.Request) -> web.Response:
        return web.Response(status=302 if len(maker.asked) > 1 else 200, headers={"Location": location})

    async with making(answer) as maker:
        judge = fault_of

        def only_the_first(url: str, *, private: bool, letters_max: int) -> Any:
            """Let the test's own server be called, as if it stood outside."""
            return None if url.startswith(maker.url) else judge(url, private=private, letters_max=letters_max)

        monkeypatch.setattr(client, "fault_of", only_the_first)
        async with round_of(REST, described(maker.url)) as turn:
            await turn.ask("GET", maker.url)  # connects, since the rest of this round is as if it stood outside
            assert isinstance(turn.ask, client.Fetch)
            turn.ask.client.private = False
            with pytest.raises(PullFailed) as caught:
                await pulled(REST, turn)
    assert caught.value.reason == "not-allowed"
    assert len(maker.asked) == 2


async def test_without_the_setting_nothing_inside_is_called() -> None:
    """Whatever the description says."""
    async with making(page()) as maker:
        error = await failure(maker.url, private=False)
        assert (error.reason, maker.asked) == ("not-allowed", [])


async def test_what_lets_us_in_does_not_follow_a_redirect_to_another_server() -> None:
    """The answer is taken, and the other server has seen no password."""
    async with making(page()) as other:

        async def away(_: web.Request) -> web.Response:
            return web.Response(status=302, headers={"Location": other.url})

        async with making(away) as maker:
            spec = described(maker.url, auth={"kind": "bearer"})
            async with round_of(REST, spec, secrets={"token": "t0"}) as turn:
                assert len(await pulled(REST, turn)) == 1
        assert "Authorization" not in other.asked[0].headers
        assert maker.asked[0].headers["Authorization"] == "Bearer t0"


async def test_a_huge_answer_is_left_where_it_grows_too_large(monkeypatch: pytest.MonkeyPatch) -> None:
    """As it is, packed, and all answers of a round together; so is one without an end."""
    sent = 0

    async def huge(request: web.Request) -> web.StreamResponse:
        nonlocal sent
        response = web.StreamResponse()
        await response.prepare(request)
        for _ in range(1600):  # 100 MiB
            await response.write(b" " * 65_536)
            sent += 65_536
        return response

    async with making(huge) as maker:
        assert (await failure(maker.url)).reason == "too-large"
    assert sent < 20 * client.ANSWER_BYTES_MAX

    async def bomb(_: web.Request) -> web.Response:
        return web.Response(
            body=gzip.compress(b" " * 10 * client.ANSWER_BYTES_MAX), headers={"Content-Encoding": "gzip"}
        )

    async with making(bomb) as maker:
        assert (await failure(maker.url)).reason == "too-large"

    monkeypatch.setattr(client, "ROUND_BYTES_MAX", 500)
    endless = {"query": {"p": "{page}"}, "paging": {"kind": "page", "items": "rows"}}
    async with making(page(("m", 0, 1))) as maker:
        assert (await failure(maker.url, paging=endless["paging"], query=endless["query"])).reason == "too-many"
    monkeypatch.setattr(client, "REQUESTS_MAX", 3)
    monkeypatch.setattr(client, "ROUND_BYTES_MAX", 5000)
    async with making(page(("m", 0, 1))) as maker:
        assert (await failure(maker.url, paging=endless["paging"], query=endless["query"])).reason == "too-many"


async def test_a_time_whose_answer_is_too_large_is_asked_for_in_halves(monkeypatch: pytest.MonkeyPatch) -> None:
    """Until it fits; nothing of it is left out, and an answer that fits no time at all ends the round."""
    monkeypatch.setattr(client, "ANSWER_BYTES_MAX", 8000)
    seconds_per_byte = 1

    async def answer(request: web.Request) -> web.Response:
        length = int(request.query["b"]) - int(request.query["a"])
        return web.Response(text=" " * (length * seconds_per_byte))

    spec = {"query": {"a": "{since}", "b": "{until}"}, "times": "seconds", "first_seconds": 20_000}
    async with making(answer) as maker:
        async with round_of(REST, described(maker.url, **spec)) as turn:
            items = await pulled(REST, turn)
            assert [len(item.raw) for item in items] == [5000] * 4
            assert turn.state["through_ms"] == {"": NOON * 1000}
        seconds_per_byte = 1000
        async with round_of(REST, described(maker.url, **spec)) as turn:
            with pytest.raises(PullFailed) as caught:
                await pulled(REST, turn)
    assert (caught.value.reason, dict(turn.state)) == ("too-large", {})


async def test_a_server_that_hangs_or_drips_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    """Before its headers, and in the middle of its answer."""
    monkeypatch.setattr(client, "ASK_SECONDS_MAX", 0.2)

    async def hang(_: web.Request) -> web.Response:
        await asyncio.sleep(30)
        raise AssertionError

    async def drip(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        while True:
            await response.write(b" ")
            await asyncio.sleep(0.02)

    for answers in (hang, drip):
        async with making(answers) as maker:
            assert (await failure(maker.url)).reason == "too-slow"


async def test_garbage_is_yielded_before_the_round_ends_for_it() -> None:
    """It is kept as it came; what cannot be read has no next page."""

    async def garbage(_: web.Request) -> web.Response:
        return web.Response(text="<html>maintenance")

    async with making(garbage) as maker:
        paging = {"kind": "cursor", "next": "next"}
        async with round_of(REST, described(maker.url, query={"c": "{cursor}"}, paging=paging)) as turn:
            pulls = REST.pull(turn)
            assert (await anext(pulls)).raw == b"<html>maintenance"
            with pytest.raises(PullFailed) as caught:
                await anext(pulls)
        assert (caught.value.reason, dict(turn.state)) == ("unreadable", {})


async def test_a_market_publishes_a_file_a_day() -> None:
    """Tomorrow's is asked for until it is there; a day that was read is asked for again only while it may change."""
    there = {"/20261119.csv", "/20261120.csv", "/20261121.csv", "/20261122.csv"}

    async def answer(request: web.Request) -> web.Response:
        return web.Response(text="a,b\n1,2\n", status=200 if request.path in there else 404)

    async with making(answer) as maker:
        spec = {"url": maker.url + "/{date:%Y%m%d}.csv", "time_zone": "Asia/Tokyo", "first_days": 2, "per_minute": 600}
        async with round_of(csv_url.DRIVER, spec) as turn:
            assert len(await pulled(csv_url.DRIVER, turn)) == 4
            assert turn.state == {"read": "2026-11-22"}
            maker.asked.clear()
            turn.now_ms += 86_400_000
            assert len(await pulled(csv_url.DRIVER, turn)) == 2
            assert [request.path for request in maker.asked] == ["/20261121.csv", "/20261122.csv", "/20261123.csv"]


async def test_a_server_is_not_asked_faster_than_its_source_says() -> None:
    """However many devices there are."""
    async with making(page()) as maker, round_of(REST, described(maker.url)) as turn:
        assert isinstance(turn.ask, client.Fetch)
        turn.ask.per_minute = 1200
        began = asyncio.get_running_loop().time()
        for _ in range(3):
            await turn.ask("GET", maker.url)
        assert asyncio.get_running_loop().time() - began >= 0.1
