"""A small SNTP server over loopback, honest or lying in one chosen way."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import ntplib

type Change = Callable[[bytearray], bytes | None]  # of an answer, before it is sent; None: silence


@dataclass
class TimeServer(asyncio.DatagramProtocol):
    """Answers with the time of its own clock."""

    clock_ms: Callable[[], int]
    ahead_ms: int = 0
    stratum: int = 2
    leap: int = 0
    change: Change = bytes
    asked: list[bytes] = field(default_factory=list)
    port: int = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep what to answer through."""
        self.transport = transport
        self.port = transport.get_extra_info("sockname")[1]

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        """Answer one question."""
        self.asked.append(data)
        packet = ntplib.NTPPacket(version=4, mode=4)
        packet.leap, packet.stratum = self.leap, self.stratum
        at = ntplib.system_to_ntp_time((self.clock_ms() + self.ahead_ms) / 1000)
        packet.ref_timestamp = packet.recv_timestamp = packet.tx_timestamp = at
        raw = bytearray(packet.to_data())
        raw[24:32] = data[40:48]
        answer = self.change(raw)
        if answer is not None:
            assert isinstance(self.transport, asyncio.DatagramTransport)
            self.transport.sendto(answer, addr)


@asynccontextmanager
async def serving(server: TimeServer) -> AsyncIterator[TimeServer]:
    """Let it listen on a free port of loopback."""
    loop = asyncio.get_running_loop()
    transport, _ = await loop.create_datagram_endpoint(lambda: server, local_addr=("127.0.0.1", 0))
    try:
        yield server
    finally:
        transport.close()


def kiss(code: bytes) -> Change:
    """Return how a server asks to be left alone."""

    def change(raw: bytearray) -> bytes:
        raw[1] = 0
        raw[12:16] = code.ljust(4, b"\0")
        return bytes(raw)

    return change


def part(place: slice, value: bytes) -> Change:
    """Return how a server says something else in one place."""

    def change(raw: bytearray) -> bytes:
        raw[place] = value
        return bytes(raw)

    return change


def silence(raw: bytearray) -> None:
    """Say nothing."""
    del raw
