"""What site and cloud say around the batches: pairing, settings, where the chain stands, and the signed answers."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

from .batch import INTERVAL_SECONDS_MAX
from .strict import (
    VERSION,
    WireError,
    check_version,
    hash_text,
    identifier,
    load,
    members,
    plain_members,
    take,
    text,
    whole,
)

OWNERS_MAX = 1000
TIME_SCALE_MAX = 3600
CURRENCY_LETTERS = 3

type Result = Literal["created", "exists", "held"]


@dataclass(frozen=True, slots=True)
class PairingRequest:
    """A site asks to join: POST /v1/sites, signed with the key it shows. The same key and a new code join again."""

    code: str
    name: str
    time_zone: str
    public_key: str
    latitude_e6: int | None = None
    longitude_e6: int | None = None

    def plain(self) -> dict[str, Any]:
        """Return the JSON data of this request."""
        return plain_members(self) | {"v": VERSION}


def parse_pairing_request(raw: bytes) -> PairingRequest:
    """Read a pairing request; place is in millionths of a degree and may be left out."""
    where = "pairing"
    data = load(raw, where)
    check_version(data, where)
    return PairingRequest(
        code=text(data, "code", where, 64),
        name=text(data, "name", where, 100),
        time_zone=text(data, "time_zone", where, 64),
        public_key=text(data, "public_key", where, 43),
        latitude_e6=_degrees(data, "latitude_e6", 90),
        longitude_e6=_degrees(data, "longitude_e6", 180),
    )


def _degrees(data: Mapping[str, Any], key: str, most: int) -> int | None:
    value = data.get(key)
    return None if value is None else whole(value, f"pairing.{key}", -most * 1_000_000, most * 1_000_000)


@dataclass(frozen=True, slots=True)
class Paired:
    """The cloud's answer to a pairing: the site's name for ever, its OAuth2 client, and the cloud's public key."""

    site: str
    community: str
    client_id: str
    client_secret: str
    cloud_key: str

    def plain(self) -> dict[str, Any]:
        """Return the JSON data of this answer."""
        return plain_members(self) | {"v": VERSION}


def parse_paired(raw: bytes) -> Paired:
    """Read the answer to a pairing."""
    where = "paired"
    data = load(raw, where)
    check_version(data, where)
    return Paired(
        site=identifier(take(data, "site", where), f"{where}.site"),
        community=identifier(take(data, "community", where), f"{where}.community"),
        client_id=text(data, "client_id", where, 64),
        client_secret=text(data, "client_secret", where, 128),
        cloud_key=text(data, "cloud_key", where, 43),
    )


@dataclass(frozen=True, slots=True)
class Settings:
    """What the cloud decides for a site: how long its intervals are, and who owns in its community.

    `time_scale` is 1 everywhere but in a simulated house, where so many seconds pass in one. Where a community has a
    `currency`, so many points (`points_per_unit`) are worth one unit of it.
    """

    site: str
    community: str
    community_name: str
    interval_seconds: int
    time_scale: int
    main_owner: str
    owners: Mapping[str, str]
    currency: str | None = None
    points_per_unit: int | None = None

    def plain(self) -> dict[str, Any]:
        """Return the JSON data of these settings."""
        return plain_members(self) | {"v": VERSION, "owners": dict(self.owners)}


def parse_settings(raw: bytes) -> Settings:
    """Read settings; an interval's length divides half an hour."""
    where = "settings"
    data = load(raw, where)
    check_version(data, where)
    seconds = whole(take(data, "interval_seconds", where), f"{where}.interval_seconds", 1, INTERVAL_SECONDS_MAX)
    if INTERVAL_SECONDS_MAX % seconds:
        raise WireError(f"{where}.interval_seconds", "does not divide 30 minutes")
    owners = members(data, "owners", where, OWNERS_MAX)
    return Settings(
        site=identifier(take(data, "site", where), f"{where}.site"),
        community=identifier(take(data, "community", where), f"{where}.community"),
        community_name=text(data, "community_name", where),
        interval_seconds=seconds,
        time_scale=whole(take(data, "time_scale", where), f"{where}.time_scale", 1, TIME_SCALE_MAX),
        main_owner=identifier(take(data, "main_owner", where), f"{where}.main_owner"),
        owners={identifier(owner, f"{where}.owners"): text(owners, owner, f"{where}.owners") for owner in owners},
        currency=None if data.get("currency") is None else text(data, "currency", where, CURRENCY_LETTERS),
        points_per_unit=None
        if data.get("points_per_unit") is None
        else whole(data["points_per_unit"], f"{where}.points_per_unit", 1),
    )


