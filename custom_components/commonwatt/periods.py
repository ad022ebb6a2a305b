"""What the pump knows of the cables of a site: what they tell in the open interval, and each closed one's periods."""

from collections.abc import Callable, Mapping, Sequence, Set as AbstractSet
from dataclasses import dataclass, replace

from homeassistant.core import CALLBACK_TYPE, callback

from .const import LOGGER, SUBENTRY_CABLE
from .devices.port import Answer, Quantity, Value
from .errors import DeviceError
from .metering import TapInterval
from .site import TapConfig
from .sources import ModbusSource
from .v2g import CableReading, Memory, Periods, SiteReading, Tolerance, memory_of, memory_text, periods
from .v2g.visit import is_plugged
from .wire import CablePeriod, Place, Standing, TreeTap, WireError
from .wire.strict import identifier, printable

NAME_LETTERS_MAX = 64  # of a user or a vehicle, as the wire has it
UNSURE_SECONDS_MAX = 3600  # a cable that fell silent with a car may still move energy; after that it has gone away
UNSURE_SECONDS_MIN = 60  # in pressed time: a line that is down is down in real time
DEGREE = 1_000_000
DAY_SECONDS = 86_400

NOTE_PERIODS = "periods"

type PeriodsListener = Callable[[Sequence[CablePeriod]], None]


@dataclass(frozen=True, slots=True)
class Told:
    """What a cable told in one interval: whether a car was plugged in at any read, and whose, as it was said last."""

    plugged: bool = False
    user: str | None = None
    vehicle: str | None = None
    place: Place | None = None


@dataclass(frozen=True, slots=True)
class Heard:
    """What a cable told interval by interval, by start in s, and when a car was seen at it last."""

    told: Mapping[int, Told]
    plugged_at: int | None = None


@dataclass(frozen=True, slots=True)
class Closed:
    """The periods of a boundary that is being closed, and what is to be remembered once they are kept."""

    periods: Periods
    memory: Memory

    @property
    def memory_text(self) -> str:
        """What is to be remembered, to be kept with the interval."""
        return memory_text(self.memory)


