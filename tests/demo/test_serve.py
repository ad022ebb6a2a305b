"""The house as a process of its own: what it prints, when it begins, how it ends."""

import asyncio
from collections.abc import AsyncIterator
import json
import signal
import sys
import time

from modbus_connection import ModbusTcpParams
from modbus_connection.tmodbus import ModbusConnection
import pytest

from demo.house import DEVICES
from demo.serve import next_boundary

pytestmark = pytest.mark.usefixtures("socket_enabled")


async def start(*arguments: str) -> asyncio.subprocess.Process:
    pipe = asyncio.subprocess.PIPE
    command = [sys.executable, "-m", "demo", "house", *arguments]
    return await asyncio.create_subprocess_exec(*command, stdin=pipe, stdout=pipe, stderr=pipe)


@pytest.fixture
async def waiting_house() -> AsyncIterator[asyncio.subprocess.Process]:
    house = await start("--interval-seconds", "10", "--wait")
    yield house
    if house.returncode is None:
        house.kill()
        await house.wait()


async def described(house: asyncio.subprocess.Process) -> dict[str, dict[str, object]]:
    assert house.stdout is not None
    devices: dict[str, dict[str, object]] = json.loads(await house.stdout.readline())["devices"]
    return devices


async def import_wh(device: dict[str, object]) -> int:
    connection = ModbusConnection(ModbusTcpParams(host=str(device["host"]), port=int(str(device["port"]))))
    try:
        words = await connection.for_unit(1).read_holding_registers(12, 4)
    finally:
        await connection.close()
    return int.from_bytes(b"".join(word.to_bytes(2) for word in words))


async def test_a_waiting_house_stands_still_until_it_is_told_to_begin(
    waiting_house: asyncio.subprocess.Process,
) -> None:
    """Every device answers with the first row; after `begin` energy passes; the end of its input is its end."""
    devices = await described(waiting_house)
    assert list(devices) == [device.key for device in DEVICES]
    assert await import_wh(devices["ev"]) == 585_238
    assert waiting_house.stdin is not None
    waiting_house.stdin.write(f"begin {int(time.time()) - 10}\n".encode())
    await waiting_house.stdin.drain()
    async with asyncio.timeout(5):
        while (passed := await import_wh(devices["ev"]) - 585_238) == 0:
            pass
        assert passed >= 555
        waiting_house.stdin.close()
        assert await waiting_house.wait() == 0


async def test_a_house_says_what_it_did_not_understand(waiting_house: asyncio.subprocess.Process) -> None:
    """A wrong order changes nothing and is named."""
    await described(waiting_house)
    assert waiting_house.stdin is not None
    assert waiting_house.stderr is not None
    waiting_house.stdin.write(b"dance\nbegin soon\n")
    assert await waiting_house.stderr.readline() == b"not understood: dance\n"
    assert await waiting_house.stderr.readline() == b"not understood: begin soon\n"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_a_house_ends_on_a_signal_without_a_word(number: signal.Signals) -> None:
    """Ctrl-C is how a person stops it: code 0, no traceback."""
    house = await start()
    await described(house)
    house.send_signal(number)
    _, errors = await house.communicate()
    assert (house.returncode, errors) == (0, b"")


def test_a_house_begins_at_an_interval_boundary() -> None:
    """So that half an hour of data is exactly one interval of whoever measures it."""
    assert next_boundary(120.0, 60) == 180
    assert next_boundary(119.9, 60) == 120


async def test_a_house_has_a_charger_and_a_battery_that_can_be_steered(
    waiting_house: asyncio.subprocess.Process,
) -> None:
    """They are idle, and what they take when they are told to is measured by the main meter too."""
    assert waiting_house.stdout is not None
    assert waiting_house.stdin is not None
    described = json.loads(await waiting_house.stdout.readline())
    charger, main = described["steered"]["charger"], described["devices"]["main_meter"]
    assert {device["kind"] for device in described["steered"].values()} == {"charger", "battery"}
    before = await import_wh(main)
    waiting_house.stdin.write(f"begin {int(time.time()) - 1}\n".encode())
    await waiting_house.stdin.drain()
    assert await import_wh(charger) == 0
    connection = ModbusConnection(ModbusTcpParams(host=charger["host"], port=charger["port"]))
    await connection.for_unit(charger["unit"]).write_register(40, 1)
    await connection.close()
    for _ in range(100):
        if (taken_wh := await import_wh(charger)) >= 500:
            break
        await asyncio.sleep(0.1)
    assert taken_wh >= 500
    assert await import_wh(main) >= before + taken_wh


async def test_a_house_has_a_socket_for_a_visitor_behind_its_meter(
    waiting_house: asyncio.subprocess.Process,
) -> None:
    """What a cable in it takes, another program, the main meter shows to the Wh."""
    assert waiting_house.stdout is not None
    described = json.loads(await waiting_house.stdout.readline())
    main = described["devices"]["main_meter"]
    before = await import_wh(main)
    told = {"at_ms": 0, "import_mws": 0, "export_mws": 0, "power_w": 0, "speed": 180}
    _, writer = await asyncio.open_connection(*described["sockets"]["visitor"].values())
    for carried_mws in (0, 36 * 10**8):
        writer.write(json.dumps(told | {"import_mws": carried_mws}).encode() + b"\n")
    async with asyncio.timeout(5):
        while (passed := await import_wh(main) - before) == 0:
            pass
    assert passed == 1000
    writer.close()
    assert await import_wh(main) == before + 1000
