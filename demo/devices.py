"""Every device of the house as a Modbus TCP server on a port of its own, showing the data live at each read."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
import time
from typing import cast

from pymodbus.constants import ExcCodes
from pymodbus.server import ModbusTcpServer
from pymodbus.simulator import DataType, SimData, SimDevice

from .house import DEVICES, HALF_HOUR_S, Device, Registers, Snapshot, registers_at
from .register_map import BREAKER_COMMAND, WORDS, Breaker, image

HOST = "127.0.0.1"
UNIT = 1
ANY_OTHER_UNIT = 0  # pymodbus' word for it


@dataclass(slots=True)
class PressedClock:
    """The house's own time: half an hour of data passes in one interval, from `begins_at` (seconds UTC) on.

    It runs on the monotonic clock, so a corrected wall clock never turns a register back.
    """

    interval_seconds: int
    begins_at: float | None = None
    _offset: float = field(default_factory=lambda: time.time() - time.monotonic())

    def pressed_ms(self) -> int:
        """Return how much of its own time has passed in the house, in ms; negative before the beginning."""
        if self.begins_at is None:
            return -1
        passed_s = time.monotonic() + self._offset - self.begins_at
        return int(passed_s * 1000) * (HALF_HOUR_S // self.interval_seconds)


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where a device listens."""

    host: str
    port: int
    unit: int = UNIT


class DeviceServer:
    """One device: it can be silenced and come back on the same port, and a tap's breaker can be opened.

    Behind an open breaker the tap's registers stand still. The main meter goes on showing what was measured.
    """

    def __init__(self, device: Device, registers: Registers, clock: PressedClock, port: int = 0) -> None:
        self.device = device
        self._registers = registers
        self._clock = clock
        self._port = port
        self._server: ModbusTcpServer | None = None
        self._opened: Snapshot | None = None
        self._withheld_wh = (0, 0)
        self.below: Sequence[Callable[[], Snapshot]] = ()  # what hangs below and is not in the data

    @property
    def endpoint(self) -> Endpoint:
        """Return where this device listens, also while it is silent."""
        assert self._port, "a device has its port from its first start on"
        return Endpoint(HOST, self._port)

    @property
    def breaker(self) -> Breaker:
        """Return the state of the breaker."""
        return Breaker.CLOSED if self._opened is None else Breaker.OPEN

    def shown(self) -> Snapshot:
        """Return what the device shows now."""
        if self._opened is not None:
            return self._opened
        shown = self._less_withheld(registers_at(self._registers, self._clock.pressed_ms()))
        for other in (below() for below in self.below):
            shown = Snapshot(
                shown.import_wh + other.import_wh, shown.export_wh + other.export_wh, shown.power_w + other.power_w
            )
        return shown

    def switch(self, command: Breaker) -> None:
        """Open or close the breaker; what the data hold for the time it was open never passes this tap."""
        if command == self.breaker:
            return
        if command is Breaker.OPEN:
            now = self.shown()
            self._opened = Snapshot(now.import_wh, now.export_wh, 0)
        elif self._opened is not None:
            data = registers_at(self._registers, self._clock.pressed_ms())
            self._withheld_wh = (data.import_wh - self._opened.import_wh, data.export_wh - self._opened.export_wh)
            self._opened = None

    async def start(self) -> None:
        """Listen; from the first start on always on the same port."""
        assert self._server is None
        units = [SimDevice(UNIT, _memory(), action=self._access), SimDevice(ANY_OTHER_UNIT, _memory(), action=_nobody)]
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

    def _less_withheld(self, data: Snapshot) -> Snapshot:
        import_wh, export_wh = self._withheld_wh
        return Snapshot(data.import_wh - import_wh, data.export_wh - export_wh, data.power_w)

    async def _access(
        self,
        _function: int,
        _start: int,
        address: int,
        count: int,
        words: list[int],
        written: list[int] | list[bool] | None,
    ) -> ExcCodes | None:
        """Serve one request: carry out a command, then lay out the whole map as it is at this instant."""
        if written is not None:
            if self.device.main or (address, count) != (BREAKER_COMMAND, 1):
                return ExcCodes.ILLEGAL_ADDRESS
            if written[0] not in set(Breaker):
                return ExcCodes.ILLEGAL_VALUE
            self.switch(Breaker(written[0]))
        words[:WORDS] = image(self.device, self.shown(), self.breaker)
        return None


def _memory() -> list[SimData]:
    return [SimData(0, values=[0] * WORDS, datatype=DataType.REGISTERS)]


async def _nobody(*_request: object) -> ExcCodes:
    """Answer for a unit that is not there, as a gateway would."""
    return ExcCodes.GATEWAY_NO_RESPONSE


class House:
    """All devices of the house, started and stopped together."""

    def __init__(self, registers: Mapping[str, Registers], clock: PressedClock) -> None:
        self.clock = clock
        self.devices = {device.key: DeviceServer(device, registers[device.key], clock) for device in DEVICES}

    @property
    def endpoints(self) -> dict[str, Endpoint]:
        """Return where every device listens."""
        return {key: device.endpoint for key, device in self.devices.items()}

    async def start(self) -> None:
        """Start every device."""
        for device in self.devices.values():
            await device.start()

    async def stop(self) -> None:
        """Stop every device."""
        for device in self.devices.values():
            await device.stop()
