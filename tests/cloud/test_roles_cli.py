"""Clients of every role from the command line: made, listed and stopped beside a cloud that serves."""

import asyncio
from collections.abc import Iterator
import logging

import pytest

from cloud.__main__ import main
from cloud.config import Config
from cloud.sites.access.clients.store import listed
from cloud.sites.access.stopped import STALE_SECONDS

from .conftest import COMMUNITY, Cloud


@pytest.fixture(autouse=True)
def _own_logs() -> Iterator[None]:
    """Give the tests after these their log back: a command sends it to the standard error of its own time."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)


@pytest.fixture
async def founded(cloud: Cloud) -> Cloud:
    """Found community riverside."""
    await cloud.found()
    return cloud


def use(config: Config, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the command line find this cloud."""
    monkeypatch.setenv("COMMONWATT_DATABASE_URL", config.database_url)
    monkeypatch.setenv("COMMONWATT_KEY_FILE", str(config.key_file))


async def told(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    """Run a command as a person does, and return how it ended and what it said."""
    code = await asyncio.to_thread(main, ["client", *arguments])
    said = capsys.readouterr()
    return code, said.out, said.err


async def test_the_command_line_makes_lists_and_stops_clients(
    founded: Cloud, config: Config, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Of every role but sites, which pair; the secret is printed once and opens."""
    use(config, monkeypatch)
    bounds = {"operator": (), "upper": (), "manager": ("--community", COMMUNITY)}
    bounds |= {"owner": ("--community", COMMUNITY, "--owner", "anna")}
    for scope, reach in bounds.items():
        code, out, _ = await told(capsys, "add", "--scope", scope, *reach, "--name", f"my {scope}")
        assert code == 0
        client = dict(line.split("=", 1) for line in out.split())
        token = await founded.token(client["client_id"], client["client_secret"])
        assert (await founded.call("GET", f"/v1/communities/{COMMUNITY}", token=token)).status == 200
        line = f"{client['client_id']} {scope} {'/'.join(reach[1::2]) or 'everywhere'} 'my {scope}'\n"
        assert line in (await told(capsys, "list"))[1]
        assert (line in (await told(capsys, "list", "--community", COMMUNITY))[1]) == bool(reach)
        assert (await told(capsys, "remove", client["client_id"]))[0] == 0
        assert client["client_id"] not in (await told(capsys, "list"))[1]
        assert (await told(capsys, "remove", client["client_id"]))[0] == 1
        founded.clock.forward(STALE_SECONDS)
        assert (await founded.call("GET", f"/v1/communities/{COMMUNITY}", token=token)).problem == "not-authorised"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--scope", "manager"), "needs --community"),
        (("--scope", "owner", "--community", COMMUNITY), "needs --community and --owner"),
        (("--scope", "operator", "--community", COMMUNITY), "needs neither"),
        (("--scope", "upper", "--owner", "anna"), "needs no --owner"),
        (("--scope", "provider", "--owner", "anna"), "needs no --owner"),
        (("--scope", "manager", "--community", "nowhere"), "there is no community nowhere"),
        (("--scope", "owner", "--community", COMMUNITY, "--owner", "eve"), "riverside has no owner eve"),
    ],
)
async def test_the_command_line_says_what_a_client_needs(
    founded: Cloud,
    config: Config,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    *,
    arguments: tuple[str, ...],
    words: str,
) -> None:
    """One line, no traceback, no client."""
    use(config, monkeypatch)
    code, out, error = await told(capsys, "add", *arguments)
    assert (code, out) == (1, "")
    assert words in error
    assert len(await founded.database.read(listed, None)) == 1
