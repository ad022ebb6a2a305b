"""A meter on Modbus: one block read over the link that Home Assistant shares between integrations."""

from collections.abc import Mapping
from typing import Any

from homeassistant.util import dt as dt_util
from modbus_connection import ModbusError, ModbusUnit

from ..errors import DeviceError
from ..metering.reading import RawReading
from .port import Answer, Command, DeviceIdentity, Quantity, Range, Value
from .profile import Profile, ProfileField

# A healthy meter answers in milliseconds; behind a slow serial gateway in a few hundred. A silent unit costs the other
# units of its link this long, so it is short.
LINK_TIMEOUT_S = 3.0


class WrongDevice(DeviceError):  # noqa: N818
    """Something answers, but not the device that was set up here."""


class ModbusDevice:
    """Reads a Modbus unit by a profile and refuses an answer of any other device than the one it was set up for."""

    quantities: frozenset[Quantity] = frozenset()
    commands: Mapping[Command, Range] = {}
    integrated = False

    def __init__(self, unit: ModbusUnit, profile: Profile, serial: str | None) -> None:
        """Take a unit on a shared link; `serial` None accepts whichever device answers, as a first contact does."""
        unit.require_timeout(LINK_TIMEOUT_S)
        self._unit = unit
        self._profile = profile
        self._expected_serial = serial
        self._registers = profile.component(unit, every_poll=True)
        self._on_contact = profile.component(unit, every_poll=False)
        self._contact: dict[str, Any] | None = None
        self.breaker_closed: bool | None = None  # as last read; None also where the device has no breaker

    async def async_read(self) -> Answer:
        """Return the registers in Wh; a register the map does not implement is None, a missing export zero."""
        values = await self._values()
        import_wh, export_wh = values.get("import_wh"), values.get("export_wh")
        if import_wh is None and export_wh is not None:
            import_wh = 0  # a one-way meter of a generator
        raw = RawReading(
            at_ms=int(dt_util.utcnow().timestamp() * 1000),
            import_wh=import_wh,
            export_wh=0 if export_wh is None else export_wh,
            power_w=values.get("power_w"),
        )
        return Answer(raw)

    async def async_identify(self) -> DeviceIdentity:
        """Return which device answers here."""
        values = await self._values()
        return DeviceIdentity(serial=_text(values.get("serial")), rated_power_w=values.get("rated_power_w"))

    @property
    def has_breaker(self) -> bool:
        """Whether the register map has a breaker; the device at hand may still be one without."""
        return "breaker_command" in self._profile.fields

    async def async_command(self, command: Command, value: Value) -> None:
        """Refuse: no register map here has commands yet."""
        raise DeviceError(f"cannot be told {command}")

    async def async_switch(self, *, closed: bool) -> None:
        """Tell the breaker of the very device that was set up to close or open, and read what it made of it."""
        await self._values()
        if self.breaker_closed is None:
            raise DeviceError("has no breaker")
        try:
            await self._unit.write_register(self._profile.fields["breaker_command"].address, int(closed))
        except ModbusError as error:
            raise DeviceError(str(error)) from error
        await self._values()

    async def _values(self) -> dict[str, Any]:
        try:
            if self._contact is None:
                self._contact = await self._on_contact.async_update()
            values = await self._registers.async_update() | self._contact
        except ModbusError as error:
            self._contact = self.breaker_closed = None  # whoever answers next may be another device
            raise DeviceError(str(error)) from error
        self._check_identity(values)
        state = values.get("breaker_state")
        self.breaker_closed = bool(state) if state in (0, 1) else None
        return {name: _scaled(value, self._profile.fields.get(name)) for name, value in values.items()}

    def _check_identity(self, values: dict[str, Any]) -> None:
        for index, field in enumerate(self._profile.identity):
            if values.get(f"identity_{index}") != field.equals:
                self._contact = self.breaker_closed = None
                raise WrongDevice(f"is no device of the profile {self._profile.key}")
        if self._expected_serial is not None and _text(values.get("serial")) != self._expected_serial:
            self._contact = self.breaker_closed = None
            raise WrongDevice("answers with another serial number than the one set up")


def _scaled(value: Any, field: ProfileField | None) -> Any:
    return value if field is None or field.factor == 1 or value is None else value * field.factor


def _text(value: Any) -> str | None:
    return None if value is None else str(value).strip() or None
