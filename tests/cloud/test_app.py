"""The service at its rim: what goes wrong is told as a problem, found in the log, and hurts nobody else."""

import asyncio
from collections.abc import Iterator
import io
import json
import logging
import socket
from typing import Any

import pytest

from cloud import logs, problem
from cloud.errors import Unavailable
from cloud.wire import SIGNATURE_HEADER

from .conftest import COMMUNITY, Cloud, Site


async def test_the_cloud_is_healthy(cloud: Cloud) -> None:
    """A cloud that has started answers for its database."""
    reply = await cloud.call("GET", "/healthz")
    assert (reply.status, reply.json) == (200, {"status": "ok"})
    assert reply.headers["Cache-Control"] == "no-store"


async def test_a_cloud_without_its_database_is_not_healthy(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    """It says so, and when to come again."""

    async def fail(*_: Any) -> None:
        raise Unavailable("the disk is full")

    monkeypatch.setattr(cloud.database, "read", fail)
    reply = await cloud.call("GET", "/healthz")
    assert (reply.status, reply.problem) == (503, "unavailable")
    assert int(reply.headers["Retry-After"]) > 0


@pytest.mark.parametrize("path", ["/", "/v1", "/v1/sites/x/", "/v2/batches", "/../etc/passwd", "/%00"])
async def test_nothing_is_served_elsewhere(cloud: Cloud, path: str) -> None:
    """Unknown paths are a problem like any other."""
    assert (await cloud.call("GET", path)).problem == "not-found"


async def test_a_wrong_method_names_the_right_ones(cloud: Cloud) -> None:
    """As HTTP asks."""
    reply = await cloud.call("DELETE", "/v1/batches")
    assert (reply.status, reply.problem, reply.headers["Allow"]) == (405, "method-not-allowed", "POST")


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "identity"])
async def test_a_packed_body_is_refused(cloud: Cloud, site: Site, encoding: str) -> None:
    """What is signed is what is sent, and nothing unpacks to more than it was."""
    headers = {"Content-Encoding": encoding}
    reply = await site.post(b"x" * 100, headers=headers)
    assert (reply.status, reply.problem) == (415, "encoding-refused")


async def raw_request(cloud: Cloud, *pieces: bytes, pause_s: float = 0) -> bytes:
    """Send bytes as they are, and read the first line that comes."""
    reader, writer = await asyncio.open_connection("127.0.0.1", cloud.client.port)
    try:
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(pause_s)
        async with asyncio.timeout(5):
            return await reader.readline()
    finally:
        writer.close()


HEAD = b"POST /v1/batches HTTP/1.1\r\nHost: cloud.test\r\nConnection: close\r\n"


CHUNKED = b"Transfer-Encoding: chunked\r\n\r\n"


