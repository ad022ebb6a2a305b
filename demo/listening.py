"""A Modbus TCP server with one unit, on a port it keeps: what the simulated devices stand on."""

from abc import ABC, abstractmethod
import asyncio
from dataclasses import dataclass
from typing import cast

from pymodbus.constants import ExcCodes
from pymodbus.server import ModbusTcpServer
from pymodbus.simulator import DataType, SimData, SimDevice

HOST = "127.0.0.1"
UNIT = 1
ANY_OTHER_UNIT = 0  # pymodbus' word for it


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where a device listens."""

    host: str
    port: int
    unit: int = UNIT


class Listening(ABC):
    """Serves one unit of so many registers; it can fall silent and come back on the same port."""

    def __init__(self, words: int, port: int = 0) -> None:
        self._words = words
        self._port = port
        self._server: ModbusTcpServer | None = None

    @property
    def endpoint(self) -> Endpoint:
        """Return where it listens, also while it is silent."""
        assert self._port, "it has its port from its first start on"
        return Endpoint(HOST, self._port)

    async def start(self) -> None:
        """Listen; from the first start on always on the same port."""
        assert self._server is None
        memory = [SimData(0, values=[0] * self._words, datatype=DataType.REGISTERS)]
        units = [SimDevice(UNIT, memory, action=self._access), SimDevice(ANY_OTHER_UNIT, memory, action=_nobody)]
        server = ModbusTcpServer(units, address=(HOST, self._port))
        await server.serve_forever(background=True)
        listening = cast("asyncio.Server", server.transport)  # a listener's "transport" is asyncio's server
        self._port = listening.sockets[0].getsockname()[1]
        self._server = server

    async def stop(self) -> None:
        """Fall silent: close the port and every connection."""
        if self._server is not None:
            server, self._server = self._server, None
            await server.shutdown()  # type: ignore[no-untyped-call]

    @abstractmethod
    async def _access(
        self,
        _function: int,
        _start: int,
        address: int,
        count: int,
        words: list[int],
        written: list[int] | list[bool] | None,
    ) -> ExcCodes | None:
        """Serve one request: carry out what is written, and lay out the whole map as it is at this instant."""


async def _nobody(*_request: object) -> ExcCodes:
    """Answer for a unit that is not there, as a gateway would."""
    return ExcCodes.GATEWAY_NO_RESPONSE
