"""Both sides in one process: a real Home Assistant, the real cloud over loopback, and a measured house behind Modbus.

Time is real and short: an interval takes `INTERVAL_SECONDS`, in which half an hour of measured data passes.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass, field
import logging
from pathlib import Path
import shutil
import socket
import subprocess
import sys
import time
from typing import Any

import aiohttp
from aiohttp import web
from homeassistant.config_entries import ConfigEntry, ConfigEntryState
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType
import pytest

from cloud.app import create_app
from cloud.config import Config
import custom_components.commonwatt  # imported first, or Home Assistant's own test folder hides it
from custom_components.commonwatt.v2g import coverage
from demo.cloud import Interval, Operator
from demo.community import COMMUNITY, MAIN_OWNER, set_up_community
from demo.devices import House, PressedClock
from demo.house import DEVICES, HALF_HOUR_S, MAIN_METER, load_house

from .cable_programs import CablePrograms

INTERVAL_SECONDS = 5
PATIENCE_S = 40
HOST = "127.0.0.1"
ROOT = Path(__file__).parents[2]
TERMS = {"base_micro": 500_000, "price_micro_per_wh": 25_000, "look_back": 2}  # of V2G, where hosts live

assert custom_components.commonwatt


@pytest.fixture
def expected_lingering_timers() -> bool:
    """Let a timer outlast its story: a frame that comes as a web socket closes arms aiohttp's heartbeat once more."""
    return True


@pytest.fixture(autouse=True)
def _open_doors(socket_enabled: None, enable_custom_integrations: None) -> None:
    """Let both sides talk over loopback, and Home Assistant find the integration."""
    logging.getLogger("sqlalchemy.engine").setLevel(logging.WARNING)  # the plugin asks for every statement


@pytest.fixture
def expected_errors() -> tuple[str, ...]:
    """Words of errors that a test provokes."""
    return ()


@pytest.fixture(autouse=True)
def _no_unasked_errors(caplog: pytest.LogCaptureFixture, expected_errors: tuple[str, ...]) -> Iterator[None]:
    """Fail a test whose log has an error that it did not ask for."""
    yield
    records = [record for record in caplog.get_records("call") if record.levelno >= logging.ERROR]
    assert [message for message in map(logging.LogRecord.getMessage, records) if message not in expected_errors] == []


@pytest.fixture
def hass_config_dir(tmp_path: Path) -> str:
    """Give every test a configuration folder of its own."""
    folder = tmp_path / "homeassistant"
    folder.mkdir()
    return str(folder)


@pytest.fixture(scope="session")
def new_cloud(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, tuple[str, str]]:
    """Make a database, a key and an operator's client once, by the command line, as an operator would."""
    folder = tmp_path_factory.mktemp("cloud")
    environment = {
        "COMMONWATT_DATABASE_URL": f"sqlite:///{folder}/cloud.db",
        "COMMONWATT_KEY_FILE": f"{folder}/cloud.key",
    }

    def cloud(*arguments: str) -> str:
        command = [sys.executable, "-m", "cloud", *arguments]
        done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    cloud("migrate")
    printed = dict(line.split("=", 1) for line in cloud("client", "add", "--scope", "operator").split())
    return folder, (printed["client_id"], printed["client_secret"])


