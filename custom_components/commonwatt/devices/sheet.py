"""What a unit's registers hold: read block by block, each when it is due, remembered for as long as it may be true."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
import logging
import random

from modbus_connection import ModbusConnectionError, ModbusError, ModbusTimeoutError, ModbusUnit

from .blocks import Block, halves, plan, together
from .faults import REFUSALS
from .port import Value
from .profile import Profile
from .register import Pace, ProfileField

LOGGER = logging.getLogger(__name__)

SLOW_S = 60.0
SPREAD = 0.25  # of it, by chance: units of one line that began together must not stay together
KEEP_S: Mapping[Pace, float] = {"poll": 30.0, "slow": 3 * SLOW_S, "contact": float("inf")}
# not in a dump: names a device, its owner, a place
PRIVATE = frozenset({"serial", "site_id", "latitude", "longitude", "vehicle_id", "user_id"})


@dataclass(slots=True)
class Part:
    """A block and what it held when it was read last."""

    block: Block
    essential: bool
    due_at: float = 0.0
    read_at: float | None = None
    words: Sequence[int] = ()
    values: Mapping[str, Value] = field(default_factory=dict)


class Sheet:
    """Reads what a profile wants of a unit. What the unit refuses at the first contact is not asked for again."""

    def __init__(self, unit: ModbusUnit, profile: Profile, needed: Collection[str], now: Callable[[], float]) -> None:
        """Take the fields without which nothing that is read may be believed, and a clock in s."""
        self._unit = unit
        self._profile = profile
        self._fields: dict[str, ProfileField] = {
            **{f"identity_{place}": item for place, item in enumerate(profile.identity)},
            **profile.fields,
        }
        self._needed = frozenset(needed)
        self._now = now
        self._parts: list[Part] = []
        self._refused: set[str] = set()
        self.refused: frozenset[str] = frozenset()  # the fields of the profile that this unit does not have

    @property
    def in_contact(self) -> bool:
        """Whether the unit answered since it was last lost."""
        return bool(self._parts)

    def refuses(self, names: Collection[str]) -> bool:
        """Tell whether the unit has none of these fields, as far as it was asked since contact."""
        return self._refused.issuperset(names)

    @property
    def values(self) -> dict[str, Value]:
        """Every value that was read not too long ago."""
        now = self._now()
        return {name: value for part in self._parts if _fresh(part, now) for name, value in part.values.items()}

    def words(self, name: str) -> Sequence[int] | None:
        """Return the words of a field as read last; None if they were not."""
        wanted = self._fields[name]
        part = next((part for part in self._parts if name in part.block.names and part.words), None)
        return None if part is None else part.block.words(wanted, part.words)

    def dump(self) -> dict[str, dict[int, int]]:
        """Return the words of its fields as read last, by space and address, but those that name a device or a place.

        What is read along between the fields is left out: nobody here knows what it says.
        """
        dump: dict[str, dict[int, int]] = {}
        for part in self._parts:
            for name in set(part.block.names) - PRIVATE:
                item = self._fields[name]
                words = part.block.words(item, part.words)
                dump.setdefault(item.space, {}).update(enumerate(map(int, words), item.address))
        return {space: dict(sorted(words.items())) for space, words in dump.items()}

    def forget(self) -> None:
        """Lose contact: whoever answers next may be another device."""
        self._parts = []
        self._refused = set()

    async def async_read(self, check: Callable[[], None], anew: Collection[str] = ()) -> None:
        """Read every block that is due, and those with the fields to be read `anew`.

        What is needed comes first, then `check` judges it, then the rest follows, which may fail. Raises ModbusError.
        """
        now = self._now()
        if not self._parts:
            self._parts = self._planned()
        for part in [part for part in self._parts if part.essential and part.due_at <= now]:
            await self._read(part, now)
        check()
        for part in [part for part in self._parts if not part.essential]:
            if part.due_at <= now or any(name in part.block.names for name in anew):
                await self._try(part, now)
        if news := self._refused - self.refused:
            LOGGER.info("The device (%s) has no %s", self._profile.label, ", ".join(sorted(news)))
        self.refused = frozenset(self._refused)

    def _planned(self) -> list[Part]:
        blocks = plan(self._fields, max_gap=self._profile.max_gap, max_span=self._profile.max_span)
        return [self._part(block) for block in blocks]

    def _part(self, block: Block) -> Part:
        return Part(block, essential=bool(self._needed & set(block.names)))

    async def _try(self, part: Part, now: float) -> None:
        """Read what is not needed. What it held before stays for a while where this fails."""
        try:
            await self._read(part, now)
        except ModbusConnectionError:
            raise
        except ModbusError as error:
            LOGGER.debug("%s: %s", self._profile.label, error)
            if part.block.pace != "poll" or isinstance(error, ModbusTimeoutError):
                part.due_at = now + SLOW_S  # a timeout holds up the whole line: not at every poll

    async def _read(self, part: Part, now: float) -> None:
        try:
            await self._fill(part, now)
        except REFUSALS:
            if part.read_at is not None:
                raise  # it was there before
            parts = self._parts  # a connection lost on the way begins another list
            found = await self._without(part.block, now)  # which may fail or be given up: then the block stays whole
            parts.remove(part)
            parts += found

    async def _fill(self, part: Part, now: float) -> Part:
        words = await self._request(part.block)
        fields = ((name, self._fields[name]) for name in part.block.names)
        values = {name: _read_as(item, part.block.words(item, words)) for name, item in fields}
        part.words, part.read_at = words, now
        part.values = {name: value for name, value in values.items() if value is not None}
        part.due_at = _next(part.block.pace, now)
        return part

    async def _without(self, block: Block, now: float) -> list[Part]:
        """Find out what of a refused block the unit has, and return it read, in the largest pieces it answers."""
        pieces = await self._pieces(block, now)
        held = {name: self._fields[name] for piece in pieces for name in piece.block.names}
        for whole in together(held, block.pace, 0, self._profile.max_span):
            inside = [piece for piece in pieces if set(piece.block.names) <= set(whole.names)]
            if len(inside) < 2:
                continue
            try:
                # what lies together may have been cut only to find what is missing
                found = await self._fill(self._part(whole), now)
            except REFUSALS:
                continue
            pieces = [piece for piece in pieces if piece not in inside] + [found]
        return pieces

    async def _pieces(self, block: Block, now: float) -> list[Part]:
        if len(block.names) == 1:
            self._refused.update(block.names)
            return []
        parts: list[Part] = []
        for smaller in halves(block, self._fields, max_span=self._profile.max_span):
            try:
                parts.append(await self._fill(self._part(smaller), now))
            except REFUSALS:
                parts += await self._pieces(smaller, now)
        return parts

    async def _request(self, block: Block) -> Sequence[int]:
        match block.space:
            case "holding":
                return await self._unit.read_holding_registers(block.address, block.count)
            case "input":
                return await self._unit.read_input_registers(block.address, block.count)
            case "coil":
                return await self._unit.read_coils(block.address, block.count)
            case "discrete":
                return await self._unit.read_discrete_inputs(block.address, block.count)


def _read_as(field: ProfileField, words: Sequence[int]) -> Value | None:
    return field.value(words) if field.equals is None else field.raw_identity(words)


def _next(pace: Pace, now: float) -> float:
    match pace:
        case "poll":
            return now
        case "slow":
            return now + SLOW_S * random.uniform(1 - SPREAD, 1 + SPREAD)  # noqa: S311 no secret
        case "contact":
            return float("inf")


def _fresh(part: Part, now: float) -> bool:
    return part.read_at is not None and now - part.read_at <= KEEP_S[part.block.pace]
