"""Two readings of a verified record become one signed interval; what is missing between two of them shows."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import ROUND_FLOOR
import re

from .ocmf import Ocmf, OcmfReading, Refused

# OBIS (IEC 62056-6-1): value group C is 1 for active energy in, 2 for out; OCMF adds B0-B3 and C0-C3 for the registers
# of a charging point, at the mains or at the device, in total or in the transaction.
IMPORT = re.compile(r"(?:1-[0-9a-f]{1,2}|01-00):(?:1\.8\.0(?:\*255)?|B[0-3]\.08\.00\*FF)", re.ASCII)
EXPORT = re.compile(r"(?:1-[0-9a-f]{1,2}|01-00):(?:2\.8\.0(?:\*255)?|C[0-3]\.08\.00\*FF)", re.ASCII)


@dataclass(frozen=True, slots=True)
class SignedInterval:
    """What a meter signed: from `start` (UTC seconds) for `seconds`, the energy in each direction in whole Wh.

    `import_from_wh` and `export_from_wh` are its registers at the start: an interval goes on where the one before it
    ended, or something is missing. `serial` and `number` name the record; its text does not (a signature has twins).
    `site`, `place` and `vehicle` are as in `Ocmf`.
    """

    serial: str
    number: int
    user: str | None
    start: int
    seconds: int
    import_wh: int
    export_wh: int
    import_from_wh: int
    export_from_wh: int
    site: str | None = None
    place: tuple[int, int] | None = None
    vehicle: str | None = None


def signed_interval(record: Ocmf) -> SignedInterval | Refused:
    """Return the interval between the first and the last reading of a record, which must be verified already.

    A register is floored to whole Wh at each end, so intervals in a row add up to what the meter shows.
    """
    for reading in record.readings:
        if (no := _unusable(reading)) is not None:
            return no
    imports = [reading for reading in record.readings if IMPORT.fullmatch(reading.obis or "")]
    exports = [reading for reading in record.readings if EXPORT.fullmatch(reading.obis or "")]
    if not imports or len(imports) + len(exports) != len(record.readings):
        return Refused("not_an_interval", "RI")
    span = _span(imports)
    if span is None or span[1] <= span[0] or (exports and _span(exports) != span):
        return Refused("not_an_interval", "TM")
    import_wh, export_wh = _floored(imports), _floored(exports) or [0, 0]
    if import_wh != sorted(import_wh) or export_wh != sorted(export_wh):
        return Refused("backward", "RV")
    return SignedInterval(
        serial=record.serial,
        number=record.number,
        user=record.user,
        start=span[0],
        seconds=span[1] - span[0],
        import_wh=import_wh[-1] - import_wh[0],
        export_wh=export_wh[-1] - export_wh[0],
        import_from_wh=import_wh[0],
        export_from_wh=export_wh[0],
        site=record.site,
        place=record.place,
        vehicle=record.vehicle,
    )


def follows(before: SignedInterval, after: SignedInterval) -> bool:
    """Tell whether nothing is missing between two intervals: the next number, and registers and time go on."""
    return (after.serial, after.number, after.import_from_wh, after.export_from_wh) == (
        before.serial,
        before.number + 1,
        before.import_from_wh + before.import_wh,
        before.export_from_wh + before.export_wh,
    ) and after.start >= before.start + before.seconds


def _unusable(reading: OcmfReading) -> Refused | None:
    if reading.state != "G":
        return Refused("meter_not_good", f"ST {reading.state}")
    if reading.errors or reading.event == "X" or reading.register_wh is None:
        return Refused("energy_unusable", f"EF {reading.errors}" if reading.errors else "RV")
    if reading.clock == "U":
        return Refused("clock_unsure", "TM")
    return None


def _span(readings: Sequence[OcmfReading]) -> tuple[int, int] | None:
    """Return the first and last second; None where time does not go forward from reading to reading."""
    times = [reading.at_ms for reading in readings]
    return (times[0] // 1000, times[-1] // 1000) if times == sorted(times) else None


def _floored(readings: Sequence[OcmfReading]) -> list[int]:
    return [
        int(reading.register_wh.to_integral_value(ROUND_FLOOR))
        for reading in readings
        if reading.register_wh is not None
    ]
