"""The configuration that Home Assistant is started with, and the client that walks through its flows."""

from collections.abc import AsyncIterator
import json
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp import web
from aiohttp.test_utils import TestServer
from homeassistant.components.http.config import HTTP_STORAGE_SCHEMA, STORAGE_MINOR_VERSION, STORAGE_VERSION
from homeassistant.components.onboarding import STORAGE_VERSION as ONBOARDING_VERSION
from homeassistant.components.onboarding.const import STEPS
import pytest

from demo.errors import RefusedError
from demo.homeassistant import HomeAssistant, prepare_configuration

FLOW = "/api/config/config_entries/flow"
FORM = {"type": "form", "flow_id": "f1", "step_id": "pair", "errors": {}}
pytestmark = pytest.mark.usefixtures("socket_enabled")


@pytest.fixture
def configuration(tmp_path: Path) -> Path:
    integration = tmp_path / "commonwatt"
    integration.mkdir()
    prepare_configuration(tmp_path / "config", 8123, integration)
    return tmp_path / "config"


def stored(configuration: Path, key: str) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((configuration / ".storage" / key).read_text())
    return content


def test_home_assistant_listens_on_the_loopback_address_only(configuration: Path) -> None:
    """The stored settings are complete in the words of this Home Assistant, so nothing is tried and undone again."""
    http = stored(configuration, "http")
    assert (http["version"], http["minor_version"]) == (STORAGE_VERSION, STORAGE_MINOR_VERSION)
    stable = {key: value for key, value in http["data"]["stable"].items() if key not in {"created_at", "error"}}
    del stable["error_message"]
    assert HTTP_STORAGE_SCHEMA(stable) == stable
    assert (stable["server_host"], stable["server_port"]) == (["127.0.0.1"], 8123)
    assert "http:" not in (configuration / "configuration.yaml").read_text()


def test_nothing_is_set_up_that_needs_the_internet(configuration: Path) -> None:
    """The one onboarding step that would is done already; the first user, analytics and sign-in are still to come."""
    onboarding = stored(configuration, "onboarding")
    assert onboarding["version"] == ONBOARDING_VERSION
    assert set(STEPS) - set(onboarding["data"]["done"]) == {"user", "analytics", "integration"}


def test_the_integration_is_the_one_of_this_checkout(configuration: Path) -> None:
    """A link, not a copy: what is looked at is what was just written."""
    assert (configuration / "custom_components" / "commonwatt").is_symlink()


class Flows:
    """A server that answers flow requests with what the test has laid out, and remembers what it was asked."""

    def __init__(self) -> None:
        self.answers: list[tuple[int, dict[str, Any]]] = []
        self.asked: list[tuple[str, Any]] = []

    async def handle(self, request: web.Request) -> web.Response:
        """Answer with what comes next."""
        self.asked.append((request.path, await request.json()))
        status, answer = self.answers.pop(0)
        return web.json_response(answer, status=status)


@pytest.fixture
def flows() -> Flows:
    return Flows()


@pytest.fixture
async def assistant(flows: Flows) -> AsyncIterator[HomeAssistant]:
    app = web.Application()
    app.router.add_post("/{path:.*}", flows.handle)
    async with TestServer(app) as server, aiohttp.ClientSession() as session:
        yield HomeAssistant(session, str(server.make_url("")).rstrip("/"))


async def test_a_flow_is_walked_to_the_entry_it_creates(assistant: HomeAssistant, flows: Flows) -> None:
    """One answer per step, each to the flow that the first answer named."""
    flows.answers = [(200, FORM | {"type": "menu"}), (200, FORM), (200, {"type": "create_entry", "title": "Home"})]
    step = await assistant.walk_flow("flow", "commonwatt", [{"next_step_id": "pair"}, {"code": "X"}])
    assert step["title"] == "Home"
    started = (FLOW, {"handler": "commonwatt"})
    assert flows.asked == [started, (f"{FLOW}/f1", {"next_step_id": "pair"}), (f"{FLOW}/f1", {"code": "X"})]


@pytest.mark.parametrize(
    ("answers", "reason"),
    [
        ([(200, FORM), (200, FORM | {"errors": {"base": "code_refused"}})], "step pair .* refused .*code_refused"),
        ([(200, {"type": "abort", "reason": "not_loaded"})], "ended before .*not_loaded"),
        ([(200, FORM), (200, FORM)], "did not create an entry"),
        ([(404, {"message": "Invalid handler specified"})], "404 .*Invalid handler specified"),
    ],
)
async def test_a_flow_that_does_not_end_in_an_entry_says_where_it_stopped(
    assistant: HomeAssistant, flows: Flows, answers: list[tuple[int, dict[str, Any]]], reason: str
) -> None:
    """The step, what was answered, and what Home Assistant said to it."""
    flows.answers = answers
    with pytest.raises(RefusedError, match=reason):
        await assistant.walk_flow("flow", "commonwatt", [{"code": "X"}])
