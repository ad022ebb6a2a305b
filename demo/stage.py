"""Everything that has to run before anything can be seen: cloud, house and Home Assistant, set up for one another."""

from dataclasses import dataclass
import json
from pathlib import Path
import time
from typing import Any

import aiohttp

from . import site, supply, visitor
from .cable_remote import CableRemote
from .cloud import Operator, wait_healthy
from .community import COMMUNITY, DRIVER_NAME, OWNERS, pairing_code, set_up_community, welcome_driver
from .dashboard import show_dashboards
from .errors import DemoError
from .homeassistant import HomeAssistant, prepare_configuration
from .options import CLOUD_PORT, HA_PORT, Options
from .processes import HOST, Child, Children, free_port, python
from .progress import Progress
from .serve import HOUSE_BEGIN, SOCKET, next_boundary

INTEGRATION = Path(__file__).parent.parent / "custom_components" / "commonwatt"
USER = "demo"
ASSISTANT, CLOUD, HOUSE = "homeassistant", "cloud", "house"  # the programs, and their logs
MARGIN_S = 2.0  # between the order to begin and the beginning


@dataclass(frozen=True, slots=True)
class Stage:
    """What every step needs."""

    options: Options
    folder: Path
    children: Children
    session: aiohttp.ClientSession
    progress: Progress
    ha_port: int
    cloud_port: int
    password: str

    @property
    def ha_url(self) -> str:
        """Return where a browser finds Home Assistant."""
        return f"http://{HOST}:{self.ha_port}"

    @property
    def cloud_url(self) -> str:
        """Return where the cloud answers."""
        return f"http://{HOST}:{self.cloud_port}"


def cloud_environment(folder: Path, port: int) -> dict[str, str]:
    """Return the cloud's settings: a database and a key of its own, on the loopback address only."""
    return {
        "COMMONWATT_DATABASE_URL": f"sqlite:///{folder / 'cloud.db'}",
        "COMMONWATT_KEY_FILE": str(folder / "cloud.key"),
        "COMMONWATT_HOST": HOST,
        "COMMONWATT_PORT": str(port),
        "COMMONWATT_PUBLIC_URL": f"http://{HOST}:{port}",
    }


def choose_ports(options: Options) -> tuple[int, int]:
    """Return Home Assistant's and the cloud's port: the ones asked for, the usual ones, or free ones."""
    return (
        free_port(options.ha_port or HA_PORT, required=options.ha_port is not None),
        free_port(options.cloud_port or CLOUD_PORT, required=options.cloud_port is not None),
    )


async def set_up(stage: Stage) -> tuple[Operator, int, CableRemote]:
    """Start everything and set it up.

    Return the operator's session, when the house begins (seconds UTC), and the hand on the visitor's cable.
    """
    step, seconds = stage.progress.step, stage.options.interval_seconds
    configuration = stage.folder / "homeassistant"
    prepare_configuration(configuration, stage.ha_port, INTEGRATION)
    # Home Assistant takes longest to start, and stops first
    command = python("homeassistant", "--config", str(configuration), "--skip-pip")
    await stage.children.start(ASSISTANT, command)
    operator = await _start_cloud(stage)
    with step("House: ten Modbus devices listen"):
        house, devices, socket = await _start_house(stage)
    with step("Street: its meter registers with the hub by its initial password, and measures"):
        await supply.let_in(stage.children, operator, stage.cloud_url, seconds)
    with step(f"Cable: {DRIVER_NAME} comes by, plugs in, and the cloud knows her cable"):
        cable = await visitor.arrive(stage.children, seconds, socket)
        await visitor.register(operator, cable)
    assistant = HomeAssistant(stage.session, stage.ha_url)
    with step("Home Assistant starts"):
        await assistant.wait_listening()
    with step("Home Assistant: the first user signs in"):
        await assistant.onboard(USER, stage.password)
        await assistant.wait_running()
        await assistant.command("get_services")  # what a browser asks first
    with step("Site: pairs with the cloud by a one-time code"):
        code = await pairing_code(operator, seconds)
        entry = await site.pair(assistant, stage.cloud_url, code)
    for device in devices:
        with step(f"Site: adds {device['name']}, owner {OWNERS[device['owner']]}"):
            await site.add_device(assistant, entry, device)
    with step(f"Site: adds {visitor.NAME}, plugged in behind the main meter"):
        await site.add_device(assistant, entry, await visitor.device(cable))
    with step("Site: reads every meter"):
        entities = await site.wait_read(assistant, entry, len(devices) + 1)
    with step("Home Assistant: dashboards of the house and its energy"):
        await show_dashboards(assistant, entities, seconds)
    begins_at = next_boundary(time.time() + MARGIN_S, seconds)
    await _begin(house, begins_at)
    with step(f"Home Assistant: {DRIVER_NAME}'s car is to give {visitor.GIVES_W} W"):
        await assistant.set_number(entities.steered[visitor.NAME]["set_point"], -visitor.GIVES_W)
    return operator, begins_at, cable


async def _start_cloud(stage: Stage) -> Operator:
    step = stage.progress.step
    with step("Cloud: a new database"):
        await stage.children.run("cloud-migrate", python("cloud", "migrate"))
    with step("Cloud starts"):
        await stage.children.start(CLOUD, python("cloud", "serve"))
        await wait_healthy(stage.session, stage.cloud_url)
    with step("Cloud: the operator sets up Sunny Street"):
        printed = await stage.children.run("cloud-client", python("cloud", "client", "add", "--scope", "operator"))
        operator = Operator(stage.session, stage.cloud_url, _client(printed), COMMUNITY)
        await set_up_community(operator, stage.options.interval_seconds, time.time())
        await welcome_driver(operator)
    return operator


def _client(printed: str) -> tuple[str, str]:
    """Read the client's id and secret from what the cloud's command line printed."""
    said = dict(line.split("=", 1) for line in printed.splitlines())
    return said["client_id"], said["client_secret"]


async def _start_house(stage: Stage) -> tuple[Child, list[dict[str, Any]], dict[str, Any]]:
    command = python("demo", "house", "--wait", "--interval-seconds", str(stage.options.interval_seconds))
    house = await stage.children.start(HOUSE, command, talks=True)
    assert house.process.stdout is not None
    if not (line := await house.process.stdout.readline()):
        raise DemoError("the house did not say where its devices listen")
    described = json.loads(line)
    return house, [*described["devices"].values(), *described["steered"].values()], described["sockets"][SOCKET]


async def _begin(house: Child, begins_at: int) -> None:
    assert house.process.stdin is not None
    house.process.stdin.write(f"{HOUSE_BEGIN} {begins_at}\n".encode())
    await house.process.stdin.drain()