@dataclass(frozen=True, slots=True)
class Head:
    """Where a site's chain stands at the cloud: its newest epoch, the highest number stored in it, that batch's hash.

    A site never heard of stands at epoch 0, number 0 and the genesis hash.
    """

    site: str
    epoch: int
    seq: int
    hash: str

    def plain(self) -> dict[str, Any]:
        """Return the JSON data of this head."""
        return plain_members(self) | {"v": VERSION}


def parse_head(raw: bytes) -> Head:
    """Read where a chain stands."""
    where = "head"
    data = load(raw, where)
    check_version(data, where)
    return Head(
        site=identifier(take(data, "site", where), f"{where}.site"),
        epoch=whole(take(data, "epoch", where), f"{where}.epoch", 0),
        seq=whole(take(data, "seq", where), f"{where}.seq", 0),
        hash=hash_text(data, "hash", where),
    )


@dataclass(frozen=True, slots=True)
class Answer:
    """The cloud's durable answer to one batch, signed; `hash` binds it to the batch's bytes.

    `acked_through` is the highest number below which the cloud holds every batch of the epoch. The four times of a
    clock comparison are `echo_ms` (the site sent), `received_ms`, `sent_ms` (the cloud) and the site's own receipt.
    """

    site: str
    epoch: int
    seq: int
    hash: str
    result: Result
    acked_through: int
    received_ms: int
    sent_ms: int
    echo_ms: int | None = None
    reason: str | None = None

    def plain(self) -> dict[str, Any]:
        """Return the JSON data of this answer."""
        return plain_members(self) | {"v": VERSION}


def parse_answer(raw: bytes) -> Answer:
    """Read the answer to a batch."""
    where = "answer"
    data = load(raw, where)
    check_version(data, where)
    return Answer(
        site=identifier(take(data, "site", where), f"{where}.site"),
        epoch=whole(take(data, "epoch", where), f"{where}.epoch", 1),
        seq=whole(take(data, "seq", where), f"{where}.seq", 1),
        hash=hash_text(data, "hash", where),
        result=_result(take(data, "result", where), where),
        acked_through=whole(take(data, "acked_through", where), f"{where}.acked_through", 0),
        received_ms=whole(take(data, "received_ms", where), f"{where}.received_ms", 0),
        sent_ms=whole(take(data, "sent_ms", where), f"{where}.sent_ms", 0),
        echo_ms=None if data.get("echo_ms") is None else whole(data["echo_ms"], f"{where}.echo_ms", 0),
        reason=None if data.get("reason") is None else text(data, "reason", where),
    )


@dataclass(frozen=True, slots=True)
class TreeAnswer:
    """The cloud's durable answer to a tree, signed; `hash` binds it to the tree's bytes."""

    site: str
    rev: int
    hash: str
    result: Result

    def plain(self) -> dict[str, Any]:
        """Return the JSON data of this answer."""
        return plain_members(self) | {"v": VERSION}


def parse_tree_answer(raw: bytes) -> TreeAnswer:
    """Read the answer to a tree."""
    where = "answer"
    data = load(raw, where)
    check_version(data, where)
    return TreeAnswer(
        site=identifier(take(data, "site", where), f"{where}.site"),
        rev=whole(take(data, "rev", where), f"{where}.rev", 1),
        hash=hash_text(data, "hash", where),
        result=_result(take(data, "result", where), where),
    )


def _result(value: Any, where: str) -> Result:
    if value not in get_args(Result.__value__):
        raise WireError(f"{where}.result", "is not created, exists or held")
    result: Result = value
    return result
