"""Published hourly registers become half hours in whole Wh, and those become registers at any instant."""

from collections.abc import Mapping, Sequence
import csv
from dataclasses import dataclass
from decimal import Decimal
from itertools import accumulate, pairwise
from pathlib import Path

HALF_HOUR_S = 1800
HALF_HOUR_MS = HALF_HOUR_S * 1000
DATA_FILE = Path(__file__).parent / "data" / "residential4.csv"
COLUMN_PREFIX = "DE_KN_residential4_"


@dataclass(frozen=True, slots=True)
class Device:
    """A metering device of the house: what it is called, who owns what hangs behind it, and what it can carry in W."""

    key: str
    name: str
    owner: str
    serial: str
    rated_power_w: int
    import_column: str | None = None
    export_column: str | None = None
    power_factor_milli: int = 990
    main: bool = False


MAIN_METER = Device("main_meter", "Main meter", "anna", "CWM-000001", 17_250, "grid_import", "grid_export", main=True)
DEVICES = (
    MAIN_METER,
    Device("pv", "Solar", "sun", "CWT-000002", 10_000, export_column="pv"),
    Device("ev", "EV charger", "ben", "CWT-000003", 3_680, "ev"),
    Device("heat_pump", "Heat pump", "anna", "CWT-000004", 3_000, "heat_pump", power_factor_milli=930),
    Device("dishwasher", "Dishwasher", "ben", "CWT-000005", 2_400, "dishwasher", power_factor_milli=950),
    Device("freezer", "Freezer", "anna", "CWT-000006", 300, "freezer", power_factor_milli=850),
    Device("refrigerator", "Refrigerator", "ben", "CWT-000007", 300, "refrigerator", power_factor_milli=850),
    Device("washing_machine", "Washing machine", "ben", "CWT-000008", 2_400, "washing_machine", power_factor_milli=930),
)


@dataclass(frozen=True, slots=True)
class Register:
    """A cumulative register in Wh at every half-hour boundary of the data; it never goes backward."""

    boundaries_wh: tuple[int, ...]

    def __post_init__(self) -> None:
        assert len(self.boundaries_wh) > 1
        assert all(before <= after for before, after in pairwise(self.boundaries_wh))

    @property
    def half_hours_wh(self) -> tuple[int, ...]:
        """Return what each half hour adds, in Wh."""
        return tuple(after - before for before, after in pairwise(self.boundaries_wh))


@dataclass(frozen=True, slots=True)
class Registers:
    """The two directions of one device."""

    import_wh: Register
    export_wh: Register


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What a device shows at one instant: both registers in Wh, and the power in W, import positive."""

    import_wh: int
    export_wh: int
    power_w: int


def load_house(path: Path = DATA_FILE) -> dict[str, Registers]:
    """Read the data file; return the registers of every device by its key."""
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    return {
        device.key: Registers(
            _column(rows, device.import_column),
            _column(rows, device.export_column),
        )
        for device in DEVICES
    }


def _column(rows: Sequence[Mapping[str, str]], name: str | None) -> Register:
    if name is None:
        return Register((0,) * (2 * len(rows) - 1))
    return half_hours(hourly_wh([row[COLUMN_PREFIX + name] for row in rows]))


def hourly_wh(cells: Sequence[str]) -> list[int]:
    """Return kWh texts as whole Wh; a gap, or a step back, holds the register where it was.

    What passed in a gap lands in the hour in which the register is read again; before the first value nothing passed.
    """
    known = [int(Decimal(cell) * 1000) for cell in cells if cell]
    if not known:
        return [0] * len(cells)
    read = (int(Decimal(cell) * 1000) if cell else known[0] for cell in cells)
    return list(accumulate(read, max))


def half_hours(hours_wh: Sequence[int]) -> Register:
    """Halve every hour; an odd Wh goes to the first half."""
    middles = (before + (after - before + 1) // 2 for before, after in pairwise(hours_wh))
    halves = (boundary for pair in zip(middles, hours_wh[1:], strict=True) for boundary in pair)
    return Register((hours_wh[0], *halves))


def registers_at(registers: Registers, pressed_ms: int) -> Snapshot:
    """Return what a device shows after so much pressed time (ms of the house's own time since it began).

    Registers grow evenly within a half hour, floored to Wh, and stand still before the beginning. After the last row
    the data begin again and the registers go on from where they stand.
    """
    import_wh, importing_wh = _standing(registers.import_wh, pressed_ms)
    export_wh, exporting_wh = _standing(registers.export_wh, pressed_ms)
    return Snapshot(import_wh, export_wh, 2 * (importing_wh - exporting_wh))


def _standing(register: Register, pressed_ms: int) -> tuple[int, int]:
    """Return the register in Wh, and the Wh of the half hour that is passing."""
    boundaries = register.boundaries_wh
    if pressed_ms < 0:
        return boundaries[0], 0
    passed, part_ms = divmod(pressed_ms, HALF_HOUR_MS)
    rounds, index = divmod(passed, len(boundaries) - 1)
    passing_wh = boundaries[index + 1] - boundaries[index]
    again_wh = rounds * (boundaries[-1] - boundaries[0])
    return again_wh + boundaries[index] + passing_wh * part_ms // HALF_HOUR_MS, passing_wh