@pytest.mark.parametrize(
    "chunk",
    [b"not a length\r\n", b"5\r\nab\r\n0\r\n\r\n", b"-1\r\n", b"\xff" * 100_000],
    ids=["no length", "too short", "negative", "garbage"],
)
@pytest.mark.parametrize("pause_s", [0, 0.05])
async def test_a_body_that_breaks_http_is_refused(
    cloud: Cloud, chunk: bytes, pause_s: float, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At once, or, if it breaks after a good beginning, when its time is over; without a traceback, it is not ours."""
    monkeypatch.setattr(problem, "BODY_SECONDS_MAX", 0.3)
    monkeypatch.setattr(logging.getLogger("aiohttp.server"), "filters", [logs.callers_fault])
    assert (await raw_request(cloud, HEAD + CHUNKED, chunk, pause_s=pause_s)).split()[1] in (b"400", b"408")
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR or record.exc_info]
    assert (await cloud.call("GET", "/healthz")).status == 200


async def test_a_body_that_drips_is_given_up(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    """A slow sender gets 408, others are served meanwhile."""
    monkeypatch.setattr(problem, "BODY_SECONDS_MAX", 0.2)
    dripping = asyncio.create_task(raw_request(cloud, HEAD + b"Content-Length: 100\r\n\r\n", b"x", b"x", pause_s=0.05))
    assert (await cloud.call("GET", "/healthz")).status == 200
    assert (await dripping).startswith(b"HTTP/1.1 408")


async def test_a_caller_who_hangs_up_is_no_mistake_of_ours(cloud: Cloud, caplog: pytest.LogCaptureFixture) -> None:
    """In the middle of a body, or before the answer."""
    for sent in (HEAD + b"Content-Length: 100\r\n\r\nx", b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"):
        with socket.create_connection(("127.0.0.1", cloud.client.port or 0)) as connection:
            connection.sendall(sent)
        await asyncio.sleep(0.1)
    assert (await cloud.call("GET", "/healthz")).status == 200
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR]


async def test_a_mistake_of_ours_is_found_by_its_reference(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The caller learns nothing but the reference; the log has it once, with the traceback."""

    def broken(*_: Any) -> None:
        raise ZeroDivisionError("secret detail")

    monkeypatch.setattr("cloud.sites.store.sites_of", broken)
    reply = await cloud.operator("GET", f"{COMMUNITY}/sites")
    assert (reply.status, reply.problem) == (500, "internal")
    assert b"secret detail" not in reply.raw
    errors = [record for record in caplog.records if record.levelno >= logging.ERROR]
    assert [record.reference for record in errors] == [reply.json["reference"]]  # type: ignore[attr-defined]
    assert errors[0].exc_info is not None


async def test_a_refusal_is_found_by_its_reference(cloud: Cloud, caplog: pytest.LogCaptureFixture) -> None:
    """Also what we meant."""
    reply = await cloud.call("GET", "/v1/sites/x/head")
    (record,) = [record for record in caplog.records if record.name == problem.__name__]
    assert (record.reference, record.problem) == (reply.json["reference"], "not-authorised")  # type: ignore[attr-defined]


def lines_of(stream: io.StringIO) -> list[dict[str, Any]]:
    """Read a log: every line is one JSON object."""
    return [json.loads(line) for line in stream.getvalue().splitlines()]


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    """Write everything logged as the service does."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(logs.Formatter())
    logging.getLogger().addHandler(handler)
    yield stream
    logging.getLogger().removeHandler(handler)


async def test_nobody_writes_lines_into_the_log(cloud: Cloud, log: io.StringIO) -> None:
    """New lines, escapes and length in what callers send stay inside one bounded member."""
    forged = '\n{"level":"ERROR","message":"forged"}\n\x1b[2J\u2028'
    await cloud.call("POST", "/v1/token", data={"grant_type": forged})
    await cloud.call("GET", "/v1/%0A%7B%22level%22%3A%22ERROR%22%7D" + "x" * 5000)
    await cloud.operator("PUT", COMMUNITY, {"name": forged, forged: forged})
    logging.getLogger("test").error("%s", forged * 1000, extra={"about": forged})
    lines = lines_of(log)
    assert len(lines) > 4
    assert log.getvalue().isascii()
    assert all(line.get("message") != "forged" for line in lines)
    assert all(
        len(member) <= logs.TRACEBACK_MAX for line in lines for member in line.values() if isinstance(member, str)
    )
    assert {"timestamp", "level", "logger", "message"} <= lines[0].keys()


async def test_no_secret_is_ever_logged(cloud: Cloud, log: io.StringIO, caplog: pytest.LogCaptureFixture) -> None:
    """Canaries of each kind go through everything, also through what fails, at the noisiest level."""
    caplog.set_level(logging.DEBUG)
    await cloud.found()
    code = await cloud.code()
    site = Site(cloud)
    await site.pair(code)
    await site.pair("CANARY-CODE-1")
    site.token = await cloud.token(site.site, site.secret)
    await cloud.call("POST", "/v1/token", data={"grant_type": "client_credentials", "client_secret": "CANARY-SECRET-2"})
    await cloud.call("GET", "/v1/sites/x/head?access_token=CANARY-3", token="CANARY-TOKEN-4")
    await cloud.operator("PUT", COMMUNITY, {"name": 5, "password": "CANARY-5"})
    await site.post(site.batch(), signature="CANARY-6")
    await cloud.call("POST", "/v1/sites", data=b'{"code": "CANARY-7"', headers={SIGNATURE_HEADER: "CANARY-8"})
    secrets = [code, code.replace("-", ""), site.secret, site.token, cloud.operator_secret, "CANARY"]
    assert len(lines_of(log)) > 10
    own = "\n".join(json.dumps(line) for line in lines_of(log) if line["logger"].startswith(("cloud", "sqlalchemy")))
    assert [secret for secret in secrets if secret in own] == []
