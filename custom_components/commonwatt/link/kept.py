"""What the outbox keeps: values, and the JSON texts in which they lie in its rows."""

from collections.abc import Mapping
from dataclasses import dataclass
import json
from typing import Any, Literal

from ..wire import CablePeriod, TapColumns, Telemetry, TreeTap, to_bytes
from ..wire.cable import cable_period
from ..wire.strict import plain_members
from ..wire.telemetry import telemetry


@dataclass(frozen=True, slots=True)
class KeptBoundary:
    """A tap's registers at the boundary `at` closed last, to go on from after a restart."""

    at: int
    import_wh: int
    export_wh: int
    exact: bool


@dataclass(frozen=True, slots=True)
class KeptInterval:
    """One interval of the site: what each boundary tap measured (columns of one item), and each owner's net energy.

    `cables` is what was measured at its V2G cables, each as number 0; `telemetry` goes along with it. Without a tree
    revision (the site is not paired yet) it stays here and is never sent.
    """

    start: int
    seconds: int
    tree_rev: int | None
    taps: Mapping[str, TapColumns]
    net_wh: Mapping[str, int]
    grid_wh: int
    cables: tuple[CablePeriod, ...] = ()
    telemetry: tuple[Telemetry, ...] = ()

    @property
    def end(self) -> int:
        """The boundary that ends the interval."""
        return self.start + self.seconds


@dataclass(frozen=True, slots=True)
class KeptTree:
    """A revision of the tap tree, valid from an interval boundary on."""

    rev: int
    valid_from: int
    taps: Mapping[str, TreeTap]


@dataclass(frozen=True, slots=True)
class SealedBatch:
    """A numbered and signed batch as it was stored before it was first sent; these bytes never change."""

    epoch: int
    seq: int
    raw: bytes
    signature: str
    hash: str


@dataclass(frozen=True, slots=True)
class Remark:
    """A batch that the cloud stored without settling it (`held`), or `refused` for good, and its reason."""

    epoch: int
    seq: int
    result: Literal["held", "refused"]
    reason: str | None


def interval_text(interval: KeptInterval) -> str:
    """Write what an interval's row holds beside its start, length and tree revision."""
    taps = {tap: _plain_columns(columns) for tap, columns in interval.taps.items()}
    data = {"taps": taps, "net_wh": dict(interval.net_wh), "grid_wh": interval.grid_wh}
    if interval.cables:
        data["cables"] = [plain_members(cable) for cable in interval.cables]
    if interval.telemetry:
        data["telemetry"] = [item.plain() for item in interval.telemetry]
    return to_bytes(data).decode()


def interval_of(start: int, seconds: int, tree_rev: int | None, text: str) -> KeptInterval:
    """Read an interval's row."""
    data = json.loads(text)
    taps = {tap: _columns(columns) for tap, columns in data["taps"].items()}
    cables = tuple(cable_period(cable, 1, "interval.cables") for cable in data.get("cables", []))
    told = tuple(telemetry(item, "interval.telemetry") for item in data.get("telemetry", []))
    return KeptInterval(start, seconds, tree_rev, taps, data["net_wh"], data["grid_wh"], cables, told)


def boundaries_text(boundaries: Mapping[str, KeptBoundary]) -> str:
    """Write the boundaries of all taps as one text."""
    return to_bytes({tap: [b.at, b.import_wh, b.export_wh, b.exact] for tap, b in boundaries.items()}).decode()


def boundaries_of(text: str) -> dict[str, KeptBoundary]:
    """Read the boundaries of all taps."""
    return {tap: KeptBoundary(*members) for tap, members in json.loads(text).items()}


def taps_text(taps: Mapping[str, TreeTap]) -> str:
    """Write a tree's taps in one canonical text: equal texts are equal trees."""
    return to_bytes({tap: [t.owner, t.parent, t.name, t.rated_power_w] for tap, t in taps.items()}).decode()


def taps_of(text: str) -> dict[str, TreeTap]:
    """Read a tree's taps."""
    return {tap: TreeTap(*members) for tap, members in json.loads(text).items()}


def _plain_columns(columns: TapColumns) -> list[Any]:
    [import_wh], [export_wh], [registers], [quality] = (
        columns.import_wh,
        columns.export_wh,
        columns.register_wh,
        columns.quality,
    )
    return [columns.owner, columns.upstream_owner, import_wh, export_wh, *registers, quality]


def _columns(data: list[Any]) -> TapColumns:
    owner, upstream, import_wh, export_wh, import_register_wh, export_register_wh, quality = data
    registers_wh = ((import_register_wh, export_register_wh),)
    return TapColumns(owner, upstream, (import_wh,), (export_wh,), registers_wh, (quality,))
