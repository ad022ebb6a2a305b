"""The batch: signed, numbered and chained intervals of a site's boundary taps."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import chain
from typing import Any, Literal, get_args

from .cable import CABLES_MAX, CablePeriod, CableRecord, cable_period, cable_record
from .strict import (
    INTEGER_MAX,
    VERSION,
    WireError,
    check_version,
    flag,
    hash_text,
    identifier,
    items,
    load,
    members,
    parse_time,
    plain_members,
    take,
    text,
    time_text,
    whole,
)
from .telemetry import TELEMETRY_MAX, Telemetry, telemetry
from .tree import TAPS_MAX

READINGS_MAX = 500  # tap intervals in one batch: far below BODY_BYTES_MAX, quick to verify
INCIDENTS_MAX = 200
RECORDS_MAX = 60  # signed records of cables in one batch, each of at most 4 KiB
INTERVAL_SECONDS_MAX = 1800  # an interval's length divides half an hour

type Quality = Literal["ok", "estimated", "missing", "reset"]

QUALITIES = frozenset(get_args(Quality.__value__))


@dataclass(frozen=True, slots=True)
class TapColumns:
    """What one boundary tap measured, one item per interval; registers are its meter's own at the interval's end."""

    owner: str
    upstream_owner: str | None
    import_wh: tuple[int, ...]
    export_wh: tuple[int, ...]
    register_wh: tuple[tuple[int, int], ...]
    quality: tuple[Quality, ...]


@dataclass(frozen=True, slots=True)
class Intervals:
    """`count` intervals of `seconds` each from `start` on, half open, under tree revision `tree_rev`.

    With `amends`, they measure better what was sent before as estimated, and take its place. `cables` are the V2G
    cables plugged in at the site, which stand outside the tree.
    """

    start: int
    seconds: int
    count: int
    tree_rev: int
    taps: Mapping[str, TapColumns]
    amends: bool = False
    cables: tuple[CablePeriod, ...] = ()


@dataclass(frozen=True, slots=True)
class Incident:
    """Something a person or the cloud should know of: a refused reading, a reset meter, a clock off time."""

    at: int
    kind: str
    tap: str | None = None
    detail: str | None = None


@dataclass(frozen=True, slots=True)
class Batch:
    """The unit of evidence: numbered within its epoch, chained by hash, signed over its raw bytes."""

    site: str
    epoch: int
    seq: int
    prev: str
    made_at: int
    intervals: Intervals | None
    incidents: tuple[Incident, ...] = field(default=())
    records: tuple[CableRecord, ...] = ()
    telemetry: tuple[Telemetry, ...] = ()

    def plain(self) -> dict[str, Any]:
        """Return the JSON data of this batch."""
        data = {"v": VERSION, "site": self.site, "epoch": self.epoch, "seq": self.seq, "prev": self.prev}
        data |= {"made_at": time_text(self.made_at)}
        if self.intervals is not None:
            taps = {
                tap_id: plain_members(columns) | {"upstream_owner": columns.upstream_owner}
                for tap_id, columns in self.intervals.taps.items()
            }
            named = plain_members(self.intervals) | {"start": time_text(self.intervals.start), "taps": taps}
            if not self.intervals.amends:
                del named["amends"]  # one that amends nothing is written as before there were amendments
            named["cables"] = [plain_members(cable) for cable in self.intervals.cables]
            if not self.intervals.cables:
                del named["cables"]
            data["intervals"] = named
        data["incidents"] = [plain_members(incident) | {"at": time_text(incident.at)} for incident in self.incidents]
        if self.records:
            data["records"] = [plain_members(record) for record in self.records]
        if self.telemetry:
            data["telemetry"] = [item.plain() for item in self.telemetry]
        return data


def parse_batch(raw: bytes) -> Batch:
    """Read a batch strictly. Whether its energy agrees with its registers is for the cloud to judge, not for this."""
    data = load(raw, "batch")
    check_version(data, "batch")
    return Batch(
        site=identifier(take(data, "site", "batch"), "batch.site"),
        epoch=whole(take(data, "epoch", "batch"), "batch.epoch", 1),
        seq=whole(take(data, "seq", "batch"), "batch.seq", 1),
        prev=hash_text(data, "prev", "batch"),
        made_at=parse_time(take(data, "made_at", "batch"), "batch.made_at"),
        intervals=None if data.get("intervals") is None else _intervals(data),
        incidents=tuple(_incident(item) for item in items(data, "incidents", "batch", INCIDENTS_MAX)),
        records=tuple(cable_record(item, "batch.records") for item in items(data, "records", "batch", RECORDS_MAX)),
        telemetry=tuple(
            telemetry(item, "batch.telemetry") for item in items(data, "telemetry", "batch", TELEMETRY_MAX)
        ),
    )


def _intervals(batch: Mapping[str, Any]) -> Intervals:
    where = "batch.intervals"
    data = members(batch, "intervals", "batch", 100)
    start = parse_time(take(data, "start", where), f"{where}.start")
    seconds = whole(take(data, "seconds", where), f"{where}.seconds", 1, INTERVAL_SECONDS_MAX)
    count = whole(take(data, "count", where), f"{where}.count", 1, READINGS_MAX)
    taps = members(data, "taps", where, TAPS_MAX)
    if INTERVAL_SECONDS_MAX % seconds or start % seconds:
        raise WireError(f"{where}.start", "is not on an interval boundary, or the length does not divide 30 minutes")
    if len(taps) * count > READINGS_MAX and count > 1:
        raise WireError(where, f"holds more than {READINGS_MAX} readings")
    return Intervals(
        start=start,
        seconds=seconds,
        count=count,
        tree_rev=whole(take(data, "tree_rev", where), f"{where}.tree_rev", 1),
        amends="amends" in data and flag(data, "amends", where),
        taps={
            identifier(tap_id, f"{where}.taps"): _columns(member, count, f"{where}.taps.{tap_id}")
            for tap_id, member in taps.items()
        },
        cables=_cables(data, count, f"{where}.cables"),
    )


def _cables(data: Mapping[str, Any], count: int, where: str) -> tuple[CablePeriod, ...]:
    found = tuple(cable_period(item, count, where) for item in items(data, "cables", "batch.intervals", CABLES_MAX))
    if len({(item.at, item.cable) for item in found}) != len(found):
        raise WireError(where, "names a cable twice in one interval")
    return found


def _columns(data: Any, count: int, where: str) -> TapColumns:
    if not isinstance(data, dict):
        raise WireError(where, "is not an object")
    upstream = take(data, "upstream_owner", where)
    return TapColumns(
        owner=identifier(take(data, "owner", where), f"{where}.owner"),
        upstream_owner=None if upstream is None else identifier(upstream, f"{where}.upstream_owner"),
        import_wh=_energies(data, "import_wh", count, where),
        export_wh=_energies(data, "export_wh", count, where),
        register_wh=_registers(data, count, where),
        quality=_qualities(data, count, where),
    )


def _column(data: Mapping[str, Any], key: str, count: int, where: str) -> list[Any]:
    values = items(data, key, where, count)
    if len(values) != count:
        raise WireError(f"{where}.{key}", f"does not hold {count} items")
    return values


def _energies(data: Mapping[str, Any], key: str, count: int, where: str) -> tuple[int, ...]:
    values = _column(data, key, count, where)
    _check_whole(values, f"{where}.{key}")
    return tuple(values)


def _registers(data: Mapping[str, Any], count: int, where: str) -> tuple[tuple[int, int], ...]:
    pairs = _column(data, "register_wh", count, where)
    if set(map(type, pairs)) != {list} or set(map(len, pairs)) != {2}:
        raise WireError(f"{where}.register_wh", "is not a pair of registers")
    _check_whole([*chain.from_iterable(pairs)], f"{where}.register_wh")
    return tuple((imported, exported) for imported, exported in pairs)


def _check_whole(values: list[Any], where: str) -> None:
    """Hold a whole column to what `whole` asks of each: the cloud reads hundreds of thousands of numbers a second."""
    if set(map(type, values)) != {int} or min(values) < 0 or max(values) > INTEGER_MAX:
        raise WireError(where, f"holds something that is not a whole number from 0 to {INTEGER_MAX}")


def _qualities(data: Mapping[str, Any], count: int, where: str) -> tuple[Quality, ...]:
    values = _column(data, "quality", count, where)
    if set(map(type, values)) != {str} or not QUALITIES.issuperset(values):
        raise WireError(f"{where}.quality", "is no known quality")
    return tuple(values)


def _incident(data: Any) -> Incident:
    where = "batch.incidents"
    if not isinstance(data, dict):
        raise WireError(where, "holds something that is not an object")
    return Incident(
        at=parse_time(take(data, "at", where), f"{where}.at"),
        kind=identifier(take(data, "kind", where), f"{where}.kind"),
        tap=None if data.get("tap") is None else identifier(data["tap"], f"{where}.tap"),
        detail=None if data.get("detail") is None else text(data, "detail", where, 500),
    )
