"""Reads a page of a statement strictly; whether what it says is true is for the verifier."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from .merkle import PATH_MAX
from .root import ROOT_TEXT_MAX
from .statement import Correction, Handover, Line, Movement, ProvenEntry, Statement, Totals
from .strict import (
    HASH,
    WireError,
    check_version,
    flag,
    identifier,
    items,
    load,
    members,
    parse_time,
    take,
    text,
    whole,
)

LINES_MAX = 4000  # of each kind in one page
TAPS_MAX = 1000
CAUSE_MAX = 500
MICRO_MAX = 10**18
DOCUMENT_MAX = 1024 * 1024
POSTINGS_MAX = 100
QUALITIES = ("ok", "estimated", "missing", "reset")


def parse_statement(raw: bytes) -> Statement:
    """Read a page of a statement; raises WireError."""
    where = "statement"
    data = load(raw, where)
    check_version(data, where)
    start, end = (parse_time(take(data, name, where), f"{where}.{name}") for name in ("from", "to"))
    if end <= start:
        raise WireError(f"{where}.to", "is not after from")
    following = data.get("next")
    return Statement(
        community=identifier(take(data, "community", where), f"{where}.community"),
        owner=identifier(take(data, "owner", where), f"{where}.owner"),
        start=start,
        end=end,
        opening_micro=_micro(data, "opening_micro", where),
        closing_micro=_micro(data, "closing_micro", where),
        totals=_totals(members(data, "totals", where, 100)),
        intervals_waiting=whole(take(data, "intervals_waiting", where), f"{where}.intervals_waiting", 0),
        lines=_many(data, "lines", LINES_MAX, _line),
        corrections=_many(data, "corrections", LINES_MAX, _correction),
        movements=_many(data, "movements", LINES_MAX, _movement),
        transfers=_many(data, "transfers", TAPS_MAX, _handover),
        sites=tuple(identifier(site, f"{where}.sites") for site in items(data, "sites", where, TAPS_MAX)),
        entries=_many(data, "entries", 3 * LINES_MAX, _entry),
        roots=tuple(_root(item, f"{where}.roots") for item in items(data, "roots", where, LINES_MAX)),
        next=None if following is None else parse_time(following, f"{where}.next"),
    )


def _many[T](
    data: Mapping[str, Any], key: str, most: int, read: Callable[[Mapping[str, Any], str], T]
) -> tuple[T, ...]:
    where = f"statement.{key}"
    found = items(data, key, "statement", most)
    if not all(isinstance(item, dict) for item in found):
        raise WireError(where, "holds something that is not an object")
    return tuple(read(item, where) for item in found)


def _totals(data: Mapping[str, Any]) -> Totals:
    names = ("net_wh", "local_wh", "grid_wh", "direct_wh", "points_micro", "corrections_micro")
    where = "statement.totals"
    return Totals(*(_micro(data, name, where) for name in (*names, "movements_micro", "fees_micro", "rewards_micro")))


def _line(data: Mapping[str, Any], where: str) -> Line:
    quality = take(data, "quality", where)
    if quality not in QUALITIES:
        raise WireError(f"{where}.quality", "is no known quality")
    return Line(
        start=parse_time(take(data, "start", where), f"{where}.start"),
        seconds=whole(take(data, "seconds", where), f"{where}.seconds", 1),
        net_wh=_wh(data, "net_wh", where),
        local_wh=_wh(data, "local_wh", where),
        grid_wh=_wh(data, "grid_wh", where),
        direct_wh=_wh(data, "direct_wh", where),
        local_micro_per_wh=_nullable(data, "local_micro_per_wh", where),
        grid_micro_per_wh=_nullable(data, "grid_micro_per_wh", where),
        direct_points_micro=_micro(data, "direct_points_micro", where),
        points_micro=_micro(data, "points_micro", where),
        quality=quality,
        elsewhere_wh=whole(data.get("elsewhere_wh", 0), f"{where}.elsewhere_wh"),
        blind=_blind(data, where),
        entry=_nullable(data, "entry", where),
    )


def _correction(data: Mapping[str, Any], where: str) -> Correction:
    return Correction(
        start=parse_time(take(data, "start", where), f"{where}.start"),
        revision=whole(take(data, "revision", where), f"{where}.revision", 1),
        booked_at=parse_time(take(data, "booked_at", where), f"{where}.booked_at"),
        net_wh=_wh(data, "net_wh", where),
        local_wh=_wh(data, "local_wh", where),
        grid_wh=_wh(data, "grid_wh", where),
        direct_wh=_wh(data, "direct_wh", where),
        points_micro=_micro(data, "points_micro", where),
        blind=_blind(data, where),
        entry=_nullable(data, "entry", where),
    )


def _movement(data: Mapping[str, Any], where: str) -> Movement:
    return Movement(
        at=parse_time(take(data, "at", where), f"{where}.at"),
        kind=identifier(take(data, "kind", where), f"{where}.kind"),
        cause=text(data, "cause", where, CAUSE_MAX),
        points_micro=_micro(data, "points_micro", where),
        fee_micro=_micro(data, "fee_micro", where),
        entry=whole(take(data, "entry", where), f"{where}.entry", 1),
    )


def _handover(data: Mapping[str, Any], where: str) -> Handover:
    came = flag(data, "came", where)
    return Handover(
        at=parse_time(take(data, "at", where), f"{where}.at"),
        site=identifier(take(data, "site", where), f"{where}.site"),
        tap=identifier(take(data, "tap", where), f"{where}.tap"),
        came=came,
    )


def _entry(data: Mapping[str, Any], where: str) -> ProvenEntry:
    document, day, legs = data.get("document"), data.get("day"), data.get("postings")
    if document is not None and (not isinstance(document, str) or len(document) > DOCUMENT_MAX):
        raise WireError(f"{where}.document", "is not a text")
    return ProvenEntry(
        public=members(data, "public", where, 20),
        document=document,
        day=None if day is None else parse_time(day, f"{where}.day"),
        index=whole(take(data, "index", where), f"{where}.index", 0),
        path=tuple(_sha(item, f"{where}.path") for item in items(data, "path", where, PATH_MAX)),
        postings=None if legs is None else _legs(items(data, "postings", where, POSTINGS_MAX), f"{where}.postings"),
        salt=None if data.get("salt") is None else text(data, "salt", where),
    )


def _legs(legs: Sequence[Any], where: str) -> tuple[tuple[str, int], ...]:
    if not all(isinstance(leg, list) and len(leg) == 2 and isinstance(leg[0], str) for leg in legs):
        raise WireError(where, "is not a list of pairs of account and amount")
    return tuple((leg[0], whole(leg[1], where, -MICRO_MAX, MICRO_MAX)) for leg in legs)


def _root(item: Any, where: str) -> str:
    if not isinstance(item, str) or len(item) > ROOT_TEXT_MAX:
        raise WireError(where, "is no signed root")
    return item


def _sha(item: Any, where: str) -> str:
    if not isinstance(item, str) or not HASH.fullmatch(item):
        raise WireError(where, "is not a SHA-256 in hex")
    return item


def _wh(data: Mapping[str, Any], key: str, where: str) -> int:
    return whole(take(data, key, where), f"{where}.{key}")


def _micro(data: Mapping[str, Any], key: str, where: str) -> int:
    return whole(take(data, key, where), f"{where}.{key}", -MICRO_MAX, MICRO_MAX)


def _nullable(data: Mapping[str, Any], key: str, where: str) -> int | None:
    return None if data.get(key) is None else whole(data[key], f"{where}.{key}")


def _blind(data: Mapping[str, Any], where: str) -> str | None:
    return None if data.get("blind") is None else text(data, "blind", where, 64)
