"""A simulated charger, cable or battery as a Modbus TCP server on a port of its own."""

from collections.abc import Callable
import time
from typing import override

from pymodbus.constants import ExcCodes

from .devices import House
from .house import MAIN_METER, Snapshot
from .listening import Listening
from .register_map import Kind
from .signed import KEY_WORDS, PAGE_WORDS, PAGES
from .steered import STEERED_WORDS, Steered

PUBLIC_KEY, SELECT, PAGE = 200, 300, 400
MEMORY_WORDS = PAGE + PAGES * PAGE_WORDS
EXCEPTIONS = {"address": ExcCodes.ILLEGAL_ADDRESS, "value": ExcCodes.ILLEGAL_VALUE}


def wall_clock_ms() -> int:
    """Return the time of day."""
    return int(time.time() * 1000)


def furnish(house: House) -> dict[str, SteeredServer]:
    """Return Anna's charger and battery, which the data do not know: idle until somebody steers them.

    The house's main meter measures what they then take and give.
    """

    def clock_ms() -> int:
        return max(house.clock.pressed_ms(), 0)

    charger = Steered(kind=Kind.CHARGER, serial="CWE-000009", now_ms=0, rated_power_w=3_680, charge=False)
    battery = Steered(
        kind=Kind.BATTERY, serial="CWB-000010", now_ms=0, rated_power_w=3_000, capacity_wh=10_000, energy_wh=5_000
    )
    servers = {key: SteeredServer(device, clock_ms) for key, device in (("charger", charger), ("battery", battery))}
    house.devices[MAIN_METER.key].below = [server.shown for server in servers.values()]
    return servers


class SteeredServer(Listening):
    """One device on the open register map; it can be silenced and come back on the same port."""

    def __init__(self, device: Steered, clock_ms: Callable[[], int] = wall_clock_ms, port: int = 0) -> None:
        super().__init__(MEMORY_WORDS, port)
        self.device = device
        self.requests = 0
        self.refuses = False  # every write, as a device does whose remote control is switched off
        self._clock_ms = clock_ms

    def shown(self) -> Snapshot:
        """Return what this device shows now."""
        self.device.advance(self._clock_ms())
        return Snapshot(*self.device.registers_wh, self.device.power_w)

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
        """Serve one request at this instant."""
        self.requests += 1
        self.device.advance(self._clock_ms())
        self.device.heard()
        wrong = self._command(address, list(written)) if written is not None else self._unknown(address, count)
        if wrong is None:
            self._lay_out(words)
        return wrong

    def _command(self, address: int, written: list[int]) -> ExcCodes | None:
        if self.refuses:
            return ExcCodes.DEVICE_FAILURE
        if (address, len(written)) == (SELECT, 2) and self.device.kind is Kind.CABLE:
            self.device.signed.selected = (written[0] << 16) + written[1]
            return None
        wrong = self.device.write(address, written)
        return None if wrong is None else EXCEPTIONS[wrong]

    def _unknown(self, address: int, count: int) -> ExcCodes | None:
        spans = [(0, STEERED_WORDS)]
        if self.device.kind is Kind.CABLE:
            spans += [(PUBLIC_KEY, KEY_WORDS), (SELECT, 2), (PAGE, PAGES * PAGE_WORDS)]
        held = any(start <= address and address + count <= start + length for start, length in spans)
        return None if held else ExcCodes.ILLEGAL_ADDRESS

    def _lay_out(self, words: list[int]) -> None:
        words[:STEERED_WORDS] = self.device.words()
        if self.device.kind is Kind.CABLE:
            signed = self.device.signed
            words[PUBLIC_KEY : PUBLIC_KEY + KEY_WORDS] = signed.key_words()
            words[SELECT : SELECT + 2] = [signed.selected >> 16, signed.selected & 0xFFFF]
            words[PAGE:MEMORY_WORDS] = signed.page_words()


async def _nobody(*_request: object) -> ExcCodes:
    """Answer for a unit that is not there, as a gateway would."""
    return ExcCodes.GATEWAY_NO_RESPONSE
