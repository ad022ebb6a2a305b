"""A correction for the power provider: what a supply point's meter read, and how much of it was cables'. Pure."""

from dataclasses import dataclass
from typing import Any, Literal

from cloud.wire import time_text


@dataclass(frozen=True, slots=True)
class Supply:
    """What is told of a supply point and an interval: the meter as read, and the energy of the cables each way.

    Import is towards the house, and towards the cars. The meter is None where no reading of it has come.
    """

    meter_import_wh: int | None
    meter_export_wh: int | None
    cable_import_wh: int
    cable_export_wh: int
    cables: tuple[str, ...]

    @property
    def host_net_wh(self) -> int | None:
        """The host's own energy, import less export: what the meter would have read without the cables."""
        if self.meter_import_wh is None or self.meter_export_wh is None:
            return None
        return self.meter_import_wh - self.meter_export_wh - (self.cable_import_wh - self.cable_export_wh)


@dataclass(frozen=True, slots=True)
class Correction:
    """What is told, the how-manieth in its community (`number`, no gaps) and of its supply point and interval."""

    community: str
    number: int
    site: str
    start: int
    seconds: int
    revision: int
    supply: Supply
    made_at: int

    @property
    def state(self) -> Literal["final", "corrected"]:
        """Whether it is the first word on its interval, or takes the place of an earlier one."""
        return "corrected" if self.revision else "final"

    def plain(self) -> dict[str, Any]:
        """Return the JSON data of this correction."""
        return {
            "community": self.community,
            "number": self.number,
            "site": self.site,
            "start": time_text(self.start),
            "seconds": self.seconds,
            "state": self.state,
            "revision": self.revision,
            "meter_import_wh": self.supply.meter_import_wh,
            "meter_export_wh": self.supply.meter_export_wh,
            "cable_import_wh": self.supply.cable_import_wh,
            "cable_export_wh": self.supply.cable_export_wh,
            "host_net_wh": self.supply.host_net_wh,
            "cables": list(self.supply.cables),
            "made_at": time_text(self.made_at),
        }