@dataclass
class Cloud:
    """The cloud, which can go away and come back at the same address."""

    config: Config
    operator_client: tuple[str, str]
    session: aiohttp.ClientSession
    skew_ms: int = 0
    operator: Operator = field(init=False)
    _runner: web.AppRunner | None = field(default=None, repr=False)

    @property
    def url(self) -> str:
        """Return where it answers."""
        return self.config.public_url

    def __post_init__(self) -> None:
        """Open its operator's session."""
        self.operator = Operator(self.session, self.url, self.operator_client, COMMUNITY)

    @property
    def database(self) -> Path:
        """Return the file of its database."""
        return Path(self.config.database_url.removeprefix("sqlite:///"))

    async def start(self) -> None:
        """Answer."""
        assert self._runner is None
        app = create_app(self.config, lambda: time.time_ns() // 1_000_000 + self.skew_ms)
        self._runner = web.AppRunner(app, shutdown_timeout=1)
        await self._runner.setup()
        await web.TCPSite(self._runner, HOST, self.config.port).start()

    async def stop(self) -> None:
        """Go away."""
        if self._runner is not None:
            runner, self._runner = self._runner, None
            await runner.cleanup()


@pytest.fixture
async def cloud(new_cloud: tuple[Path, tuple[str, str]], tmp_path: Path) -> AsyncIterator[Cloud]:
    """Run the cloud on a fresh copy of a new database, with a community in it."""
    made, client = new_cloud
    folder = shutil.copytree(made, tmp_path / "cloud")
    port = free_port()
    config = Config(
        database_url=f"sqlite:///{folder}/cloud.db",
        key_file=folder / "cloud.key",
        port=port,
        public_url=f"http://{HOST}:{port}",
    )
    async with aiohttp.ClientSession() as session:
        running = Cloud(config, client, session)
        await running.start()
        await set_up_community(running.operator, INTERVAL_SECONDS, time.time())
        try:
            yield running
        finally:
            await running.stop()


def free_port() -> int:
    """Return a port nobody listens on."""
    with socket.socket() as listener:
        listener.bind((HOST, 0))
        port: int = listener.getsockname()[1]
        return port


@pytest.fixture
async def house() -> AsyncIterator[House]:
    """Run the measured house; its time begins at the next boundary."""
    clock = PressedClock(INTERVAL_SECONDS, begins_at=boundary_after(time.time()))
    house = House(load_house(), clock)
    await house.start()
    try:
        yield house
    finally:
        await house.stop()


def boundary_after(at: float) -> int:
    """Return the first interval boundary after a time."""
    return (int(at) // INTERVAL_SECONDS + 1) * INTERVAL_SECONDS


async def until[T](found: Callable[[], Awaitable[T | None]], what: str, patience_s: float = PATIENCE_S) -> T:
    """Wait until something is found, or fail saying what was not."""
    deadline = time.monotonic() + patience_s
    while (result := await found()) is None:
        assert time.monotonic() < deadline, f"{what}, after {patience_s} s"
        await asyncio.sleep(0.1)
    return result


async def pair(
    hass: HomeAssistant,
    cloud: Cloud,
    *,
    owner: str = MAIN_OWNER,
    name: str = "Sunny Street 4",
    send_place: bool = False,
) -> ConfigEntry[Any]:
    """Pair a home of this owner with the cloud through the config flow."""
    code = await cloud.operator.pairing_code(owner, HALF_HOUR_S // INTERVAL_SECONDS)
    flow = await hass.config_entries.flow.async_init("commonwatt", context={"source": "user"})
    flow = await hass.config_entries.flow.async_configure(flow["flow_id"], {"next_step_id": "pair"})
    form = {"url": cloud.url, "code": code, "name": name, "send_place": send_place}
    flow = await hass.config_entries.flow.async_configure(flow["flow_id"], form)
    assert flow["type"] is FlowResultType.CREATE_ENTRY, flow
    entry = flow["result"]
    assert isinstance(entry, ConfigEntry)
    return entry


async def add_devices(hass: HomeAssistant, entry: ConfigEntry[Any], house: House) -> None:
    """Add the main meter and every tap below it through the subentry flows."""
    flows = hass.config_entries.subentries
    for device in DEVICES:
        endpoint = house.endpoints[device.key]
        kind = "meter" if device is MAIN_METER else "tap"
        details = {"name": device.name, "owner": device.owner, "rated_power_w": device.rated_power_w}
        where = {"host": endpoint.host, "port": endpoint.port, "profile": "commonwatt_tap"}
        flow = await flows.async_init((entry.entry_id, kind), context={"source": "user"})
        for option in ("modbus", "tcp"):
            flow = await flows.async_configure(flow["flow_id"], {"next_step_id": option})
        flow = await flows.async_configure(flow["flow_id"], where | {"more_options": {"unit_id": endpoint.unit}})
        assert flow["type"] is FlowResultType.FORM, flow
        assert flow["step_id"] == "details", flow
        flow = await flows.async_configure(flow["flow_id"], details | ({} if kind == "meter" else {"upstream": "T1"}))
        assert flow["type"] is FlowResultType.CREATE_ENTRY, flow
    await hass.async_block_till_done()


@pytest.fixture
async def site(hass: HomeAssistant, cloud: Cloud, house: House) -> AsyncIterator[ConfigEntry[Any]]:
    """Return the paired site with all its devices, one whole interval of which has been settled."""
    entry = await pair(hass, cloud)
    await add_devices(hass, entry, house)
    await settled(cloud, boundary_after(time.time()))
    yield entry
    if entry.state is ConfigEntryState.LOADED:
        await hass.config_entries.async_unload(entry.entry_id)


async def settled(cloud: Cloud, start: int) -> Interval:
    """Wait until the interval that begins at `start` is settled."""

    async def found() -> Interval | None:
        intervals = await cloud.operator.intervals(start - 1)
        return next((item for item in intervals if item.start == start and item.settled), None)

    return await until(found, f"the interval at {start} was not settled")


@pytest.fixture
async def cables() -> AsyncIterator[CablePrograms]:
    """Let cables be started; none is left running."""
    programs = CablePrograms(HALF_HOUR_S // INTERVAL_SECONDS)
    yield programs
    await programs.stop()


@pytest.fixture
async def dora(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> Operator:
    """Return the operator's session in the community of Dora, who drives; hosts live in another one, with its terms.

    A site learns in one interval whether everything else behind its meter is measured, where it takes a day.
    """
    monkeypatch.setattr(coverage, "LEARNT_MIN", 1)
    await cloud.operator.put("/v2g/terms", TERMS)
    drivers = Operator(cloud.session, cloud.url, cloud.operator_client, "drivers")
    await set_up_community(drivers, INTERVAL_SECONDS, time.time())
    await drivers.put("/owners/dora", {"name": "Dora"})
    return drivers
