"""What each meter said last: judged by metering, shown to the entities, told once when it changes."""

from collections.abc import Mapping
from dataclasses import replace

from . import wire
from .const import GRACE_POLLS, LOGGER
from .devices.port import Answer
from .errors import DeviceError
from .metering import Limits, Reading, Refused, Reset, TapMeter, take
from .power import power_w, window
from .site import TapConfig
from .state import TapState
from .wire import Quality

INCIDENT_REFUSED = "reading-refused"
INCIDENT_RESET = "meter-reset"


class MeterWatch:
    """Follows the meters of a site; `incidents` are what the cloud should hear of, until somebody takes them."""

    def __init__(self, taps: Mapping[str, TapConfig], time_scale: int) -> None:
        """Know nothing of any meter yet."""
        self.states = {tap: TapState() for tap in taps}
        self.incidents: list[wire.Incident] = []
        self._names = {tap: config.name for tap, config in taps.items()}
        self._limits = {tap: Limits(config.rated_power_w, time_scale) for tap, config in taps.items()}
        self._windows = {tap: window() for tap in taps}
        self._misses = dict.fromkeys(taps, 0)
        self._reasons: dict[str, str] = {}
        self._time_scale = time_scale

    def heard(self, tap: str, meter: TapMeter, outcome: Answer | DeviceError) -> TapMeter:
        """Take what a poll brought of one meter."""
        if isinstance(outcome, DeviceError):
            self._missed(tap, outcome.detail)
            return meter
        # what is no register stands even where the registers are doubted
        self.states[tap] = replace(self.states[tap], values=outcome.values)
        meter, verdict = take(meter, outcome.raw, self._limits[tap])
        match verdict:
            case Reading():
                self._accepted(tap, verdict)
            case Reset():
                self._was_reset(tap, verdict)
            case Refused():
                self._was_refused(tap, verdict)
        return meter

    def closed(self, qualities: Mapping[str, Quality]) -> None:
        """Show how sure the interval just closed is, tap by tap."""
        for tap, quality in qualities.items():
            if tap in self.states:
                self.states[tap] = replace(self.states[tap], quality=quality)

    def _accepted(self, tap: str, reading: Reading) -> None:
        self._windows[tap].append(reading)
        if self.states[tap].silent:
            LOGGER.info("The meter of %s is back", self._names[tap])
        self._misses[tap] = 0
        self._reasons.pop(tap, None)
        power = power_w(self._windows[tap], self._time_scale)
        self.states[tap] = replace(self.states[tap], reading=reading, silent=False, power_w=power)

    def _was_reset(self, tap: str, reset: Reset) -> None:
        LOGGER.warning("The meter of %s was exchanged or reset: %s Wh, then %s Wh", self._names[tap], *_pair(reset))
        self._tell(reset.at_ms, INCIDENT_RESET, tap, "{} Wh, then {} Wh".format(*_pair(reset)))
        self._windows[tap].clear()
        self.states[tap] = replace(self.states[tap], reset_at_ms=reset.at_ms)
        self._accepted(tap, Reading(reset.at_ms, *reset.after_wh, power_w=None))

    def _was_refused(self, tap: str, refused: Refused) -> None:
        if refused.reason == "out_of_order":
            return  # the same instant read twice says nothing against the meter
        if self._reasons.get(tap) != refused.reason:
            self._reasons[tap] = refused.reason
            self._tell(refused.at_ms, INCIDENT_REFUSED, tap, refused.reason)
        self._missed(tap, f"a register is refused ({refused.reason})")

    def _missed(self, tap: str, detail: str) -> None:
        self._misses[tap] += 1
        if self._misses[tap] == GRACE_POLLS:
            LOGGER.warning("The meter of %s is silent: %s", self._names[tap], detail)
        if self._misses[tap] >= GRACE_POLLS:
            self.states[tap] = replace(self.states[tap], silent=True, power_w=None)
            self._windows[tap].clear()

    def _tell(self, at_ms: int, kind: str, tap: str, detail: str) -> None:
        self.incidents.append(wire.Incident(at_ms // 1000, kind, tap, detail))


def _pair(reset: Reset) -> tuple[tuple[int, int], tuple[int, int]]:
    return reset.before_wh, reset.after_wh
