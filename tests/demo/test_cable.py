"""A cable as a program of its own: plugged in at a wall, it measures, signs, obeys, and keeps its key to itself."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from itertools import pairwise
import json
import signal
import sys
import time
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_der_public_key
from modbus_connection import ModbusTcpParams
from modbus_connection.tmodbus import ModbusConnection
import pytest
from zeroconf.asyncio import AsyncServiceInfo, AsyncZeroconf

from demo.announce import SERVICE
from demo.cable_remote import CableRemote
from demo.errors import RefusedError
from demo.listening import HOST
from demo.wall_socket import WallSocket

pytestmark = pytest.mark.usefixtures("socket_enabled")
SPEED = 360
PERIOD_S = 2
SITE, PERMISSION, PERIOD, CHARGE = 87, 45, 109, 40
type Starter = Callable[..., Awaitable[CableRemote]]


@pytest.fixture
async def start() -> AsyncIterator[Starter]:
    """Start cables; whatever a test does, none is left running."""
    pipe = asyncio.subprocess.PIPE
    running: list[asyncio.subprocess.Process] = []

    async def starter(*arguments: str) -> CableRemote:
        command = [sys.executable, "-m", "demo", "cable", "--speed", str(SPEED), *arguments]
        process = await asyncio.create_subprocess_exec(*command, stdin=pipe, stdout=pipe)
        running.append(process)
        remote = CableRemote(process)
        await remote.meet()
        return remote

    yield starter
    for process in running:
        if process.returncode is None:
            process.send_signal(signal.SIGTERM)
        assert await process.wait() == 0


@pytest.fixture
async def cable(start: Starter) -> CableRemote:
    """Run Dora's cable."""
    return await start("--serial", "CWC-7", "--user", "dora", "--vehicle", "JN1AZ0000")


@pytest.fixture
async def wall() -> AsyncIterator[WallSocket]:
    """Run a socket in a wall."""
    socket = WallSocket()
    await socket.start()
    yield socket
    await socket.stop()


async def plug_in(cable: CableRemote, wall: WallSocket) -> dict[str, Any]:
    """Plug a cable in; return what it shows."""
    return await cable.order("plug", host=wall.endpoint.host, port=wall.endpoint.port)


async def until_nobody_is_in(wall: WallSocket) -> None:
    """Wait until the wall has heard that the cable is out."""
    deadline = time.monotonic() + 5
    while wall.used:
        assert time.monotonic() < deadline
        await asyncio.sleep(0.01)


async def write(shown: dict[str, Any], address: int, *words: int) -> None:
    """Write registers of a cable as the site's energy manager does."""
    connection = ModbusConnection(ModbusTcpParams(host=shown["host"], port=shown["port"]))
    try:
        await connection.for_unit(1).write_registers(address, list(words))
    finally:
        await connection.close()


def site_words(site: str) -> list[int]:
    """Return the words of a site's id."""
    raw = site.encode().ljust(36, b"\0")
    return [int.from_bytes(raw[at : at + 2]) for at in range(0, 36, 2)]


async def payloads(cable: CableRemote, first: int = 2) -> list[dict[str, Any]]:
    """Return what the cable has signed, each record verified by its key."""
    key = load_der_public_key(bytes.fromhex(cable.description["public_key"]))
    assert isinstance(key, ec.EllipticCurvePublicKey)
    found = []
    for number in range(first, (await cable.order("show"))["newest"] + 1):
        _, payload, signed = (await cable.order("record", number=number))["record"].split("|")
        key.verify(bytes.fromhex(json.loads(signed)["SD"]), payload.encode(), ec.ECDSA(SHA256()))
        found.append(json.loads(payload))
    return found


