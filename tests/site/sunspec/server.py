"""A real Modbus server with the registers of a SunSpec device, and the ways in which one misbehaves."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import cast

from pymodbus.constants import ExcCodes
from pymodbus.server import ModbusTcpServer
from pymodbus.simulator import DataType, SimData, SimDevice

WRITE_SINGLE = 6


@dataclass
class Device:
    """Serves words from `base` on; no registers stand beside them, and what it `refuses` no read may touch."""

    words: list[int]
    base: int = 40000
    unit_id: int = 1
    refuses: range = range(0)
    deaf: bool = False  # takes every write and holds to what it had
    read_only: bool = False
    written: Callable[[int, list[int]], None] | None = None  # what it does besides when it is written to
    reads: list[tuple[int, int]] = field(default_factory=list)
    writes: list[tuple[int, list[int]]] = field(default_factory=list)
    port: int = 0
    _server: ModbusTcpServer | None = field(default=None, repr=False)

    async def start(self) -> None:
        """Listen, from the second time on at the same port."""
        room = [SimData(self.base, values=[0] * len(self.words), datatype=DataType.REGISTERS)]
        device = SimDevice(self.unit_id, room, action=self._access)
        server = ModbusTcpServer([device], address=("127.0.0.1", self.port))
        await server.serve_forever(background=True)
        self.port = cast("asyncio.Server", server.transport).sockets[0].getsockname()[1]
        self._server = server

    async def stop(self) -> None:
        """Close the port and every connection."""
        if self._server is not None:
            server, self._server = self._server, None
            await server.shutdown()  # type: ignore[no-untyped-call]

    def set(self, address: int, *words: int) -> None:
        """Change registers."""
        self.words[address - self.base : address - self.base + len(words)] = words

    async def _access(
        self,
        function: int,
        _start: int,
        address: int,
        count: int,
        registers: list[int],
        written: list[int] | list[bool] | None,
    ) -> ExcCodes | None:
        if written is not None:
            words = [int(word) for word in written]
            if self.read_only:
                return ExcCodes.ILLEGAL_ADDRESS
            self.writes.append((address, words))
            if not self.deaf:
                self.set(address, *words)
            if self.written is not None:
                self.written(address, words)
            return None
        if function == WRITE_SINGLE:  # the server looks at what was written, to answer with it
            return None
        self.reads.append((address, count))
        if set(range(address, address + count)) & set(self.refuses):
            return ExcCodes.ILLEGAL_ADDRESS
        registers[:] = self.words[: len(registers)]
        return None
