"""V2G cables between site and cloud: what a site measured at one, what it signed itself, and what it may do there."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

from .strict import (
    VERSION,
    WireError,
    check_version,
    flag,
    identifier,
    load,
    members,
    parse_time,
    plain_members,
    take,
    text,
    time_text,
    whole,
)

CABLES_MAX = 100  # at one site
RECORD_LETTERS_MAX = 4096
KEY_LETTERS_MAX = 256  # a public key: DER in hex
PERCENT_MAX = 100

type Permission = Literal["allowed", "charge_only", "denied"]
type Verdict = Literal["match", "mismatch", "suspect", "unknown"]
type Cause = Literal[
    "none",
    "mismatch",
    "utility",
    "place",
    "overload",
    "unknown-cable",
    "stolen",
    "revoked",
    "two-places",
    "operator",
]
type Place = tuple[int, int]  # latitude and longitude, in millionths of a degree

PERMISSIONS = frozenset(get_args(Permission.__value__))
VERDICTS = frozenset(get_args(Verdict.__value__))
CAUSES = frozenset(get_args(Cause.__value__))


@dataclass(frozen=True, slots=True)
class CablePeriod:
    """What a site measured at a cable in interval number `at` of a batch, and how it agrees with the site's meter.

    `energy_wh` is towards the car (negative: from the car); `tap` is what the cable is plugged in below. `meter_wh` is
    the net import of the site's meter in the same interval, `consumption_wh` that of everything else behind it,
    `before_wh` the meter's in the last interval before the cable came; None where it is not known.
    """

    at: int
    cable: str
    tap: str
    energy_wh: int
    connected: bool
    agreement: Verdict
    user: str | None = None
    vehicle: str | None = None
    place: Place | None = None
    meter_wh: int | None = None
    consumption_wh: int | None = None
    before_wh: int | None = None


@dataclass(frozen=True, slots=True)
class CableRecord:
    """A record that a cable signed (OCMF), as it was fetched; it may be of an earlier time and of another site."""

    cable: str
    ocmf: str


@dataclass(frozen=True, slots=True)
class Visit:
    """A cable was plugged in at a site, which asks what it may do: POST /v1/sites/{site}/visits.

    `public_key` is what the cable shows (DER in hex), `place` what it says; nothing of it is believed by itself.
    """

    cable: str
    plugged_at: int
    tap: str
    public_key: str | None = None
    user: str | None = None
    vehicle: str | None = None
    place: Place | None = None

    def plain(self) -> dict[str, Any]:
        """Return the JSON data of this request."""
        return plain_members(self) | {"v": VERSION, "plugged_at": time_text(self.plugged_at)}


@dataclass(frozen=True, slots=True)
class Reward:
    """What a cable has earned its driver, in micro-points: today and ever settled, and what still waits."""

    today_micro: int
    total_micro: int
    pending_micro: int


@dataclass(frozen=True, slots=True)
class Standing:
    """What a cable may do at a site now, and why. The answer to a visit, and to GET /v1/sites/{site}/cables/{cable}.

    Below `soc_floor_percent` a denied cable may charge. `public_key` is the key the cloud knows, the only one to
    believe; None for a cable it does not know. `last_number` is the number of the newest record it has of the cable.
    `reward` is told to the driver's own site alone.
    """

    cable: str
    site: str
    permission: Permission
    cause: Cause
    since: int
    soc_floor_percent: int
    tolerance_wh: int
    tolerance_percent: int
    public_key: str | None = None
    last_number: int = 0
    own: bool = False
    reward: Reward | None = None

    def plain(self) -> dict[str, Any]:
        """Return the JSON data of this answer."""
        reward = {} if self.reward is None else {"reward": plain_members(self.reward)}
        return plain_members(self) | reward | {"v": VERSION, "since": time_text(self.since)}


@dataclass(frozen=True, slots=True)
class PermissionChange:
    """Notice `permission`: what some cables at a site may do from now on. Those not named are as they were."""

    cables: Mapping[str, tuple[Permission, Cause]]
    soc_floor_percent: int

    def plain(self) -> dict[str, Any]:
        """Return the JSON data of this notice's body."""
        cables = {cable: {"permission": item[0], "cause": item[1]} for cable, item in self.cables.items()}
        return {"cables": cables, "soc_floor_percent": self.soc_floor_percent}


def parse_visit(raw: bytes) -> Visit:
    """Read a visit."""
    where = "visit"
    data = load(raw, where)
    check_version(data, where)
    return Visit(
        cable=identifier(take(data, "cable", where), f"{where}.cable"),
        plugged_at=parse_time(take(data, "plugged_at", where), f"{where}.plugged_at"),
        tap=identifier(take(data, "tap", where), f"{where}.tap"),
        public_key=_text_or_none(data, "public_key", where, KEY_LETTERS_MAX),
        user=_text_or_none(data, "user", where, 64),
        vehicle=_text_or_none(data, "vehicle", where, 64),
        place=place_or_none(data, where),
    )