class CablePeriods:
    """Follows the cables of one site. Nothing is forgotten before what was made of it is kept.

    `standing` says what the cloud told of a cable, by its id; the tolerance is the host community's.
    """

    def __init__(
        self, taps: Mapping[str, TapConfig], seconds: int, heard: Mapping[str, Heard], time_scale: int = 1
    ) -> None:
        """Follow the cables among these taps; `heard` is what a run before a reload had heard of them."""
        self._day_seconds = DAY_SECONDS // time_scale
        self._unsure_seconds = max(UNSURE_SECONDS_MAX // time_scale, UNSURE_SECONDS_MIN)
        self._taps = {tap: config for tap, config in taps.items() if config.kind == SUBENTRY_CABLE}
        self.heard_of = {**heard, **{tap: heard.get(tap, Heard({})) for tap in self._taps}}
        self.standing: Callable[[str], Standing | None] = lambda _: None
        self._above = {tap: config.parent for tap, config in taps.items()}
        self._ids = {tap: cable_id(config) for tap, config in self._taps.items()}
        self._seconds = seconds
        self._memory = Memory()
        self.last: Periods | None = None
        self._listeners: dict[object, PeriodsListener] = {}

    @property
    def cables(self) -> AbstractSet[str]:
        """The taps that are cables."""
        return self._taps.keys()

    @property
    def named(self) -> dict[str, str]:
        """The ids of the cables that can be reported, by tap."""
        return {tap: cable for tap, cable in self._ids.items() if cable is not None}

    def go_on_with(self, memory: str | None) -> None:
        """Take up what an earlier run remembered."""
        self._memory = memory_of(memory)

    @callback
    def listen(self, listener: PeriodsListener) -> CALLBACK_TYPE:
        """Tell each closed interval's periods; returns what ends it."""
        key = object()
        self._listeners[key] = listener

        @callback
        def end() -> None:
            self._listeners.pop(key, None)

        return end

    @callback
    def heard(self, tap: str, outcome: Answer | DeviceError) -> None:
        """Note what a poll brought of a cable; of any other tap nothing."""
        if tap not in self._taps or isinstance(outcome, DeviceError):
            return
        at, before = outcome.raw.at_ms // 1000, self.heard_of[tap]
        start = at // self._seconds * self._seconds
        plugged = is_plugged(outcome.values)
        now = _told(before.told.get(start, Told()), outcome.values, plugged=bool(plugged))
        plugged_at = at if plugged else None if plugged is False else before.plugged_at
        self.heard_of[tap] = Heard({**before.told, start: now}, plugged_at)

    def close(self, end: int, tree: Mapping[str, TreeTap], intervals: Mapping[str, TapInterval]) -> Closed:
        """Make the periods of the interval that ends at `end` from what was measured in it."""
        parents = {tap: member.parent for tap, member in tree.items()}
        net_wh = {tap: _net(intervals[tap]) for tap in tree if tap in intervals and intervals[tap].quality == "ok"}
        site = SiteReading(end, self._seconds, parents, net_wh, self._day_seconds)
        found = [self._reading(tap, end, tree, intervals.get(tap)) for tap in self._taps]
        cables = [cable for cable in found if cable is not None]
        if removed := self._removed(end - self._seconds):
            cables = [replace(cable, sure=False) for cable in cables] + removed
        return Closed(*periods(site, cables, self._memory, self._tolerance()))

    @callback
    def kept(self, closed: Closed) -> None:
        """Go on to the next interval, and tell what came of this one."""
        self._memory, self.last = closed.memory, closed.periods
        end = closed.periods.start + closed.periods.seconds
        for tap, heard in list(self.heard_of.items()):
            told = {at: told for at, told in heard.told.items() if at >= end}
            self.heard_of[tap] = replace(heard, told=told)
            if not told and tap not in self._taps:
                del self.heard_of[tap]
        for listener in list(self._listeners.values()):
            listener(closed.periods.cables)

    def last_of(self, tap: str) -> CablePeriod | None:
        """Return what was reported last of the cable at a tap."""
        cables = () if self.last is None else self.last.cables
        return next((period for period in cables if period.cable == self._ids.get(tap)), None)

    def _removed(self, start: int) -> list[CableReading]:
        """Return the cables that were taken out of the site with a car at them: what they moved is in the meter."""
        gone = [heard.told.get(start, Told()) for tap, heard in self.heard_of.items() if tap not in self._taps]
        lost = CableReading(None, None, None, sure=False, connected=False, heard=False)
        return [lost for told in gone if told.plugged]

    def _reading(
        self, tap: str, end: int, tree: Mapping[str, TreeTap], interval: TapInterval | None
    ) -> CableReading | None:
        """Return what was measured at a cable; None for one that has gone away."""
        start, heard = end - self._seconds, self.heard_of[tap]
        told, cable, socket = heard.told.get(start), self._ids[tap], self._socket(tap, tree)
        if told is None and interval is None:
            lately = heard.plugged_at is not None and heard.plugged_at >= start - self._unsure_seconds
            return CableReading(cable, socket, None, sure=False, connected=False, heard=False) if lately else None
        told = told or Told()
        energy_wh = None if interval is None else _net(interval)
        return CableReading(
            cable=cable,
            tap=socket,
            energy_wh=energy_wh,
            sure=interval is not None and interval.quality == "ok",
            connected=told.plugged or bool(energy_wh),
            user=told.user,
            vehicle=told.vehicle,
            place=told.place,
        )

    def _socket(self, tap: str, tree: Mapping[str, TreeTap]) -> str | None:
        """Return the tap that a cable is plugged in below: the nearest one above that stood in the tree."""
        socket, passed = self._above[tap], set[str]()
        while socket in self._above and socket not in tree and socket not in passed:
            passed.add(socket)
            socket = self._above[socket]
        return socket if socket in tree else self._above[tap]

    def _tolerance(self) -> Tolerance:
        told = [self.standing(cable) for cable in self._ids.values() if cable is not None]
        known = next((standing for standing in told if standing is not None), None)
        return Tolerance() if known is None else Tolerance(known.tolerance_wh, known.tolerance_percent)


def cable_id(config: TapConfig) -> str | None:
    """Return a cable's id: its serial number, None where it has none that can be told."""
    source = config.source
    serial = source.serial if isinstance(source, ModbusSource) else None
    try:
        return None if serial is None else identifier(serial, "serial")
    except WireError:
        LOGGER.warning("%s cannot be reported: its serial number %r is no id", config.name, serial)
        return None


def _told(before: Told, values: Mapping[Quantity, Value], *, plugged: bool) -> Told:
    """Return what is known after one read more; who and where is said while a car is plugged in, if it ever is."""
    if before.plugged and not plugged:
        return before
    return Told(
        plugged=plugged,
        user=name_or_none(values.get("user_id")) or (before.user if before.plugged else None),
        vehicle=name_or_none(values.get("vehicle_id")) or (before.vehicle if before.plugged else None),
        place=place_said(values.get("latitude"), values.get("longitude")) or (before.place if before.plugged else None),
    )


def name_or_none(value: Value | None) -> str | None:
    """Return a name as the wire takes it; one that cannot be printed is none."""
    name = value.strip() if isinstance(value, str) else ""
    return name if 0 < len(name) <= NAME_LETTERS_MAX and printable(name) else None


def place_said(latitude: Value | None, longitude: Value | None) -> Place | None:
    """Return a place as the wire takes it: a cable may say that it is anywhere."""
    if not isinstance(latitude, int | float) or not isinstance(longitude, int | float):
        return None
    if not (abs(latitude) <= 90 and abs(longitude) <= 180):  # nor does NaN
        return None
    return round(latitude * DEGREE), round(longitude * DEGREE)


def _net(interval: TapInterval) -> int:
    return interval.import_wh - interval.export_wh
