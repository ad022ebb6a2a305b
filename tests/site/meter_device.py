"""A real Modbus TCP device on the loopback: the open register map, and every way in which a device can misbehave."""

import asyncio
from dataclasses import dataclass, field
from typing import cast

from pymodbus.constants import ExcCodes
from pymodbus.server import ModbusTcpServer
from pymodbus.simulator import DataType, SimData, SimDevice

WORDS = 31
BREAKER_COMMAND = 28
ABSENT_64, ABSENT_32, ABSENT_I32 = 2**64 - 1, 2**32 - 1, 0x80000000


@dataclass
class MeterDevice:
    """Serves registers as they are set here; `fault` answers with a Modbus exception instead."""

    serial: str = "T1-0001"
    import_wh: int = 1000
    export_wh: int = 0
    power_w: int = 0
    rated_power_w: int = ABSENT_32
    magic: str = "CWTP"
    version: int = 1
    fault: ExcCodes | None = None
    breaker: int = 1
    stuck: bool = False  # the breaker takes commands and does not move
    commands: list[int] = field(default_factory=list)
    reads: int = 0
    port: int = 0
    _server: ModbusTcpServer | None = field(default=None, repr=False)

    async def start(self) -> None:
        """Listen, from the second time on at the same port."""
        units = [SimDevice(1, [SimData(0, values=[0] * WORDS, datatype=DataType.REGISTERS)], action=self._access)]
        server = ModbusTcpServer(units, address=("127.0.0.1", self.port))
        await server.serve_forever(background=True)
        self.port = cast("asyncio.Server", server.transport).sockets[0].getsockname()[1]
        self._server = server

    async def stop(self) -> None:
        """Close the port and every connection."""
        if self._server is not None:
            server, self._server = self._server, None
            await server.shutdown()  # type: ignore[no-untyped-call]

    async def _access(
        self,
        _function: int,
        _start: int,
        address: int,
        _count: int,
        words: list[int],
        written: list[int] | list[bool] | None,
    ) -> ExcCodes | None:
        self.reads += 1
        if written is not None:
            if address != BREAKER_COMMAND:
                return ExcCodes.ILLEGAL_ADDRESS
            self.commands.append(int(written[0]))
            self.breaker = self.breaker if self.stuck else int(written[0])
        words[:WORDS] = self.image()
        return self.fault

    def image(self) -> list[int]:
        """Return the registers 0 to 30 of the map."""
        raw = self.magic.encode().ljust(4, b"\0") + self.version.to_bytes(2) + (1).to_bytes(2)
        raw += self.serial.encode().ljust(16, b"\0") + self.import_wh.to_bytes(8) + self.export_wh.to_bytes(8)
        raw += (self.power_w & ABSENT_32).to_bytes(4) + b"\xff\xff" + b"\x80\0\0\0" + b"\x80\0" + b"\xff\xff"
        raw += self.breaker.to_bytes(2) * 2 + self.rated_power_w.to_bytes(4)
        return [int.from_bytes(raw[place : place + 2]) for place in range(0, len(raw), 2)]


@dataclass
class RawServer:
    """Answers every request with the same bytes, or takes it and says nothing."""

    answer: bytes
    port: int = 0
    _server: asyncio.Server | None = field(default=None, repr=False)

    async def start(self) -> None:
        """Listen on a free port."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Close."""
        assert self._server is not None
        self._server.close()
        self._server.close_clients()
        await self._server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await reader.read(256):
            writer.write(self.answer)
        writer.close()
