"""A charger, a V2G cable or a home battery that obeys: what it was told and what time has passed make what it shows."""

from dataclasses import dataclass, field
from enum import IntEnum
from typing import Literal

from .house import HALF_HOUR_MS, HALF_HOUR_S, Snapshot
from .register_map import NOT_IMPLEMENTED, Kind, common, signed, text, unsigned
from .signed import SignedIntervals

MWS_PER_WH = 3_600_000
VOLTAGE_V = 230
LIMIT_DA_LEAST = 60  # 6 A: below it a car understands nothing
FORGOTTEN_MS = 600_000  # a set-point of somebody who reads no more
STEERED_WORDS = 113
RESERVED_WORDS = 3
SITE_WORDS = 18


class State(IntEnum):
    """Register 31."""

    AVAILABLE = 0
    PLUGGED = 1
    CHARGING = 2
    DISCHARGING = 3
    PAUSED = 4
    RESERVED = 5
    OUT_OF_SERVICE = 6
    FAULT = 7


class Permission(IntEnum):
    """Register 45: what the site may do with the car."""

    ALLOWED = 0
    CHARGE_ONLY = 1
    DENIED = 2


UNKNOWN_AGREEMENT = 2
STOPS = (28, 40, 45)  # breaker, charging allowed, permission

type Wrong = Literal["address", "value"]