def parse_standing(raw: bytes) -> Standing:
    """Read what a cable may do."""
    where = "standing"
    data = load(raw, where)
    check_version(data, where)
    reward = None if data.get("reward") is None else members(data, "reward", where, 10)
    return Standing(
        cable=identifier(take(data, "cable", where), f"{where}.cable"),
        site=identifier(take(data, "site", where), f"{where}.site"),
        permission=_one_of(data, "permission", where, PERMISSIONS),
        cause=_one_of(data, "cause", where, CAUSES),
        since=parse_time(take(data, "since", where), f"{where}.since"),
        soc_floor_percent=whole(take(data, "soc_floor_percent", where), f"{where}.soc_floor_percent", 0, PERCENT_MAX),
        tolerance_wh=whole(take(data, "tolerance_wh", where), f"{where}.tolerance_wh", 0),
        tolerance_percent=whole(take(data, "tolerance_percent", where), f"{where}.tolerance_percent", 0, PERCENT_MAX),
        public_key=_text_or_none(data, "public_key", where, KEY_LETTERS_MAX),
        last_number=whole(take(data, "last_number", where), f"{where}.last_number", 0),
        own=flag(data, "own", where),
        reward=None if reward is None else _reward(reward, f"{where}.reward"),
    )


def _reward(data: Mapping[str, Any], where: str) -> Reward:
    names = ("today_micro", "total_micro", "pending_micro")
    return Reward(*(whole(take(data, name, where), f"{where}.{name}") for name in names))


def parse_permission_change(body: Mapping[str, Any]) -> PermissionChange:
    """Read the body of a `permission` notice."""
    where = "notice.body"
    cables: dict[str, tuple[Permission, Cause]] = {}
    for cable, member in members(body, "cables", where, CABLES_MAX).items():
        place = f"{where}.cables.{cable}"
        if not isinstance(member, dict):
            raise WireError(place, "is not an object")
        identifier(cable, f"{where}.cables")
        cables[cable] = _one_of(member, "permission", place, PERMISSIONS), _one_of(member, "cause", place, CAUSES)
    floor = whole(take(body, "soc_floor_percent", where), f"{where}.soc_floor_percent", 0, PERCENT_MAX)
    return PermissionChange(cables, floor)


def cable_period(data: Any, count: int, where: str) -> CablePeriod:
    """Read one cable's part of an interval."""
    if not isinstance(data, dict):
        raise WireError(where, "holds something that is not an object")
    return CablePeriod(
        at=whole(take(data, "at", where), f"{where}.at", 0, count - 1),
        cable=identifier(take(data, "cable", where), f"{where}.cable"),
        tap=identifier(take(data, "tap", where), f"{where}.tap"),
        energy_wh=whole(take(data, "energy_wh", where), f"{where}.energy_wh"),
        connected=flag(data, "connected", where),
        agreement=_one_of(data, "agreement", where, VERDICTS),
        user=_text_or_none(data, "user", where, 64),
        vehicle=_text_or_none(data, "vehicle", where, 64),
        place=place_or_none(data, where),
        meter_wh=_whole_or_none(data, "meter_wh", where),
        consumption_wh=_whole_or_none(data, "consumption_wh", where),
        before_wh=_whole_or_none(data, "before_wh", where),
    )


def cable_record(data: Any, where: str) -> CableRecord:
    """Read a signed record on its way; what it says is for its own reader."""
    if not isinstance(data, dict):
        raise WireError(where, "holds something that is not an object")
    cable = identifier(take(data, "cable", where), f"{where}.cable")
    return CableRecord(cable, text(data, "ocmf", where, RECORD_LETTERS_MAX))


def place_or_none(data: Mapping[str, Any], where: str) -> Place | None:
    """Return a member `place`, None where it is left out."""
    place = data.get("place")
    if place is None:
        return None
    if not isinstance(place, list) or len(place) != 2:
        raise WireError(f"{where}.place", "is not a latitude and a longitude")
    bounds = (90_000_000, 180_000_000)
    latitude, longitude = (
        whole(value, f"{where}.place", -most, most) for value, most in zip(place, bounds, strict=True)
    )
    return latitude, longitude


def _one_of(data: Mapping[str, Any], key: str, where: str, known: frozenset[str]) -> Any:
    value = take(data, key, where)
    if not isinstance(value, str) or value not in known:
        raise WireError(f"{where}.{key}", f"is none of {', '.join(sorted(known))}")
    return value


def _text_or_none(data: Mapping[str, Any], key: str, where: str, longest: int) -> str | None:
    return None if data.get(key) is None else text(data, key, where, longest)


def _whole_or_none(data: Mapping[str, Any], key: str, where: str) -> int | None:
    return None if data.get(key) is None else whole(data[key], f"{where}.{key}")
