"""The devices of the poll's benchmark: meters with a round trip of 20 ms, in a process that costs nobody else time."""

import asyncio
from collections.abc import Generator
from contextlib import contextmanager
from multiprocessing import get_context
from multiprocessing.connection import Connection

LATENCY_S = 0.02
HEADER, LENGTH_AT, ADDRESS_AT, COUNT_AT = 7, 4, 8, 10
READS = (3, 4)

type Words = dict[int, int]


@contextmanager
def meters(words: Words, ports: int) -> Generator[list[int]]:
    """Serve a meter with these words, in every register space, at so many ports."""
    spawn = get_context("spawn")
    ours, theirs = spawn.Pipe()
    process = spawn.Process(target=_run, args=(theirs, words, ports), daemon=True)
    process.start()
    try:
        served: list[int] = ours.recv()
        yield served
    finally:
        process.terminate()
        process.join()


def _run(tell: Connection, words: Words, ports: int) -> None:
    asyncio.run(_serve(tell, words, ports))


async def _serve(tell: Connection, words: Words, ports: int) -> None:
    loop = asyncio.get_running_loop()
    servers = [await loop.create_server(lambda: Meter(words), "127.0.0.1", 0) for _ in range(ports)]
    tell.send([server.sockets[0].getsockname()[1] for server in servers])
    await asyncio.Event().wait()


class Meter(asyncio.Protocol):
    """Answers Modbus reads, one after another, each after the latency."""

    def __init__(self, words: Words) -> None:
        """Take the words by address."""
        self._words = words
        self._heard = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Remember where answers go."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Answer every whole request."""
        self._heard += data
        while len(self._heard) >= HEADER and len(self._heard) >= (end := self._end()):
            request, self._heard = self._heard[:end], self._heard[end:]
            asyncio.get_running_loop().call_later(LATENCY_S, self._transport.write, self._answer(request))

    def _end(self) -> int:
        return LENGTH_AT + 2 + int.from_bytes(self._heard[LENGTH_AT : LENGTH_AT + 2])

    def _answer(self, request: bytes) -> bytes:
        assert request[HEADER] in READS
        start = int.from_bytes(request[ADDRESS_AT : ADDRESS_AT + 2])
        count = int.from_bytes(request[COUNT_AT : COUNT_AT + 2])
        words = b"".join(self._words.get(address, 0).to_bytes(2) for address in range(start, start + count))
        body = request[6 : HEADER + 1] + bytes([len(words)]) + words
        return request[:LENGTH_AT] + len(body).to_bytes(2) + body
