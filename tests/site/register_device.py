"""Real Modbus servers with registers set word by word: on TCP, in RTU frames over TCP, and on a serial line."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
import os
import tty
from typing import cast

from pymodbus.constants import ExcCodes
from pymodbus.framer import FramerType
from pymodbus.server import ModbusTcpServer
from pymodbus.simulator import DataType, SimData, SimDevice

READS = {1: "coil", 2: "discrete", 3: "holding", 4: "input"}
ADDRESSES = 65_536


@dataclass
class RegisterUnit:
    """One unit: its words by space and address. What it has no word for it refuses, as many devices do.

    `faults` answers a request for an address with an exception; `limit` is the longest request it answers;
    `latency_s` how long it takes.
    """

    words: dict[str, dict[int, int]]
    gaps: bool = True  # addresses between its words read 0
    limit: int = 125
    latency_s: float = 0.0
    faults: dict[tuple[str, int], ExcCodes] = field(default_factory=dict)
    reads: list[tuple[str, int, int]] = field(default_factory=list)
    writes: list[tuple[int, int, tuple[int, ...]]] = field(default_factory=list)
    deaf: set[int] = field(default_factory=set)  # addresses whose writes are taken and do nothing

    async def access(  # noqa: PLR0917 as pymodbus calls it
        self,
        function: int,
        start: int,
        address: int,
        count: int,
        words: list[int],
        written: list[int] | list[bool] | None,
    ) -> ExcCodes | None:
        """Answer one request."""
        await asyncio.sleep(self.latency_s)
        if written is not None:
            return self._write(function, address, [int(word) for word in written])
        space = READS.get(function, "holding")
        if function in READS:  # the server looks at what was written; nobody asked it to
            self.reads.append((space, address, count))
        own = self.words.get(space, {})
        asked = range(address, address + count)
        if (fault := next((self.faults[space, at] for at in asked if (space, at) in self.faults), None)) is not None:
            return fault
        if count > self.limit:
            return ExcCodes.ILLEGAL_VALUE
        if not all(at in own for at in asked) and not (self.gaps and address in own and asked[-1] in own):
            return ExcCodes.ILLEGAL_ADDRESS
        for at in asked:
            words[at - start] = own.get(at, 0)
        return None

    def _write(self, function: int, address: int, written: list[int]) -> ExcCodes | None:
        self.writes.append((function, address, tuple(written)))
        if address in self.deaf:
            return None
        for offset, word in enumerate(written):
            self.words.setdefault("holding", {})[address + offset] = word
        return None

    def put(self, space: str, address: int, *words: int) -> None:
        """Set words that follow one another."""
        self.words.setdefault(space, {}).update(enumerate(words, address))

    def simulated(self, unit_id: int) -> SimDevice:
        """Return this unit as pymodbus serves it."""
        return SimDevice(unit_id, [SimData(0, values=[0] * ADDRESSES, datatype=DataType.REGISTERS)], action=self.access)


@dataclass
class RegisterServer:
    """A TCP server with units; requests for any other unit id are left without an answer."""

    units: Mapping[int, RegisterUnit]
    framer: FramerType = FramerType.SOCKET
    port: int = 0
    _server: ModbusTcpServer | None = field(default=None, repr=False)

    async def start(self) -> None:
        """Listen, from the second time on at the same port."""
        self._server = ModbusTcpServer(
            [RegisterUnit({}).simulated(0), *(unit.simulated(unit_id) for unit_id, unit in self.units.items())],
            framer=self.framer,
            address=("127.0.0.1", self.port),
            trace_packet=self._known,
        )
        await self._server.serve_forever(background=True)
        self.port = cast("asyncio.Server", self._server.transport).sockets[0].getsockname()[1]

    def _known(self, sending: bool, packet: bytes) -> bytes:
        """Keep back what pymodbus answers for a unit that is not there."""
        unit_id = packet[6 if self.framer == FramerType.SOCKET else 0] if sending else None
        return packet if unit_id is None or unit_id in self.units else b""

    async def stop(self) -> None:
        """Close the port and every connection."""
        if self._server is not None:
            server, self._server = self._server, None
            await server.shutdown()  # type: ignore[no-untyped-call]


class SerialBus:
    """A serial line: a device file at one end, the units' RTU frames at the other."""

    def __init__(self, units: Mapping[int, RegisterUnit]) -> None:
        """Take the units on the line."""
        self._server = RegisterServer(units, FramerType.RTU)
        self._near, self._line = os.openpty()
        tty.setraw(self._line)
        self.device = os.ttyname(self._line)
        self._far: asyncio.StreamWriter | None = None
        self._hearing: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Serve, and carry the bytes of either end to the other."""
        await self._server.start()
        reader, far = await asyncio.open_connection("127.0.0.1", self._server.port)
        asyncio.get_running_loop().add_reader(self._near, lambda: far.write(os.read(self._near, 1024)))
        self._hearing = asyncio.create_task(self._hear(reader))
        self._far = far

    async def stop(self) -> None:
        """Take the line away."""
        asyncio.get_running_loop().remove_reader(self._near)
        if self._far is not None:
            self._far.close()
        if self._hearing is not None:
            await self._hearing
        await self._server.stop()
        for descriptor in (self._near, self._line):
            os.close(descriptor)

    async def _hear(self, reader: asyncio.StreamReader) -> None:
        while heard := await reader.read(1024):
            os.write(self._near, heard)
