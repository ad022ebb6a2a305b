"""A register that stands still while power flows: told from one that only moves seldom."""

from dataclasses import dataclass

from .reading import Reading

STUCK_MS = 90 * 60_000  # the slowest vendors refresh a register hourly
STUCK_WH = 1_500  # a register of whole kWh has moved by then
UNSEEN_MS = 5 * 60_000  # what power did in a longer hole nobody knows


@dataclass(frozen=True, slots=True)
class Standing:
    """Since when the registers show what they show, and what power says to have flowed since, at least."""

    reading: Reading
    since_ms: int
    flowed_wh: float = 0.0

    @property
    def stuck(self) -> bool:
        """Whether the registers should have moved."""
        return self.reading.at_ms - self.since_ms >= STUCK_MS and self.flowed_wh >= STUCK_WH


def stand(standing: Standing | None, reading: Reading, time_scale: int = 1) -> Standing:
    """Go on to the next reading. Between two the smaller power counts, so that a peak accuses no meter."""
    if standing is None or _registers(standing.reading) != _registers(reading):
        return Standing(reading, reading.at_ms)
    before, passed_ms = standing.reading, reading.at_ms - standing.reading.at_ms
    flowed_wh = 0.0
    if before.power_w is not None and reading.power_w is not None and passed_ms <= UNSEEN_MS:
        flowed_wh = min(abs(before.power_w), abs(reading.power_w)) * passed_ms * time_scale / 3_600_000
    return Standing(reading, standing.since_ms, standing.flowed_wh + flowed_wh)


def _registers(reading: Reading) -> tuple[int, int]:
    return reading.import_wh, reading.export_wh
