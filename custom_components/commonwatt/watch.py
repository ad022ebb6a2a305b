"""What each meter said last: judged by metering, shown to the entities, told once when it changes."""

from collections.abc import Container, Mapping, Set as AbstractSet
from dataclasses import replace
import logging
from types import MappingProxyType
from typing import Any

from . import wire
from .const import CONF_SEND_TELEMETRY, GRACE_POLLS, INTERVAL_SECONDS_DEFAULT, LOGGER, SUBENTRY_CABLE
from .devices.port import Answer
from .errors import DeviceError
from .metering import Limits, Reading, Refused, Reset, Standing, TapMeter, stand, take
from .power import power_w, window
from .site import TapConfig
from .state import TapState
from .telemetry import Gauges
from .wire import Quality

INCIDENT_REFUSED = "reading-refused"
INCIDENT_RESET = "meter-reset"
INCIDENT_ROLLOVER = "register-rollover"
INCIDENT_TELEMETRY = "telemetry-dropped"

CLOCK_BACK_MS_MAX = 60_000  # a clock that is set by NTP goes back by less
SILENT_MS_MAX = 24 * 3_600_000  # a device that is switched off over night is no news


class MeterWatch:
    """Follows the meters of a site.

    `incidents` are what the cloud should hear of, and `exchanged` the meters a person should be asked about, until
    somebody takes them. `announced` are taps that a person just gave another device, whose registers begin elsewhere.
    """

    def __init__(
        self,
        taps: Mapping[str, TapConfig],
        time_scale: int,
        *,
        interval_seconds: int = INTERVAL_SECONDS_DEFAULT,
        announced: AbstractSet[str] = frozenset(),
        heard_ms: Mapping[str, int] = MappingProxyType({}),
    ) -> None:
        """Know nothing of any meter yet but, after a reload, when it was heard last."""
        self.states = {tap: TapState() for tap in taps}
        self.incidents: list[wire.Incident] = []
        self.exchanged: dict[str, Reset] = {}
        self.heard_ms = {tap: at_ms for tap, at_ms in heard_ms.items() if tap in taps}
        self._announced = set(announced)
        self._fixed = [tap for tap, config in taps.items() if config.kind != SUBENTRY_CABLE]
        self.names = {tap: config.name for tap, config in taps.items()}
        self._limits = {tap: Limits(config.rated_power_w, time_scale) for tap, config in taps.items()}
        self._windows = {tap: window() for tap in taps}
        self._standings: dict[str, Standing] = {}
        self._begun_ms: int | None = None
        self._misses = dict.fromkeys(taps, 0)
        self._reasons: dict[str, str] = {}
        self._time_scale = time_scale
        self._gauges = Gauges(interval_seconds)
        self._too_much = False

    def heard(self, tap: str, meter: TapMeter, outcome: Answer | DeviceError) -> TapMeter:
        """Take what a poll brought of one meter."""
        if isinstance(outcome, DeviceError):
            self._missed(tap, outcome.detail)
            return meter
        # what is no register stands even where the registers are doubted
        self._show(tap, values=outcome.values)
        self._gauges.heard(tap, outcome)
        meter, verdict = take(meter, outcome.raw, self._limits[tap])
        match verdict:
            case Reading():
                if verdict.rolled:
                    self._rolled(tap, verdict)
                self._accepted(tap, verdict)
                if not meter.integrated:
                    self._standings[tap] = stand(self._standings.get(tap), verdict, self._time_scale)
            case Reset():
                self._was_reset(tap, verdict)
            case Refused():
                self._was_refused(tap, verdict)
        return meter

    def closed(self, qualities: Mapping[str, Quality]) -> None:
        """Show how sure the interval just closed is, tap by tap."""
        for tap, quality in qualities.items():
            if tap in self.states:
                self._show(tap, quality=quality)

    def telemetry(self, end: int, taps: Container[str], options: Mapping[str, Any]) -> tuple[wire.Telemetry, ...]:
        """Return what stood at these taps nearest to a boundary (s), if the owner wants that to be sent along.

        What no batch can carry is left out, and said once.
        """
        wanted = options.get(CONF_SEND_TELEMETRY, False)
        found, left_out = self._gauges.close(end, taps if wanted else ())
        if left_out and not self._too_much:
            LOGGER.warning("There is more telemetry than a batch carries: %s items are left out", left_out)
            self.incidents.append(wire.Incident(end, INCIDENT_TELEMETRY, None, f"{left_out} items too many"))
        self._too_much = bool(left_out)
        return found

    def unheard(self, now_ms: int) -> dict[str, int | None]:
        """Return the names of the taps not heard for long, each with when it last was; None: never since the start.

        A cable goes away with its car, and nobody need look for it.
        """
        self._begun_ms = now_ms if self._begun_ms is None else min(self._begun_ms, now_ms)
        last_ms = {tap: self.heard_ms.get(tap) for tap in self._fixed}
        return {
            self.names[tap]: at_ms
            for tap, at_ms in last_ms.items()
            if now_ms - (self._begun_ms if at_ms is None else at_ms) > SILENT_MS_MAX
        }

    def stuck(self) -> list[str]:
        """Return the names of the taps whose registers stand still while power flows."""
        return [self.names[tap] for tap, standing in self._standings.items() if standing.stuck]

    def _show(self, tap: str, **changes: Any) -> None:
        """Show what changed; a state in which nothing did stays the very same object."""
        before = self.states[tap]
        if any(getattr(before, name) != value for name, value in changes.items()):
            self.states[tap] = replace(before, **changes)

    def _accepted(self, tap: str, reading: Reading) -> None:
        self._windows[tap].append(reading)
        self.heard_ms[tap] = reading.at_ms
        self._announced.discard(tap)
        before = self.states[tap]
        if before.silent:
            LOGGER.info("The meter of %s is back", self.names[tap])
        self._misses[tap] = 0
        self._reasons.pop(tap, None)
        power = power_w(self._windows[tap], self._time_scale)
        if before.reading is not None and _same(before.reading, reading):
            reading = before.reading
        self._show(tap, reading=reading, silent=False, power_w=power)

    def _was_reset(self, tap: str, reset: Reset) -> None:
        level = logging.INFO if tap in self._announced else logging.WARNING
        LOGGER.log(level, "The meter of %s was exchanged or reset: %s Wh, then %s Wh", self.names[tap], *_pair(reset))
        self._tell(reset.at_ms, INCIDENT_RESET, tap, "{} Wh, then {} Wh".format(*_pair(reset)))
        if tap not in self._announced:
            self.exchanged[tap] = reset
        self._windows[tap].clear()
        self._standings.pop(tap, None)
        self._show(tap, reset_at_ms=reset.at_ms)
        self._accepted(tap, Reading(reset.at_ms, *reset.after_wh, power_w=None))

    def _rolled(self, tap: str, reading: Reading) -> None:
        detail = f"goes on at {reading.import_wh} Wh in, {reading.export_wh} Wh out"
        LOGGER.info("A register of %s came to its end and began anew; it %s", self.names[tap], detail)
        self._tell(reading.at_ms, INCIDENT_ROLLOVER, tap, detail)

    def _was_refused(self, tap: str, refused: Refused) -> None:
        # the same instant read twice, or a clock that NTP corrects, says nothing against the meter
        if refused.reason == "out_of_order" and refused.at_ms >= self.heard_ms.get(tap, 0) - CLOCK_BACK_MS_MAX:
            return
        if self._reasons.get(tap) != refused.reason:
            self._reasons[tap] = refused.reason
            self._tell(refused.at_ms, INCIDENT_REFUSED, tap, refused.reason)
        self._missed(tap, f"a register is refused ({refused.reason})")

    def _missed(self, tap: str, detail: str) -> None:
        self._misses[tap] += 1
        if self._misses[tap] == GRACE_POLLS:
            LOGGER.warning("The meter of %s is silent: %s", self.names[tap], detail)
        if self._misses[tap] >= GRACE_POLLS:
            self._show(tap, silent=True, power_w=None)
            self._windows[tap].clear()

    def _tell(self, at_ms: int, kind: str, tap: str, detail: str) -> None:
        self.incidents.append(wire.Incident(at_ms // 1000, kind, tap, detail))


def _same(one: Reading, other: Reading) -> bool:
    return (one.import_wh, one.export_wh, one.power_w) == (other.import_wh, other.export_wh, other.power_w)


def _pair(reset: Reset) -> tuple[tuple[int, int], tuple[int, int]]:
    return reset.before_wh, reset.after_wh
