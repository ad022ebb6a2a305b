"""The devices of the loop's benchmark: many units on few Modbus servers, in a process that costs the site nothing."""

import asyncio
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from multiprocessing.connection import Connection
from typing import cast

from pymodbus.constants import ExcCodes
from pymodbus.server import ModbusTcpServer
from pymodbus.simulator import DataType, SimData, SimDevice

from tests.site.meter_device import WORDS, MeterDevice

POWER_W = 3600
STEP_WH = 10  # what that is in a poll of ten seconds
VOLTAGE, FREQUENCY = 22, 26  # between them current and power factor: all move with every poll


@dataclass(frozen=True, slots=True)
class Unit:
    """Where a device answers, and its serial number."""

    port: int
    unit_id: int
    serial: str


@contextmanager
def devices(lines: int, units: int) -> Generator[list[Unit]]:
    """Serve so many units on so many ports; every read finds registers that went on, and everything else changed."""
    spawn = get_context("spawn")
    ours, theirs = spawn.Pipe()
    process = spawn.Process(target=_run, args=(theirs, lines, units), daemon=True)
    process.start()
    try:
        ports: list[int] = ours.recv()
        yield [
            Unit(port, unit_id, serial_of(line, unit_id))
            for line, port in enumerate(ports)
            for unit_id in range(1, units + 1)
        ]
    finally:
        process.terminate()
        process.join()


def serial_of(line: int, unit_id: int) -> str:
    """Return the serial number of a unit."""
    return f"L{line}-{unit_id:03}"


def _run(tell: Connection, lines: int, units: int) -> None:
    asyncio.run(_serve(tell, lines, units))


async def _serve(tell: Connection, lines: int, units: int) -> None:
    ports = []
    servers = []
    for line in range(lines):
        meters = {unit_id: MeterDevice(serial=serial_of(line, unit_id), power_w=POWER_W) for unit_id in _ids(units)}
        image = [SimData(0, values=[0] * WORDS, datatype=DataType.REGISTERS)]
        served = [SimDevice(unit_id, image, action=partial(_answer, meter)) for unit_id, meter in meters.items()]
        server = ModbusTcpServer(served, address=("127.0.0.1", 0))
        await server.serve_forever(background=True)
        ports.append(cast("asyncio.Server", server.transport).sockets[0].getsockname()[1])
        servers.append(server)
    tell.send(ports)
    await asyncio.Event().wait()


def _ids(units: int) -> range:
    return range(1, units + 1)


async def _answer(
    meter: MeterDevice,
    _function: int,
    _start: int,
    _address: int,
    _count: int,
    words: list[int],
    _written: list[int] | list[bool] | None,
) -> ExcCodes | None:
    meter.import_wh += STEP_WH
    words[:WORDS] = meter.image()
    turn = meter.import_wh // STEP_WH
    words[VOLTAGE : FREQUENCY + 1] = [2300 + turn % 20, 0, 15_600 + turn % 100, 990 + turn % 10, 4998 + turn % 5]
    return None
