"""The document of an energy entry: whose batches, at which prices, and the anonymous list of every owner's part."""

from collections.abc import Mapping
from dataclasses import dataclass
import json
from typing import Any

from ..wire import WireError, parse_time, to_bytes
from ..wire.strict import hash_text, identifier, items, take, text, whole

WHERE = "document"
DOCUMENT_VERSION = 2
MANY = 1_000_000


@dataclass(frozen=True, slots=True)
class Part:
    """One owner's part of an interval, under its blind name."""

    blind: str
    net_wh: int
    local_wh: int
    grid_wh: int
    grid_micro_per_wh: int
    points_micro: int
    quality: str


@dataclass(frozen=True, slots=True)
class Direct:
    """Energy that passed over a private line between two neighbours, at their own price."""

    giver: str
    taker: str
    wh: int
    micro_per_wh: int


@dataclass(frozen=True, slots=True)
class Document:
    """An interval as it was settled, or corrected: the whole state after this revision."""

    community: str
    start: int
    seconds: int
    revision: int
    batches: tuple[tuple[str, int, int, str], ...]
    without: tuple[str, ...]
    local_micro_per_wh: int | None
    parts: tuple[Part, ...]
    direct: tuple[Direct, ...]
    grid_wh: int
    grid_points_micro: int

    def part(self, blind: str | None) -> Part | None:
        """Return an owner's part by the blind name."""
        return next((part for part in self.parts if part.blind == blind), None)

    def direct_wh(self, blind: str) -> int:
        """Return what an owner took (positive) from its direct neighbours."""
        return sum(leg.wh * ((leg.taker == blind) - (leg.giver == blind)) for leg in self.direct)

    def direct_points_micro(self, blind: str) -> int:
        """Return what an owner was paid by its direct neighbours, negative where it paid."""
        moved = (leg.wh * leg.micro_per_wh * ((leg.giver == blind) - (leg.taker == blind)) for leg in self.direct)
        return sum(moved)


def parse_document(document: str) -> Document:
    """Read a document strictly; raises WireError. Its size was bounded by the answer that it came in."""
    data = _object(document)
    if take(data, "v", WHERE) != DOCUMENT_VERSION:
        raise WireError(f"{WHERE}.v", f"is not {DOCUMENT_VERSION}")
    grid = _row(take(data, "grid", WHERE), 2, f"{WHERE}.grid")
    local = data.get("local_micro_per_wh")
    return Document(
        community=identifier(take(data, "community", WHERE), f"{WHERE}.community"),
        start=_start(take(data, "start", WHERE)),
        seconds=whole(take(data, "seconds", WHERE), f"{WHERE}.seconds", 1),
        revision=whole(take(data, "revision", WHERE), f"{WHERE}.revision", 0),
        batches=tuple(_batch(row) for row in items(data, "batches", WHERE, MANY)),
        without=tuple(identifier(site, f"{WHERE}.without") for site in items(data, "without", WHERE, MANY)),
        local_micro_per_wh=None if local is None else whole(local, f"{WHERE}.local_micro_per_wh"),
        parts=tuple(_part(row) for row in items(data, "nets", WHERE, MANY)),
        direct=tuple(_direct(row) for row in items(data, "direct", WHERE, MANY)),
        grid_wh=whole(grid[0], f"{WHERE}.grid"),
        grid_points_micro=whole(grid[1], f"{WHERE}.grid", -(10**18), 10**18),
    )


def _object(document: str) -> Mapping[str, Any]:
    try:
        data = json.loads(document)
    except (ValueError, RecursionError) as error:
        raise WireError(WHERE, f"is not JSON: {type(error).__name__}") from None
    # one form only: what reads the same must hash the same
    if not isinstance(data, dict) or to_bytes(data) != document.encode():
        raise WireError(WHERE, "is no JSON object in canonical form")
    return data


def _start(value: Any) -> int:
    return value if type(value) is int else parse_time(value, f"{WHERE}.start")


def _row(row: Any, length: int, where: str) -> list[Any]:
    if not isinstance(row, list) or len(row) != length:
        raise WireError(where, f"is not a list of {length}")
    return row


def _batch(row: Any) -> tuple[str, int, int, str]:
    where = f"{WHERE}.batches"
    site, epoch, seq, sha = _row(row, 4, where)
    return (
        identifier(site, where),
        whole(epoch, where, 1),
        whole(seq, where, 0),
        hash_text({"hash": sha}, "hash", where),
    )


def _part(row: Any) -> Part:
    where = f"{WHERE}.nets"
    blind, net_wh, local_wh, grid_wh, price, points_micro, quality = _row(row, 7, where)
    named = {"blind": blind, "quality": quality}
    return Part(
        blind=text(named, "blind", where, 64),
        net_wh=whole(net_wh, where),
        local_wh=whole(local_wh, where),
        grid_wh=whole(grid_wh, where),
        grid_micro_per_wh=whole(price, where),
        points_micro=whole(points_micro, where, -(10**18), 10**18),
        quality=text(named, "quality", where, 20),
    )


def _direct(row: Any) -> Direct:
    where = f"{WHERE}.direct"
    giver, taker, wh, price = _row(row, 4, where)
    named = {"giver": giver, "taker": taker}
    return Direct(
        text(named, "giver", where, 64), text(named, "taker", where, 64), whole(wh, where, 0), whole(price, where)
    )
