"""Whom the cloud calls on somebody else's word: never its own network, however that is spelt."""

from aiohttp import ClientError, ClientSession, web
from aiohttp.test_utils import TestServer
import pytest

from cloud.outbound import OpenResolver, connector, fault_of, is_global


@pytest.mark.parametrize(
    ("url", "fault"),
    [
        ("https://grid.example.org/hook?of=1", None),
        ("https://grid.example.org:8443/hook", None),
        ("https://93.184.215.14/hook", None),
        ("http://grid.example.org/hook", "not-https"),
        ("https://user:secret@grid.example.org/", "credentials"),
        ("https://grid.example.org/#part", "credentials"),
        ("ftp://grid.example.org/", "malformed"),
        ("https:///hook", "malformed"),
        ("https://grid.example.org:99999/", "malformed"),
        ("https://grid.example.org/a b", "malformed"),
        ("https://[::1/", "malformed"),
        ("https://localhost/", "private"),
        ("https://database/", "private"),
        ("https://db.internal/", "private"),
        ("https://printer.local./", "private"),
        ("https://127.0.0.1/", "private"),
        ("https://127.1/", "private"),
        ("https://2130706433/", "private"),
        ("https://0x7f000001/", "private"),
        ("https://10.0.0.1/", "private"),
        ("https://169.254.169.254/latest/meta-data", "private"),
        ("https://100.64.0.1/", "private"),
        ("https://224.0.0.1/", "private"),
        ("https://[::1]/", "private"),
        ("https://[fe80::1]/", "private"),
        ("https://[fd00::1]/", "private"),
        ("https://[::ffff:10.0.0.1]/", "private"),
        ("https://[64:ff9b::a00:1]/", "private"),
        ("https://[2002:a00:1::]/", "private"),
    ],
)
def test_only_the_open_internet_is_called(url: str, fault: str | None) -> None:
    """Over TLS, without credentials, and however an address is written."""
    assert fault_of(url, private=False) == fault


def test_the_operator_may_allow_its_own_network() -> None:
    """For a provider beside it, and for tests."""
    assert fault_of("http://127.0.0.1:8080/hook", private=True) is None
    assert fault_of("ftp://127.0.0.1/", private=True) == "malformed"
    assert is_global("2606:4700::1111")


@pytest.mark.parametrize(
    "address", ["fec0::1", "64:ff9b::7f00:1", "::", "0.0.0.0", "::127.0.0.1", "ff02::1", "192.0.0.192", "fe80::1%eth0"]
)
def test_addresses_that_only_look_open_are_not(address: str) -> None:
    """Site-local, translated, unspecified, multicast: all lead inwards."""
    assert not is_global(address)


@pytest.mark.parametrize("host", ["169.254.169.254", "[fe80::1]", "[::ffff:169.254.169.254]"])
async def test_the_link_is_never_called(host: str) -> None:
    """There a machine in somebody's data centre is told its own keys: no setting opens that."""
    assert fault_of(f"http://{host}/", private=True) == "private"
    async with ClientSession(connector=connector(private=True, at_once=2, at_once_per_host=2)) as session:
        with pytest.raises(ClientError, match="on the link"):
            await session.get(f"http://{host}/")


async def test_a_name_that_leads_inwards_is_not_resolved() -> None:
    """Also if it once was outside."""
    resolver = OpenResolver()
    with pytest.raises(OSError, match="private network"):
        await resolver.resolve("localhost", 443)
    await resolver.close()


@pytest.mark.parametrize("host", ["127.0.0.1", "[::ffff:127.0.0.1]", "0.0.0.0", "[::1]", "127.1", "localhost"])
async def test_a_literal_address_is_stopped_at_its_socket(host: str) -> None:
    """A literal skips the resolver; the control, without the guard, reaches the server by the first of them."""
    reached: list[str] = []

    async def answer(request: web.Request) -> web.Response:
        reached.append(request.host)
        return web.Response()

    app = web.Application()
    app.router.add_get("/", answer)
    async with TestServer(app, host="127.0.0.1") as server:
        async with ClientSession(connector=connector(private=False, at_once=2, at_once_per_host=2)) as session:
            with pytest.raises(ClientError):
                await session.get(f"http://{host}:{server.port}/")
        assert reached == []
        async with ClientSession(connector=connector(private=True, at_once=2, at_once_per_host=2)) as session:
            await session.get(f"http://127.0.0.1:{server.port}/")
        assert len(reached) == 1
