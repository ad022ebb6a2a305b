"""A part of a SunSpec device at a tap: met once, then read one block per model, and met again when it was away."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
import logging
from typing import Any, override
from weakref import WeakMethod, finalize

from homeassistant.util import dt as dt_util
from modbus_connection import ModbusUnit

from ...errors import DeviceError
from ...metering.reading import Limits, RawReading
from ..adopted.registers import SIDES, Registers
from ..faults import SilentUnit, WrongDevice
from ..modbus import LINK_TIMEOUT_S
from ..patience import Bus, Patience
from ..port import Answer, Command, DeviceIdentity, Quantity, Range, Value
from .contact import Contact, async_contact, quantities_of
from .find import BASES, Chain, ModelsMoved, async_chain
from .parts import Part, parts_of
from .setpoint import Held
from .telling import Flow

LOGGER = logging.getLogger(__name__)

POWER_ONLY = 802  # the base model of a battery counts no energy
SLOW_EVERY = 6  # polls between two looks at the inputs of an inverter, and at what a battery was told


def sunspec_device(unit: ModbusUnit, part: str, serial: str | None, bus: Bus | None = None) -> SunSpecDevice:
    """Return what reads a part: its own registers, or registers made of its power where its model has none."""
    counting = part.partition(".")[0] == f"{POWER_ONLY}"
    return (CountingSunSpecDevice if counting else SunSpecDevice)(unit, part, serial, bus)


class SunSpecDevice:
    """Reads one part of a SunSpec device, and refuses any other device than the one it was set up for."""

    integrated = False

    def __init__(self, unit: ModbusUnit, part: str, serial: str | None, bus: Bus | None = None) -> None:
        """Take a unit on a shared link and the key of a part as `async_find` gave it.

        `serial` is that of the part or of the device it belongs to; None holds to whichever device answers first.
        `bus` is shared by the devices of one line, so that the silent ones among them take turns.
        """
        unit.require_timeout(LINK_TIMEOUT_S)
        doubt = WeakMethod(self.doubt)
        finalize(self, unit.on_connection_lost(lambda: (alive := doubt()) and alive()))
        self._unit = unit
        self._key = part
        number = part.partition(".")[0]
        self._model = int(number) if number.isdecimal() else 0
        self._expected_serial = serial
        bus = bus or Bus()
        self._patience = Patience(bus)
        self._one_at_a_time = asyncio.Lock()
        self._contact: Contact | None = None
        self._identity: DeviceIdentity | None = None
        self._first: DeviceIdentity | None = None
        self._base: int | None = None
        self._doubted = True
        self._polls = 0
        self._held = Held(bus.now)
        self._inputs: dict[Quantity, Value] = {}
        self._controlled: dict[Quantity, Value] = {}
        self._counted: set[str] = set()

    @property
    def quantities(self) -> frozenset[Quantity]:
        """What the models of this part have points for."""
        return quantities_of(self._model) if self._contact is None else self._contact.quantities

    @property
    def commands(self) -> Mapping[Command, Range]:
        """What it obeys: nothing before the first contact, and afterwards what its models offer."""
        controls = None if self._contact is None else self._contact.controls
        return {} if controls is None else controls.commands

    @property
    def identity(self) -> DeviceIdentity | None:
        """Which device this is, as it said at the last contact; None before the first."""
        return self._identity

    async def async_read(self) -> Answer:
        """Read the models of this part; raise DeviceError if it is silent, asleep, another one or talks nonsense."""
        if not self._patience.asks(LINK_TIMEOUT_S):
            raise SilentUnit(self._patience.reason)
        async with self._one_at_a_time, self._believing():
            at_ms, flow, values = await self._async_poll()
        return Answer(self._raw(at_ms, flow), values)

    async def async_identify(self) -> DeviceIdentity:
        """Return which device answers here."""
        async with self._one_at_a_time, self._believing():
            return (await self._async_met()).identity

    async def async_command(self, command: Command, value: Value) -> None:
        """Tell the battery of the very device that was set up; raise DeviceError unless it took it."""
        async with self._one_at_a_time, self._believing():
            controls = (await self._async_met()).controls
            if controls is None:
                raise DeviceError(f"cannot be told {command}")
            self._controlled = await controls.async_command(command, value)

    async def async_dump(self) -> Mapping[str, Mapping[int, int]]:
        """Return the words of the models that are read at every poll: none of them names the device."""
        async with self._one_at_a_time, self._believing():
            return await (await self._async_met()).async_raw()

    @asynccontextmanager
    async def _believing(self) -> AsyncGenerator[None]:
        """Meet the device anew after it failed: whoever answers next may be another one."""
        try:
            yield
        except Asleep:
            self._patience.answered()
            raise
        except DeviceError as error:
            self.doubt()
            if isinstance(error, SilentUnit):
                self._patience.timed_out(error.detail)
            raise
        except asyncio.CancelledError:
            self.doubt()  # it may have been given up before the device said which one it is
            raise
        self._patience.answered()

    def _raw(self, at_ms: int, flow: Flow) -> RawReading:
        return RawReading(at_ms, flow.import_wh, flow.export_wh, flow.power_w, flow.wraps_wh)

    def doubt(self) -> None:
        """Ask which device it is before it is believed again."""
        self._doubted = True

    async def _async_poll(self) -> tuple[int, Flow, dict[Quantity, Value]]:
        """Return the instant of the registers in ms, what flows, and what is told besides."""
        contact = await self._async_met()
        try:
            flow, values = await contact.async_poll()
        except ModelsMoved:  # new firmware, or another meter behind the inverter: what stands where is asked anew
            self._contact = None
            contact = await self._async_met()
            flow, values = await contact.async_poll()
        at_ms = int(dt_util.utcnow().timestamp() * 1000)
        if self._polls % SLOW_EVERY == 0:
            self._inputs = await _beside(contact.async_inputs())
            self._controlled = {} if contact.controls is None else await _beside(contact.controls.async_read())
        self._polls += 1
        if flow.power_w is None and flow.import_wh is None and flow.export_wh is None:
            raise Asleep("tells neither power nor energy: it sleeps, or is starting")
        return at_ms, self._steady(flow), self._inputs | values | self._controlled

    async def _async_met(self) -> Contact:
        doubted, self._doubted = self._doubted, False  # before asking: the line may be lost meanwhile
        if self._contact is not None and doubted and not await self._contact.async_is_same():
            self._contact = None
        if self._contact is None:
            bases = BASES if self._base is None else dict.fromkeys((self._base, *BASES))
            chain = await async_chain(self._unit, tuple(bases))
            part = self._known_part(chain)
            self._contact = await async_contact(self._unit, chain, part, self._held)
            self._base = chain.base
            self._identity = self._contact.identity
            self._polls = 0
        return self._contact

    def _known_part(self, chain: Chain) -> Part:
        """Return this part of a chain; raise WrongDevice unless the device is the one that was set up."""
        part = next((part for part in parts_of(chain.models) if part.key == self._key), None)
        said = (chain.identity if part is None else chain.identity_of(part), chain.identity)
        if self._expected_serial is not None and self._expected_serial not in (one.serial for one in said):
            raise WrongDevice("answers with another serial number than the one set up")
        if self._first is not None and said[0] != self._first:
            raise WrongDevice("is another device than the one that answered before")
        if part is None:
            found = ", ".join(part.key for part in parts_of(chain.models)) or "nothing that can be read"
            raise DeviceError(f"no longer has the SunSpec model {self._key}; it has {found}")
        if self._expected_serial is None:
            self._first = said[0]
        return part

    def _steady(self, flow: Flow) -> Flow:
        """Return the registers without a zero where there was more before: a device that starts has not counted yet."""
        registers = {"import_wh": flow.import_wh, "export_wh": flow.export_wh}
        missing = {side: None for side, register in registers.items() if register == 0 and side in self._counted}
        self._counted |= {side for side, register in registers.items() if register}
        return replace(flow, **missing)


async def _beside(values: Awaitable[dict[Quantity, Value]]) -> dict[Quantity, Value]:
    try:
        return await values
    except DeviceError as error:
        # what is settled was read already, and must not be lost with what is told beside it
        LOGGER.debug("What a SunSpec device tells beside its registers cannot be read: %s", error)
        return {}


class CountingSunSpecDevice(SunSpecDevice):
    """A battery whose model tells power alone: what flows is counted here while it tells."""

    integrated = True

    def __init__(self, unit: ModbusUnit, part: str, serial: str | None, bus: Bus | None = None) -> None:
        """Begin at zero, unless `go_on_with` says where it stood."""
        super().__init__(unit, part, serial, bus)
        self._registers = Registers({}, "power_w", frozenset(SIDES), Limits(None))

    def go_on_with(self, kept: Mapping[str, Any] | None, floor_wh: tuple[int, int] | None) -> None:
        """Take up what `kept` returned last, and the registers of the boundary closed last: never behind these."""
        self._registers.go_on_with(kept, floor_wh)

    def kept(self) -> Mapping[str, Any] | None:
        """Return what is to be written down; None before the first read."""
        return self._registers.kept()

    @override
    def _raw(self, at_ms: int, flow: Flow) -> RawReading:
        self._registers.sample(at_ms, flow.power_w)
        return RawReading(at_ms, *self._registers.wh(), flow.power_w)


class Asleep(DeviceError):  # noqa: N818
    """The device answers, and has nothing to tell."""
