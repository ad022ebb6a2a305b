"""A socket in the wall: what a cable in it takes and gives, a program of its own, the house's meter shows.

The cable tells what it has carried and what flows now; between two of its words the flow goes on as it was told.
"""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass
import json
import time

from .house import Snapshot
from .listening import HOST, Endpoint
from .steered import MWS_PER_WH

TOLD_EVERY_S = 0.1
BELIEVED_MS = 1000  # a flow of which nothing more is heard has ended


@dataclass(frozen=True, slots=True)
class Told:
    """What a cable has carried since it was plugged in, in mWs, and what flows at an instant of the machine's clock."""

    at_ms: int
    import_mws: int
    export_mws: int
    power_w: int
    speed: int

    def carried_mws(self, at_ms: int) -> tuple[int, int]:
        """Return import and export at an instant."""
        flowed_mws = self.power_w * self.speed * max(0, min(at_ms - self.at_ms, BELIEVED_MS))
        return self.import_mws + max(flowed_mws, 0), self.export_mws + max(-flowed_mws, 0)


def machine_ms() -> int:
    """Return the machine's monotonic clock, the same for every program on it."""
    return time.monotonic_ns() // 1_000_000


@dataclass(slots=True)
class _Flow:
    told: Told
    counted_mws: tuple[int, int] = (0, 0)


class WallSocket:
    """The house's side, for any number of cables: `shown` is what a meter before it has to add.

    `metered_percent` is the share that passes that meter: below 100, somebody draws the rest before it.
    """

    def __init__(self, metered_percent: int = 100) -> None:
        self.metered_percent = metered_percent
        self._told: dict[int, _Flow] = {}
        self._metered_mws = [0, 0]
        self._server: asyncio.Server | None = None

    @property
    def endpoint(self) -> Endpoint:
        """Return where a cable is plugged in."""
        assert self._server is not None
        return Endpoint(HOST, self._server.sockets[0].getsockname()[1])

    @property
    def used(self) -> int:
        """Return how many cables are plugged in."""
        return len(self._told)

    async def start(self) -> None:
        """Let cables be plugged in."""
        self._server = await asyncio.start_server(self._plugged, HOST, 0)

    async def stop(self) -> None:
        """Cut off every cable."""
        if self._server is not None:
            server, self._server = self._server, None
            server.close()
            server.close_clients()
            await server.wait_closed()

    def shown(self) -> Snapshot:
        """Return what has passed the meter, and what passes now."""
        for flow in self._told.values():
            self._count(flow)
        power_w = sum(flow.told.power_w for flow in self._told.values()) * self.metered_percent // 100
        imported, exported = (mws // MWS_PER_WH // 100 for mws in self._metered_mws)
        return Snapshot(imported, exported, power_w)

    def divert(self, metered_percent: int) -> None:
        """From now on let only this share of it pass the meter."""
        self.shown()
        self.metered_percent = metered_percent

    async def _plugged(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        place = id(writer)
        try:
            while line := await reader.readline():
                told = Told(**json.loads(line))
                flow = self._told.setdefault(place, _Flow(told))
                self._count(flow)
                flow.told = told
                self._count(flow)
        except ConnectionError:
            pass  # it was pulled out, or its program has died
        finally:
            self._told.pop(place, None)
            writer.close()

    def _count(self, flow: _Flow) -> None:
        """Count what is new; what was counted too early by a flow that has changed since is not taken back."""
        carried = flow.told.carried_mws(machine_ms())
        import_mws, export_mws = (max(now, old) for now, old in zip(carried, flow.counted_mws, strict=True))
        self._metered_mws[0] += (import_mws - flow.counted_mws[0]) * self.metered_percent
        self._metered_mws[1] += (export_mws - flow.counted_mws[1]) * self.metered_percent
        flow.counted_mws = import_mws, export_mws


class Plug:
    """The cable's side: tells the socket it is in what flows, until it is pulled out."""

    def __init__(self, carried: Callable[[], Told], cut_off: Callable[[], None]) -> None:
        """Take what tells the flow, and what is to happen when the socket goes away."""
        self._carried = carried
        self._cut_off = cut_off
        self._from = (0, 0)
        self._writer: asyncio.StreamWriter | None = None
        self._telling: asyncio.Task[None] | None = None

    @property
    def plugged(self) -> bool:
        """Say whether it is in a socket."""
        return self._writer is not None

    async def put_in(self, host: str, port: int) -> None:
        """Plug it in."""
        reader, self._writer = await asyncio.open_connection(host, port)
        told = self._carried()
        self._from = told.import_mws, told.export_mws
        self.tell()
        self._telling = asyncio.create_task(self._keep_telling(reader))

    async def pull_out(self) -> None:
        """Pull it out; what has flowed is told before."""
        if self._telling is not None:
            self._telling.cancel()
            await asyncio.wait({self._telling})
            self._telling = None
        if self._writer is not None:
            self.tell()
            writer, self._writer = self._writer, None
            writer.close()
            with suppress(ConnectionError):
                await writer.wait_closed()

    def tell(self) -> None:
        """Tell what flows now."""
        if self._writer is not None:
            told = self._carried()
            since = {
                "import_mws": told.import_mws - self._from[0],
                "export_mws": told.export_mws - self._from[1],
            }
            self._writer.write(json.dumps(asdict(told) | since).encode() + b"\n")

    async def _keep_telling(self, reader: asyncio.StreamReader) -> None:
        ended = asyncio.create_task(reader.read())  # a socket says nothing; it only goes away
        try:
            while not (await asyncio.wait({ended}, timeout=TOLD_EVERY_S))[0]:
                self.tell()
        finally:
            ended.cancel()
        await asyncio.gather(ended, return_exceptions=True)
        self._cut_off()
