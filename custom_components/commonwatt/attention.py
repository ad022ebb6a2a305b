"""What a person must look at: a meter exchanged, silent for days or stuck at its register, and a wrong clock."""

from collections.abc import Iterable

from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers import issue_registry as ir
from homeassistant.util import dt as dt_util

from .const import DOMAIN
from .issues import show_issue, tell_if
from .metering import Reset
from .watch import CLOCK_BACK_MS_MAX, MeterWatch

METER_EXCHANGED = "meter_exchanged"

CLOCK_S_MIN = 1_735_689_600  # 2025: a machine without a battery begins in 1970, until it has asked for the time


CLOCK_AHEAD_S = 30 * 86_400  # no poll comes so late, unless the machine was off, or its clock is wrong
CLOCK_PATIENCE_S = 600  # in which a machine asks for the time; a long absence may wait for so long, too


class Clock:
    """Says whether the clock can be right. While it cannot, nothing is read: no reading could say when it was."""

    def __init__(self) -> None:
        """Doubt nothing yet."""
        self._doubted_since: float | None = None

    @callback
    def is_set(self, hass: HomeAssistant, entry_id: str, now: float, closed: int) -> bool:
        """Judge `now` by the boundary closed last, in s; one far ahead is believed once it has stood for a while."""
        unset, ahead = now < CLOCK_S_MIN, now > closed + CLOCK_AHEAD_S and closed >= CLOCK_S_MIN
        if not ahead:
            self._doubted_since = None
        elif self._doubted_since is None:
            self._doubted_since = hass.loop.time()
        doubted = self._doubted_since is not None and hass.loop.time() < self._doubted_since + CLOCK_PATIENCE_S
        tell_if(hass, entry_id, "clock_not_set", said=unset)
        tell_if(hass, entry_id, "clock_ahead", said=doubted)
        return not unset and not doubted


@callback
def tell_clock_back(hass: HomeAssistant, entry_id: str, now: float, closed: int) -> None:
    """Tell that the clock was set back behind what is closed already (s): until then nothing can be closed."""
    back = now < closed - CLOCK_BACK_MS_MAX / 1000
    tell_if(hass, entry_id, "clock_set_back", said=back, until=_time(closed * 1000))


@callback
def tell_meters(hass: HomeAssistant, entry_id: str, watch: MeterWatch, now_ms: int) -> None:
    """Tell of every meter that needs a person, and no more of those that do not."""
    for tap, reset in watch.exchanged.items():
        _tell_exchanged(hass, entry_id, tap, watch.names[tap], reset)
    watch.exchanged.clear()
    unheard = watch.unheard(now_ms).items()
    silent = [f"{name} ({'?' if at_ms is None else _time(at_ms)})" for name, at_ms in unheard]
    show_issue(hass, entry_id, "device_silent", silent)
    show_issue(hass, entry_id, "register_stuck", watch.stuck())


def _tell_exchanged(hass: HomeAssistant, entry_id: str, tap: str, name: str, reset: Reset) -> None:
    """Ask a person whether a meter that nobody announced is the right one; the question outlives a restart."""
    ir.async_create_issue(
        hass,
        DOMAIN,
        exchanged_id(entry_id, tap),
        data={"entry_id": entry_id, "tap": tap},
        is_fixable=True,
        is_persistent=True,
        severity=ir.IssueSeverity.WARNING,
        translation_key=METER_EXCHANGED,
        translation_placeholders={
            "tap": name,
            "before": _kwh(reset.before_wh),
            "after": _kwh(reset.after_wh),
            "at": _time(reset.at_ms),
        },
    )


@callback
def clear_exchanged(hass: HomeAssistant, entry_id: str, kept: Iterable[str] = ()) -> None:
    """Take the questions about a site's meters away, but those about the taps that are kept."""
    wanted = {exchanged_id(entry_id, tap) for tap in kept}
    for domain, issue in list(ir.async_get(hass).issues):
        if domain == DOMAIN and issue.startswith(exchanged_id(entry_id, "")) and issue not in wanted:
            ir.async_delete_issue(hass, domain, issue)


def exchanged_id(entry_id: str, tap: str) -> str:
    """Return the id of the issue about a tap's meter."""
    return f"{METER_EXCHANGED}_{entry_id}_{tap}"


def _kwh(registers_wh: tuple[int, int]) -> str:
    return " / ".join(f"{register_wh / 1000:.3f} kWh" for register_wh in registers_wh)


def _time(at_ms: int) -> str:
    return dt_util.as_local(dt_util.utc_from_timestamp(at_ms / 1000)).isoformat(" ", "minutes")
