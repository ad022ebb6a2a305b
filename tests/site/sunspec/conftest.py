"""SunSpec devices on the loopback, and units that are linked to them as Home Assistant links them."""

from collections.abc import AsyncGenerator, Awaitable, Callable

from modbus_connection import ModbusTcpParams, ModbusUnit
from modbus_connection.tmodbus import ModbusConnection
import pytest

from .server import Device

type Link = Callable[[Device], Awaitable[ModbusUnit]]


@pytest.fixture
async def link(socket_enabled: None) -> AsyncGenerator[Link]:
    """Start devices and return a unit of each, the way a unit of Home Assistant's is made."""
    devices: list[Device] = []
    connections: list[ModbusConnection] = []

    async def make(device: Device) -> ModbusUnit:
        await device.start()
        devices.append(device)
        connections.append(ModbusConnection(ModbusTcpParams(host="127.0.0.1", port=device.port)))
        return connections[-1].for_unit(device.unit_id)

    yield make
    for connection in connections:
        await connection.close()
    for device in devices:
        await device.stop()