@dataclass(slots=True, kw_only=True)
class Steered:
    """One device; `advance` lets its time pass. Everything is in whole W, ms and mWs, so nothing is lost or made.

    Where half an hour of a house passes in less, `speed` says how many times as much energy flows.
    """

    kind: Kind
    serial: str
    now_ms: int
    rated_power_w: int = 7_360
    capacity_wh: int = 40_000
    energy_wh: int = 20_000
    limit_max_da: int = 320
    interval_ms: int = HALF_HOUR_MS
    speed: int = 1
    vehicle: str = ""
    user: str = ""
    place: tuple[int, int] | None = None
    plugged: bool = True
    limit_da: int = 160
    charge: bool = True
    closed: bool = True
    set_point_w: int | None = None
    permission: Permission = Permission.ALLOWED
    agreement: int = UNKNOWN_AGREEMENT
    site: str = ""
    signed: SignedIntervals = field(init=False)
    _stored_mws: int = field(init=False)
    _import_mws: int = 0
    _export_mws: int = 0
    _session_from_mws: int = 0
    _heard_ms: int = field(init=False)
    _began_ms: int = field(init=False)
    _began: tuple[int, int] = (0, 0)
    _began_by: str = "B"

    def __post_init__(self) -> None:
        self.signed = SignedIntervals(self.serial)
        self._stored_mws = self.energy_wh * MWS_PER_WH
        self._heard_ms = self._began_ms = self.now_ms

    @property
    def registers_wh(self) -> tuple[int, int]:
        """Return import and export in Wh."""
        return self._import_mws // MWS_PER_WH, self._export_mws // MWS_PER_WH

    @property
    def carried_mws(self) -> tuple[int, int]:
        """Return import and export in mWs."""
        return self._import_mws, self._export_mws

    @property
    def power_w(self) -> int:
        """Return what flows now: what was wished, within every bound there is."""
        if not self.closed or not self.plugged or not (self.charge or self.kind is Kind.BATTERY):
            return 0
        most = self.rated_power_w
        wished = 0
        if self.kind is not Kind.BATTERY:
            most = wished = min(most, VOLTAGE_V * self.limit_da // 10)
        if self.set_point_w is not None:
            wished = self.set_point_w
        least = -most if self.permission is Permission.ALLOWED and self.kind is not Kind.CHARGER else 0
        power_w = 0 if self.permission is Permission.DENIED else max(least, min(most, wished))
        full, empty = self._stored_mws >= self.capacity_wh * MWS_PER_WH, self._stored_mws <= 0
        return 0 if (power_w > 0 and full) or (power_w < 0 and empty) else power_w

    @property
    def state(self) -> State:
        """Return register 31."""
        if not self.plugged:
            return State.AVAILABLE
        if self.power_w:
            return State.CHARGING if self.power_w > 0 else State.DISCHARGING
        return State.PLUGGED if self.charge and self.closed else State.PAUSED

    def advance(self, now_ms: int) -> None:
        """Let time pass, stopping where an interval ends and where a set-point is forgotten."""
        while self.now_ms < now_ms:
            stops = [now_ms, (self.now_ms // self.interval_ms + 1) * self.interval_ms]
            if self.set_point_w is not None:
                stops.append(max(self._heard_ms + FORGOTTEN_MS, self.now_ms + 1))
            self._pass(min(stops) - self.now_ms)
            if self.set_point_w is not None and self.now_ms >= self._heard_ms + FORGOTTEN_MS:
                self.set_point_w = None
            if self.now_ms % self.interval_ms == 0:
                self._close("C")

    def heard(self) -> None:
        """Note that somebody reads."""
        self._heard_ms = self.now_ms

    def plug(self, *, plugged: bool) -> None:
        """Plug a car in or out; a session ends with a signed interval of its own, and with what its site had said."""
        if self.plugged and not plugged:
            self._close("E")
            self._forget()
        elif plugged and not self.plugged:
            self._session_from_mws = self._import_mws
            # its registers go on where the last interval ended
            self._began_ms, self._began_by = max(self.now_ms, self._began_ms), "B"
        self.plugged = plugged

    def store(self, energy_wh: int) -> None:
        """Put a car behind it that holds so much."""
        self._stored_mws = max(0, min(energy_wh, self.capacity_wh)) * MWS_PER_WH

    def prove(self) -> None:
        """Sign a second in which nothing flowed: the first record of a new cable shows that the key is its own."""
        span_ms = self.now_ms - 1000, self.now_ms
        self.signed.close(span_ms, self.registers_wh, self.registers_wh, "", "C")

    def words(self) -> list[int]:
        """Return registers 0 to 112."""
        import_wh, export_wh = self.registers_wh
        car = self.kind is not Kind.BATTERY
        cable = self.kind is Kind.CABLE
        place = self.place if cable and self.place is not None else (None, None)
        return [
            *common(
                self.kind,
                self.serial,
                Snapshot(import_wh, export_wh, self.power_w),
                self.rated_power_w,
                switch=int(self.closed) if car else NOT_IMPLEMENTED,
            ),
            *unsigned(self.state if car else None),
            *unsigned(int(self.plugged) if car else None),
            *unsigned((self._import_mws - self._session_from_mws) // MWS_PER_WH if car else None, 2),
            *unsigned(self.soc_permille if self.kind is not Kind.CHARGER else None),
            *unsigned(self.capacity_wh if self.kind is not Kind.CHARGER else None, 2),
            *unsigned(self.limit_da if car else None),
            *unsigned(self.limit_max_da if car else None),
            *unsigned(int(self.charge) if car else None),
            *signed(self.set_point_w if self.kind is not Kind.CHARGER else None),
            *unsigned(self.now_ms // 1000 if cable else None, 2),
            *unsigned(self.permission if cable else None),
            *unsigned(self.agreement if cable else None),
            *signed(place[0]),
            *signed(place[1]),
            *text(self.vehicle if cable else "", 18),
            *text(self.user if cable else "", 18),
            *text(self.site if cable else "", SITE_WORDS),
            *unsigned(self.signed.newest if cable else None, 2),
            *unsigned(self.signed.oldest if cable else None, 2),
            *unsigned(self.interval_ms // 1000 if cable else None),
            *unsigned(None, RESERVED_WORDS),
        ]

    def write(self, address: int, words: list[int]) -> Wrong | None:
        """Carry out a command, or say what is wrong with it; what a cable is told to stop, it signs as it ends."""
        flowing = self.power_w != 0
        wrong = self._obey(address, words)
        if address in STOPS and flowing and self.power_w == 0:
            self._close("S")
        return wrong

    def _obey(self, address: int, words: list[int]) -> Wrong | None:
        car, cable = self.kind is not Kind.BATTERY, self.kind is Kind.CABLE
        match address, words:
            case 28, [0 | 1 as value] if car:
                self.closed = bool(value)
            case 38, [value] if car:
                return self._limit(value)
            case 40, [0 | 1 as value] if car:
                self.charge = bool(value)
            case 41, [_, _] if self.kind is not Kind.CHARGER:
                return self._set(int.from_bytes(_bytes(words), signed=True))
            case 45, [0 | 1 | 2 as value] if cable:
                self.permission = Permission(value)
            case 46, [0 | 1 | 2 as value] if cable:
                self.agreement = value
            case 109, [value] if cable:
                return self._count_by(value)
            case 87, [*_] if cable and len(words) == SITE_WORDS:
                return self._name_site(_bytes(words).rstrip(b"\0"))
            case (28 | 40 | 45 | 46, [_]) if cable or (car and address in (28, 40)):
                return "value"
            case _:
                return "address"
        return None

    @property
    def soc_permille(self) -> int:
        """Return the car's or the battery's state of charge."""
        return self._stored_mws * 1000 // (self.capacity_wh * MWS_PER_WH)

    def _limit(self, value: int) -> Wrong | None:
        if not LIMIT_DA_LEAST <= value <= self.limit_max_da:
            return "value"
        self.limit_da = value
        return None

    def _set(self, value: int) -> Wrong | None:
        if abs(value) > self.rated_power_w:
            return "value"
        self.set_point_w = value
        return None

    def _name_site(self, raw: bytes) -> Wrong | None:
        if not raw.isascii():
            return "value"
        if (site := raw.decode("ascii")) != self.site:
            self._close("T")
            self.site = site
        return None

    def _count_by(self, period_s: int) -> Wrong | None:
        if not period_s or HALF_HOUR_S % period_s:
            return "value"
        self.interval_ms = period_s * 1000
        return None

    def _forget(self) -> None:
        """Forget what the energy manager of the site has said: it is not there any more, or the car is not."""
        self.site, self.agreement, self.set_point_w = "", UNKNOWN_AGREEMENT, None
        self.permission, self.interval_ms = Permission.CHARGE_ONLY, HALF_HOUR_MS

    def _pass(self, span_ms: int) -> None:
        """Move energy for a span in which nothing changes, but for what becomes full or empty in it."""
        moved_mws = self.power_w * span_ms * self.speed
        after = max(0, min(self.capacity_wh * MWS_PER_WH, self._stored_mws + moved_mws))
        flowed_mws = after - self._stored_mws
        self._stored_mws = after
        self._import_mws += max(flowed_mws, 0)
        self._export_mws += max(-flowed_mws, 0)
        self.now_ms += span_ms

    def _close(self, reason: str) -> None:
        """Sign the interval that ends now; an end within its first second is said at the end of that second."""
        if self.kind is not Kind.CABLE or not self.plugged or self.now_ms <= self._began_ms:
            return
        ends_ms = max(self.now_ms, (self._began_ms // 1000 + 1) * 1000)
        self.signed.close(
            (self._began_ms, ends_ms),
            self._began,
            self.registers_wh,
            self.user,
            reason,
            began=self._began_by,
            site=self.site,
            place=self.place,
            vehicle=self.vehicle,
        )
        self._began_ms, self._began, self._began_by = ends_ms, self.registers_wh, reason


def _bytes(words: list[int]) -> bytes:
    return b"".join(word.to_bytes(2) for word in words)
