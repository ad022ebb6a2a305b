"""What a cable signed about an interval, and what was found not to be in order with its records."""

from dataclasses import dataclass
from typing import Literal

type FindingKind = Literal[
    "forged",
    "wrong-serial",
    "altered",
    "replayed",
    "re-homed",
    "unreported",
    "unusable",
    "backward",
    "jump",
    "gap",
    "two-places",
]


@dataclass(frozen=True, slots=True)
class Signed:
    """An interval that a cable signed: verified by its registered key, as the record says it.

    `site` is where the cable says it was (None: it was told none); `delivered` who handed the record on.
    `refused` is why a genuine record cannot be used, which then has no energy.
    """

    cable: str
    number: int
    site: str | None
    start: int
    seconds: int
    import_wh: int
    export_wh: int
    import_from_wh: int
    export_from_wh: int
    latitude: int | None
    longitude: int | None
    vehicle: str | None
    user: str | None
    delivered_community: str
    delivered_site: str
    refused: str | None
    payload_hash: str

    @property
    def end(self) -> int:
        """When the interval ended."""
        return self.start + self.seconds

    @property
    def energy_wh(self) -> int:
        """The energy towards the car, negative from the car."""
        return self.import_wh - self.export_wh

    @property
    def import_to_wh(self) -> int:
        """The import register at the end."""
        return self.import_from_wh + self.import_wh

    @property
    def export_to_wh(self) -> int:
        """The export register at the end."""
        return self.export_from_wh + self.export_wh


@dataclass(frozen=True, slots=True)
class Presence:
    """Where a cable was by a site's word: reported in an interval, or just plugged in (`seconds` 0, no energy)."""

    community: str
    site: str
    start: int
    seconds: int
    energy_wh: int

    @property
    def end(self) -> int:
        """When the interval ended."""
        return self.start + self.seconds


@dataclass(frozen=True, slots=True)
class Finding:
    """Something not in order with a cable's records; never changed but for the time when what was missing came.

    `site` is the site it is about, or which delivered it; `number` the record's number, `through` the last one that is
    missing; `evidence` is the record itself, or what else shows it.
    """

    finding: str
    kind: FindingKind
    community: str | None
    site: str | None
    number: int | None
    through: int | None
    at: int
    found_at: int
    detail: str
    evidence: str | None
    closed_at: int | None = None
