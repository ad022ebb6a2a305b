"""A V2G cable on the open register map: beside what it shows, it hands on the intervals it signed."""

from collections.abc import Callable, Sequence
from dataclasses import replace
import logging
from typing import Protocol, override

from modbus_connection import ModbusError, ModbusUnit

from ..errors import DeviceError
from .faults import REFUSALS, fault
from .mailbox import Mailbox
from .modbus import ModbusDevice
from .patience import Bus
from .port import Answer, DeviceIdentity, Quantity, Value
from .profile import Profile

PROFILE = "commonwatt_cable"
RECORDS_AT_ONCE = 4  # with each poll: after an outage the rest comes with the next ones, and nobody waits
RECORDS_SECONDS_MAX = 4.0  # on a slow line fewer: a poll that takes too long is given up, and all it fetched with it

LOGGER = logging.getLogger(__name__)

# Says whether a record is the cable's own and is what it must be; the rule lies in another room.
type Judge = Callable[[str], bool]


class Shelf(Protocol):
    """Where the records of one cable are kept."""

    @property
    def waits(self) -> bool:
        """Whether it is not known yet where to begin."""

    @property
    def held(self) -> bool:
        """Whether no record is to be fetched now: others may have fetched some since, and nobody has said so yet."""

    @property
    def after(self) -> int | None:
        """The number up to which others are known to have fetched them; None where nobody knows of any."""

    async def async_keep(self, texts: Sequence[str], through: int) -> bool:
        """Keep records, and that the mailbox was read up to a number; tell whether that is done for good."""


class CableDevice(ModbusDevice):
    """Reads a cable as any device, and the records it signed since, oldest first and each once."""

    def __init__(
        self,
        unit: ModbusUnit,
        profile: Profile,
        serial: str | None,
        bus: Bus | None = None,
        *,
        judge: Judge | None = None,
        after: int | None = None,
    ) -> None:
        """Take what judges its records, None to hand them on as they are.

        `after` is the number of the record fetched last; without one the newest is the first that is fetched.
        """
        super().__init__(unit, profile, serial, bus)
        self._mailbox = Mailbox(unit)
        self._judge = judge
        self._shelf: Shelf | None = None
        self._followed: int | None = None
        self._fetched = after
        self._valid: bool | None = None
        self._stuck = False
        self._named: Value | None = None

    @property
    @override
    def quantities(self) -> frozenset[Quantity]:
        """What its profile has, and whether its newest record holds."""
        return super().quantities | ({"signed_valid"} if self._judge is not None else set())

    @override
    async def async_read(self) -> Answer:
        """Return what it tells; records that cannot be fetched now come with a later poll."""
        answer = await super().async_read()
        newest = answer.values.get("signed_number")
        named, self._named = self._named, answer.values.get("site_id", "")
        moved = bool(named) and named != self._named  # it may have been elsewhere between two reads
        ready = self._shelf is None or (not moved and self._follow(self._shelf))
        papers = await self._papers() if ready and isinstance(newest, int) and newest != (self._fetched or 0) else ()
        if self._valid is None:
            return replace(answer, papers=papers)
        return replace(answer, values={**answer.values, "signed_valid": self._valid}, papers=papers)

    @override
    async def async_identify(self) -> DeviceIdentity:
        """Return which cable answers here, with the key it signs with."""
        identity = await super().async_identify()
        try:
            return replace(identity, public_key=await self._mailbox.async_public_key())
        except REFUSALS:
            return identity
        except ModbusError as error:
            raise fault(error, connected=self._unit.connected) from error

    def believe(self, judge: Judge) -> None:
        """Let somebody else judge its records from now on: who knows its key better than a first meeting did."""
        self._judge = judge

    async def async_shown_key(self) -> str | None:
        """Return the key it shows now, DER in hex; None where it shows none, or does not answer."""
        try:
            async with self._one_at_a_time:
                return await self._mailbox.async_public_key()
        except ModbusError:
            return None

    async def async_proof(self) -> str | None:
        """Return the newest record it signed, which proves that it has its key; None where there is none to read.

        Raises DeviceError if the cable is silent.
        """
        try:
            async with self._one_at_a_time:
                held = await self._mailbox.async_held()
                raw = await self._mailbox.async_record(held[-1]) if held else None
        except ModbusError as error:
            raise fault(error, connected=self._unit.connected) from error
        return _text(raw)

    def keep_on(self, shelf: Shelf, through: int | None) -> None:
        """Hand each record to who keeps it before it counts as fetched; `through` is the number kept last."""
        self._shelf = shelf
        self._fetched = through

    def _follow(self, shelf: Shelf) -> bool:
        """Leave out what others have fetched meanwhile; tell whether it is known where to go on."""
        if shelf.held:
            return False
        if shelf.after is not None and shelf.after != self._followed:
            self._followed = shelf.after
            self._fetched = max(shelf.after, self._fetched or 0)
        return self._fetched is not None or not shelf.waits

    async def _papers(self) -> tuple[str, ...]:
        papers: list[str] = []
        fetched, enough_at = self._fetched, self._now() + RECORDS_SECONDS_MAX
        try:
            async with self._one_at_a_time:
                for number in self._wanted(await self._mailbox.async_held()):
                    if self._now() >= enough_at or not self._sheet.in_contact:  # whose registers are these now
                        break
                    raw = await self._mailbox.async_record(number)
                    fetched = number  # also one that nobody can read: it must not stand before the next
                    papers += self._believed(number, raw)
        except (ModbusError, DeviceError) as error:
            if not self._stuck:
                LOGGER.info("The signed records of the cable cannot be fetched: %s", error)
            self._stuck = True
        else:
            self._stuck = False
        if fetched is not None and fetched != self._fetched and not await self._kept(papers, fetched):
            return ()  # the mailbox is asked for them again
        self._fetched = fetched  # only now: a read that is given up on the way has handed nothing on
        return tuple(papers)

    async def _kept(self, papers: Sequence[str], through: int) -> bool:
        return self._shelf is None or await self._shelf.async_keep(papers, through)

    def _wanted(self, held: range) -> range:
        """Return the numbers to fetch now. Numbers that begin anew are those of another key."""
        if not held:
            return held
        newest = held[-1]
        first = newest if self._fetched is None else self._fetched + 1 if self._fetched <= newest else held[0]
        first = max(first, held[0])
        return range(first, min(newest + 1, first + RECORDS_AT_ONCE))

    def _believed(self, number: int, raw: bytes | None) -> list[str]:
        text = _text(raw)
        if self._judge is not None:
            self._valid = text is not None and self._judge(text)
        if text is None:
            LOGGER.info("Record %s of the cable cannot be read", number)
            return []
        return [text]


def _text(raw: bytes | None) -> str | None:
    try:
        return None if raw is None else raw.decode("utf-8")
    except UnicodeDecodeError:
        return None
