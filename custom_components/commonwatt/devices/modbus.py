"""A device on Modbus: read and told by its register profile, over a link that Home Assistant's integrations share."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace
import logging
from weakref import WeakMethod, finalize

from homeassistant.util import dt as dt_util
from modbus_connection import ModbusError, ModbusUnit

from ..errors import DeviceError
from ..metering.reading import RawReading
from .faults import REFUSALS, ImplausibleDevice, SilentUnit, SwappedWords, WrongDevice, fault
from .patience import Bus, Patience
from .plausible import doubt
from .port import Answer, Command, DeviceIdentity, Quantity, Range, Value
from .profile import ENERGY_FIELDS, Profile
from .register import ProfileCommand
from .sheet import Sheet

__all__ = ["ImplausibleDevice", "ModbusDevice", "SilentUnit", "SwappedWords", "WrongDevice"]

LOGGER = logging.getLogger(__name__)

# A healthy device answers in milliseconds; behind a slow serial gateway in a few hundred. A silent unit costs the other
# units of its link this long, so it is short.
LINK_TIMEOUT_S = 3.0
LOOKS = 4  # at what a command made of the device, which may take a moment to show it
LOOK_PAUSE_S = 0.5


class ModbusDevice:
    """Reads a Modbus unit by a profile and refuses an answer of any other device than the one it was set up for."""

    def __init__(self, unit: ModbusUnit, profile: Profile, serial: str | None, bus: Bus | None = None) -> None:
        """Take a unit on a shared link; `serial` None accepts whichever device answers, as a first contact does.

        `bus` is shared by the devices of one line, so that the silent ones among them take turns.
        """
        unit.require_timeout(LINK_TIMEOUT_S)
        if profile.pause_ms:
            unit.set_message_spacing(profile.pause_ms / 1000)
        lose = WeakMethod(self._lose)
        finalize(self, unit.on_connection_lost(lambda: (lost := lose()) and lost()))
        self._unit = unit
        self._profile = profile
        self._quantities, self._wraps_wh = profile.quantities, profile.wraps_wh
        self._expected_serial = serial
        bus = bus or Bus()
        self._now = bus.now
        self._sheet = Sheet(unit, profile, self._needed(), bus.now)
        self._patience = Patience(bus)
        self._one_at_a_time = asyncio.Lock()
        self._at_ms = 0
        self._counted: set[str] = set()  # the registers that ever had a value
        self._repeats: dict[Command, tuple[float, Value]] = {}
        self.identity: DeviceIdentity | None = None

    @property
    def integrated(self) -> bool:
        """Whether its registers are made here, from its power."""
        return self._profile.integrated

    @property
    def quantities(self) -> frozenset[Quantity]:
        """What its profile has, without what the unit at hand refused."""
        return self._quantities - self._sheet.refused

    @property
    def commands(self) -> Mapping[Command, Range]:
        """What it can be told, without registers it refused; within the profile's bounds, or the unit's own."""
        fields, refused = self._profile.fields, self._sheet.refused
        return {
            name: self._range(command)
            for name, command in self._profile.commands.items()
            if not (name in refused and command.is_at(fields[name]))
        }

    @property
    def has_breaker(self) -> bool:
        """Whether the register map has a breaker; the device at hand may still be one without."""
        return "breaker_command" in self._profile.fields

    @property
    def breaker_closed(self) -> bool | None:
        """How the breaker stood when it was read last; None where it is not known, or there is none."""
        state = self._sheet.values.get("breaker_state")
        return bool(state) if state in (0, 1) else None

    async def async_read(self) -> Answer:
        """Return the registers in Wh and all it tells.

        The register that a one-way meter does not have is zero; one that has lost its value for now is None.
        """
        if not self._patience.asks(LINK_TIMEOUT_S):
            raise SilentUnit(self._patience.reason)
        async with self._one_at_a_time:
            values = await self._poll()
            await self._repeat()
        return Answer(
            self._raw(values),
            {quantity: values[quantity] for quantity in self._quantities if quantity in values},
        )

    async def async_identify(self) -> DeviceIdentity:
        """Return which device answers here, if what it shows can be a meter's.

        Raises SilentUnit, WrongDevice, SwappedWords, ImplausibleDevice, or another DeviceError of the link.
        """
        async with self._one_at_a_time:
            await self._poll()
        fields = self._profile.fields
        words = {name: found for name in fields if (found := self._sheet.words(name)) is not None}
        if (wrong := doubt(fields, words)) is not None:
            if doubt(fields, words, swapped=True) is None:
                raise SwappedWords(f"its words come in the other order: {wrong}")
            raise ImplausibleDevice(wrong)
        assert self.identity is not None
        return self.identity

    async def async_command(self, command: Command, value: Value) -> None:
        """Write it to the very device that was set up, and read what the device made of it.

        Raises ValueError for what is outside the command's range, DeviceError unless the device took it.
        """
        if (spec := self._profile.commands.get(command)) is None:
            raise DeviceError(f"cannot be told {command}")
        words = spec.words(value)
        async with self._one_at_a_time:
            pauses = self._profile.pauses(command)
            await self._poll(*([command] if pauses else []))
            self._check_range(spec, value)
            if pauses and value is True and self._sheet.values.get(command) is True:
                return  # it goes on already: written again, it would begin at the least limit
            await self._write(spec, words)
            await self._look(command, spec, words)
        # what is written to the same register since is what must be repeated
        rest = {
            name: kept for name, kept in self._repeats.items() if self._profile.commands[name].address != spec.address
        }
        self._repeats = rest | ({} if spec.repeat_s is None else {command: (self._now() + spec.repeat_s, value)})

    async def async_switch(self, *, closed: bool) -> None:
        """Tell the breaker of the very device that was set up to close or open, and read what it made of it."""
        async with self._one_at_a_time:
            await self._poll()
            if self.breaker_closed is None:
                raise DeviceError("has no breaker")
            field = self._profile.fields["breaker_command"]
            try:
                if field.space == "coil":
                    await self._unit.write_coil(field.address, closed)
                else:
                    await self._unit.write_register(field.address, int(closed))
            except ModbusError as error:
                raise fault(error, connected=self._unit.connected) from error
            await self._poll("breaker_state")

    async def async_dump(self) -> Mapping[str, Mapping[int, int]]:
        """Return the words it holds now, by space and address; none that name it or its place."""
        async with self._one_at_a_time:
            await self._poll()
            return self._sheet.dump()

    def _needed(self) -> set[str]:
        identity = {f"identity_{place}" for place in range(len(self._profile.identity))}
        registers = {"power_w"} if self._profile.integrated else set(ENERGY_FIELDS)
        return identity | registers | ({"serial"} if self._expected_serial is not None else set())

    async def _poll(self, *anew: str) -> Mapping[str, Value]:
        """Read what is due, believe it only if it is the right device, and return all that is known now."""
        try:
            await self._sheet.async_read(self._check, anew)
        except ModbusError as error:
            self._lose()
            told = fault(error, connected=self._unit.connected)
            if isinstance(told, SilentUnit):
                self._patience.timed_out(told.detail)
            raise told from error
        except DeviceError:
            self._lose()
            raise
        self._patience.answered()
        if not self._sheet.in_contact:
            raise DeviceError("the line was lost while it was read")
        values = self._sheet.values
        self._counted |= ENERGY_FIELDS & values.keys()
        self.identity = DeviceIdentity(
            serial=_serial(values.get("serial")),
            rated_power_w=_whole(values.get("rated_power_w")),
            manufacturer=_text(values.get("manufacturer")) or self._profile.manufacturer,
            model=_text(values.get("model")) or self._profile.model,
            firmware=_text(values.get("firmware")),
        )
        return values

    def _lose(self) -> None:
        """Forget what was read: whoever answers next may be another device."""
        self._sheet.forget()

    def _check(self) -> None:
        """Judge what is needed, as soon as it is read; this is also the instant of the registers."""
        self._at_ms = int(dt_util.utcnow().timestamp() * 1000)
        values = self._sheet.values if self._profile.identity or self._expected_serial is not None else {}
        for place, field in enumerate(self._profile.identity):
            if values.get(f"identity_{place}") != field.equals:
                raise WrongDevice(f"is no device of the profile {self._profile.key}")
        if self._expected_serial is not None and _serial(values.get("serial")) != self._expected_serial:
            raise WrongDevice("answers with another serial number than the one set up")
        needed = {"power_w"} if self._profile.integrated else ENERGY_FIELDS & set(self._profile.fields)
        if self._sheet.refuses(needed):
            raise WrongDevice(f"refuses the registers {', '.join(sorted(needed))} of the profile {self._profile.key}")

    def _raw(self, values: Mapping[str, Value]) -> RawReading:
        registers = {name: _number(values.get(name)) for name in ENERGY_FIELDS}
        if self._counted:
            # a register that never had a value is none of this device; one that had has only lost it for now
            registers |= dict.fromkeys(ENERGY_FIELDS - self._counted, 0)
        return RawReading(
            at_ms=self._at_ms,
            import_wh=registers["import_wh"],
            export_wh=registers["export_wh"],
            power_w=_number(values.get("power_w")),
            wraps_wh=self._wraps_wh,
        )

    def _range(self, spec: ProfileCommand) -> Range:
        """Return the profile's bounds, narrowed to the amount, in either direction, that the unit says it takes."""
        most = None if spec.within is None else _number(self._sheet.values.get(spec.within))
        if most is None or most <= 0:
            return spec.range
        least = max(spec.range.least, -most)
        return replace(spec.range, least=least, most=max(min(most, spec.range.most), least))

    def _check_range(self, spec: ProfileCommand, value: Value) -> None:
        """Refuse a number beyond what the unit itself says it takes; the profile's own bounds are checked already."""
        least, most = (bounds := self._range(spec)).least, bounds.most
        if spec.within is not None and isinstance(value, int | float) and not least <= value <= most:
            raise ValueError(f"must be from {least:g} to {most:g} here, not {value!r}")

    async def _write(self, spec: ProfileCommand, words: Sequence[int]) -> None:
        if not self._sheet.in_contact:
            raise DeviceError("the line was lost before it was told")  # whoever answers now may be another device
        try:
            if spec.space == "coil":
                await self._unit.write_coil(spec.address, bool(words[0]))
            elif len(words) == 1 and not spec.multiple:
                await self._unit.write_register(spec.address, words[0])
            else:
                await self._unit.write_registers(spec.address, list(words))
        except REFUSALS as error:
            raise DeviceError(f"refuses what it was told: {error}") from error
        except ModbusError as error:
            raise fault(error, connected=self._unit.connected) from error

    async def _look(self, command: Command, spec: ProfileCommand, words: Sequence[int]) -> None:
        """Read the command's quantity; where it is the very register that was written, it must hold what was."""
        field = self._profile.fields.get(command)
        if field is None or command in self._sheet.refused:
            return
        same = spec.is_at(field)
        for look in range(LOOKS if same else 1):
            if look:
                await asyncio.sleep(LOOK_PAUSE_S)
            await self._poll(command)
            found = self._sheet.words(command)
            if not same or (found is not None and list(found) == list(words)):
                return
        raise DeviceError(f"does not follow: {command} stays {self._sheet.values.get(command)}")

    async def _repeat(self) -> None:
        """Write again what the device would forget."""
        for command, (due_at, value) in list(self._repeats.items()):
            spec = self._profile.commands[command]
            if spec.repeat_s is not None and self._now() >= due_at:
                try:
                    await self._write(spec, spec.words(value))
                except DeviceError as error:
                    LOGGER.debug("%s is not repeated: %s", command, error)  # tried again at the next poll
                else:
                    self._repeats[command] = self._now() + spec.repeat_s, value


def _serial(value: Value | None) -> str | None:
    """Return a serial number; one of nothing but zeros is none, or all such devices would be one."""
    text = _text(value)
    return text if text is not None and text.strip("0") else None


def _text(value: Value | None) -> str | None:
    return None if value is None else str(value).strip() or None


def _number(value: Value | None) -> float | None:
    return value if isinstance(value, int | float) else None


def _whole(value: Value | None) -> int | None:
    return int(value) if isinstance(value, int | float) else None