async def test_a_new_cable_shows_that_its_key_is_its_own(cable: CableRemote, start: Starter) -> None:
    """Its first record is of a second without energy, and holds by no other cable's key."""
    [proof] = await payloads(cable, first=1)
    assert (proof["MS"], proof["PG"], "CI" in proof) == ("CWC-7", "T1", False)
    assert len({reading["RV"] for reading in proof["RD"]}) == 1
    other = await start("--serial", "CWC-8")
    cable.description = {**cable.description, "public_key": other.description["public_key"]}
    with pytest.raises(InvalidSignature):
        await payloads(cable, first=1)


async def test_out_of_the_wall_it_is_in_no_network_and_takes_orders_alone(cable: CableRemote, wall: WallSocket) -> None:
    """It listens from the first socket on, and after it has been pulled out nobody answers there."""
    assert "port" not in await cable.order("show")
    shown = await plug_in(cable, wall)
    assert (shown["in_socket"], shown["plugged"], shown["permission"]) == (True, True, "charge_only")
    with pytest.raises(RefusedError, match="already"):
        await plug_in(cable, wall)
    out = await cable.order("unplug")
    assert (out["in_socket"], out["plugged"], out["power_w"]) == (False, False, 0)
    with pytest.raises(OSError, match="Connect"):
        await asyncio.open_connection(shown["host"], shown["port"])
    assert (await plug_in(cable, wall))["port"] == shown["port"]


async def test_what_flows_passes_the_wall_and_is_signed_period_by_period(cable: CableRemote, wall: WallSocket) -> None:
    """What the cable gave is what the wall took, and what it signed; each part names its site, place and car."""
    await cable.order("place", latitude=47.66, longitude=9.17)
    shown = await plug_in(cable, wall)
    await write(shown, PERIOD, PERIOD_S)
    await write(shown, PERMISSION, 0)
    await write(shown, SITE, *site_words("site-a"))
    assert (await cable.order("steer", set_point_w=-2000))["power_w"] == -2000
    await asyncio.sleep(2.2 * PERIOD_S)
    given = (await cable.order("unplug"))["export_wh"]
    assert given > 2 * 2000 * SPEED * PERIOD_S // 3600
    await until_nobody_is_in(wall)
    assert wall.shown().power_w == 0
    assert abs(wall.shown().export_wh - given) <= 1
    signed = await payloads(cable)
    assert [one["PG"] for one in signed] == [f"T{2 + place}" for place in range(len(signed))]
    ends = [(one["RD"][0], one["RD"][2], one["RD"][1]["RV"], one["RD"][3]["RV"]) for one in signed]
    assert (ends[0][0]["TX"], ends[-1][1]["TX"], ends[-1][3]) == ("B", "E", given)
    assert all(before[3] == after[2] and before[1]["TM"] == after[0]["TM"] for before, after in pairwise(ends))
    assert signed[-1].items() >= {"CT": "CBIDC", "CI": "site-a", "XP": [47_660_000, 9_170_000], "ID": "dora"}.items()


async def test_a_cable_that_is_told_to_stop_signs_what_was(cable: CableRemote, wall: WallSocket) -> None:
    """Permission taken away ends the interval (S), and so does another site (T); charging only leaves charging."""
    shown = await plug_in(cable, wall)
    await write(shown, PERMISSION, 0)
    await write(shown, SITE, *site_words("site-a"))
    await cable.order("steer", set_point_w=-1000)
    await asyncio.sleep(1.2)
    await write(shown, PERMISSION, 1)
    stopped = await cable.order("show")
    assert (stopped["power_w"], stopped["newest"] >= 2) == (0, True)
    await asyncio.sleep(1.2)
    await write(shown, SITE, *site_words("site-b"))
    assert (await cable.order("steer", set_point_w=1000))["power_w"] == 1000
    signed = await payloads(cable)
    assert [one["RD"][2]["TX"] for one in signed[-2:]] == ["S", "T"]
    assert {one["CI"] for one in signed[-2:]} == {"site-a"}
    assert signed[-2]["RD"][3]["RV"] == stopped["export_wh"]


