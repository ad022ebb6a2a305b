"""Every device of the house as a Modbus TCP server on a port of its own, showing the data live at each read."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
import time
from typing import override

from pymodbus.constants import ExcCodes

from .house import DEVICES, HALF_HOUR_S, Device, Registers, Snapshot, registers_at
from .listening import Endpoint, Listening
from .register_map import BREAKER_COMMAND, WORDS, Breaker, image


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


class DeviceServer(Listening):
    """One device: it can be silenced and come back on the same port, and a tap's breaker can be opened.

    Behind an open breaker the tap's registers stand still. The main meter goes on showing what was measured.
    """

    def __init__(self, device: Device, registers: Registers, clock: PressedClock, port: int = 0) -> None:
        super().__init__(WORDS, port)
        self.device = device
        self._registers = registers
        self._clock = clock
        self._opened: Snapshot | None = None
        self._withheld_wh = (0, 0)
        self.below: Sequence[Callable[[], Snapshot]] = ()  # what hangs below and is not in the data

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

    def _less_withheld(self, data: Snapshot) -> Snapshot:
        import_wh, export_wh = self._withheld_wh
        return Snapshot(data.import_wh - import_wh, data.export_wh - export_wh, data.power_w)

    @override
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
