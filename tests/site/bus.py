"""A Modbus line on the loopback with several units: open register maps, SunSpec devices; it notes every write."""

import asyncio
from collections.abc import Sequence
import contextlib
from dataclasses import dataclass, field
import struct
from typing import cast

from pymodbus.constants import ExcCodes
from pymodbus.framer import FramerType
from pymodbus.server import ModbusTcpServer
from pymodbus.simulator import DataType, SimData, SimDevice

from .meter_device import MeterDevice

type Image = dict[int, list[int]]  # words by the address of the first of them

SUNSPEC_BASE = 40000
END = 0xFFFF


@dataclass
class Bus:
    """Serves words by unit id. Of an id that nobody has a gateway says so; a plain line says nothing."""

    units: dict[int, Image]
    rtu: bool = False
    gateway: bool = True
    fault: ExcCodes | None = None
    delay_s: float = 0
    port: int = 0
    asked: list[int] = field(default_factory=list)
    strangers: int = 0  # requests to unit ids that nobody has
    writes: int = 0
    first_asked: asyncio.Event = field(default_factory=asyncio.Event, repr=False)
    _closed: asyncio.Event = field(default_factory=asyncio.Event, repr=False)
    _server: ModbusTcpServer | None = field(default=None, repr=False)

    async def start(self) -> None:
        """Listen, from the second time on at the same port."""
        devices = [self._device(unit_id, image) for unit_id, image in self.units.items()]
        empty = [SimData(0, values=[0], datatype=DataType.REGISTERS)]
        devices.append(SimDevice(0, empty, action=self._nobody))  # whatever unit id nobody has
        framer = FramerType.RTU if self.rtu else FramerType.SOCKET
        server = ModbusTcpServer(devices, framer=framer, address=("127.0.0.1", self.port))
        await server.serve_forever(background=True)
        self.port = cast("asyncio.Server", server.transport).sockets[0].getsockname()[1]
        self._server = server

    async def stop(self) -> None:
        """Close the port and every connection."""
        if self._server is not None:
            server, self._server = self._server, None
            self._closed.set()
            await asyncio.sleep(0)
            await server.shutdown()  # type: ignore[no-untyped-call]

    def _device(self, unit_id: int, image: Image) -> SimDevice:
        async def access(
            _function: int,
            start: int,
            _address: int,
            _count: int,
            words: list[int],
            written: list[int] | list[bool] | None,
        ) -> ExcCodes | None:
            self.asked.append(unit_id)
            self.first_asked.set()
            self.writes += written is not None
            for address, now in self.units[unit_id].items():
                words[address - start : address - start + len(now)] = now
            await self._pause(self.delay_s)
            return self.fault

        blocks = [
            SimData(address, values=[0] * len(words), datatype=DataType.REGISTERS)
            for address, words in sorted(image.items())
        ]
        return SimDevice(unit_id, blocks, action=access)

    async def _pause(self, seconds: float) -> None:
        """Say nothing for so long, but hold nobody up once the line is closed."""
        if seconds:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._closed.wait(), seconds)

    async def _nobody(self, *_asked: object) -> ExcCodes:
        self.strangers += 1
        if not self.gateway:
            await self._pause(30)
        return ExcCodes.GATEWAY_NO_RESPONSE


def open_map(serial: str, kind: int = 1) -> Image:
    """Return the registers of a device with our open map."""
    words = MeterDevice(serial=serial).image()
    words[3] = kind
    return {0: words}


def floats(values: dict[int, float], *, swapped: bool = False) -> list[int]:
    """Return 90 registers from 0 on with float32 values, in the other word order if they are swapped."""
    words = [0] * 90
    for address, value in values.items():
        pair = list(struct.unpack(">2H", struct.pack(">f", value)))
        words[address : address + 2] = pair[::-1] if swapped else pair
    return words


def sunspec(serial: str, *models: Sequence[int]) -> Image:
    """Return a SunSpec device: who it is, then models as id, length and points."""
    common = [*_text("Maker", 16), *_text("Model X", 16), *_text("", 8), *_text("1.0", 8), *_text(serial, 16), 1, 0]
    words = [*_text("SunS", 2), 1, len(common), *common]
    for model in models:
        words += model
    return {SUNSPEC_BASE: [*words, END, 0]}


def sunspec_meter(import_wh: int) -> list[int]:
    """Return a three-phase meter, model 203, with its energies and not a word more."""
    points = [0x8000] * 105
    points[16:21] = [0, 0, 0, 0, 0]  # W, of each phase, and its scale
    points[36:38] = [0, 1000]  # TotWhExp
    points[44:46] = [import_wh >> 16, import_wh & 0xFFFF]  # TotWhImp
    points[52] = 0  # TotWh_SF
    return [203, 105, *points]


def _text(text: str, registers: int) -> list[int]:
    raw = text.encode().ljust(registers * 2, b"\0")
    return [int.from_bytes(raw[place : place + 2]) for place in range(0, len(raw), 2)]