async def test_what_another_site_said_is_forgotten_with_the_plug(cable: CableRemote, wall: WallSocket) -> None:
    """A cable that comes out of the wall knows no site, no period, no wish, and may only charge."""
    shown = await plug_in(cable, wall)
    await write(shown, PERIOD, PERIOD_S)
    await write(shown, PERMISSION, 0)
    await write(shown, SITE, *site_words("site-a"))
    await cable.order("steer", set_point_w=-1000)
    await cable.order("unplug")
    shown = await plug_in(cable, wall)
    assert (shown["site"], shown["permission"], shown["period_seconds"]) == ("", "charge_only", 1800)
    assert shown["set_point_w"] is None


async def test_a_thief_leaves_the_meter_where_it_was(cable: CableRemote, wall: WallSocket) -> None:
    """Nothing of what a diverted socket takes passes the meter; from the change on, and not before."""
    shown = await plug_in(cable, wall)
    await write(shown, PERMISSION, 0)
    await cable.order("steer", set_point_w=-1000)
    await asyncio.sleep(0.5)
    wall.divert(0)
    before = wall.shown()
    await asyncio.sleep(0.5)
    assert wall.shown() == before
    assert before.export_wh > 0
    assert (await cable.order("unplug"))["export_wh"] > 1.5 * before.export_wh


async def test_a_cable_whose_wall_goes_away_is_unplugged(cable: CableRemote, wall: WallSocket) -> None:
    """No power, no session: it signs what was, and waits for the next socket."""
    await plug_in(cable, wall)
    await asyncio.sleep(1.1)
    await wall.stop()
    deadline = time.monotonic() + 5
    while (await cable.order("show"))["in_socket"]:
        assert time.monotonic() < deadline
        await asyncio.sleep(0.05)
    assert (await payloads(cable))[-1]["RD"][2]["TX"] == "E"


async def test_another_car_is_another_charge(cable: CableRemote, wall: WallSocket) -> None:
    """Its energy is told; a car that is taken off ends the session though the cable stays in the wall."""
    await plug_in(cable, wall)
    assert (await cable.order("car", energy_wh=4800))["soc_permille"] == 120
    off = await cable.order("car", plugged=False)
    assert (off["in_socket"], off["plugged"], off["state"]) == (True, False, "available")
    assert (await cable.order("car", plugged=True))["plugged"] is True


@pytest.mark.parametrize(
    "order",
    [
        {"do": "key"},
        {"do": "plug", "host": HOST},
        {"do": "plug", "host": HOST, "port": 1},
        {"do": "plug", "host": HOST, "port": 70_000},
        {"do": "speed", "speed": 0},
        {"do": "steer", "set_point_w": -3_000_000_000},
        {"do": "place", "latitude": 90.1, "longitude": 9.17},
        {"do": "place", "latitude": 47.66, "longitude": float("nan")},
        {"do": "car", "plugged": "yes"},
    ],
)
async def test_an_order_that_means_nothing_is_answered_so(cable: CableRemote, order: dict[str, Any]) -> None:
    """Above all there is no order for its key; the cable goes on."""
    with pytest.raises(RefusedError):
        await cable.order(**order)
    assert (await cable.order("show"))["in_socket"] is False


async def test_it_says_in_the_network_that_it_is_there(start: Starter, wall: WallSocket) -> None:
    """Plugged in, it is found with its serial number; pulled out, it is not there any more."""
    cable = await start("--serial", "CWC-9", "--announce", "--name", "Dora's cable")
    shown = await plug_in(cable, wall)
    async with AsyncZeroconf(interfaces=[HOST]) as network:
        info = AsyncServiceInfo(SERVICE, f"CWC-9.{SERVICE}")
        assert await info.async_request(network.zeroconf, 5000)
        told = info.decoded_properties
        await cable.order("unplug")
    assert (info.port, told["kind"], told["serial"], told["name"]) == (shown["port"], "cable", "CWC-9", "Dora's cable")
