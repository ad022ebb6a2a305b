"""Spreads gaps, when a person asks: energy that was measured, though not when, is laid evenly over its intervals."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import pairwise
from typing import Final

from homeassistant.core import HomeAssistant, ServiceCall, ServiceResponse, SupportsResponse, callback
from homeassistant.exceptions import HomeAssistantError, ServiceValidationError
from homeassistant.helpers import config_validation as cv
from homeassistant.util import dt as dt_util
import probatio

from .const import DOMAIN
from .errors import OutboxError
from .link import KeptInterval, Outbox
from .metering import TapInterval, gaps, net, plant, spread
from .verification import CONF_CONFIG_ENTRY_ID, CONF_FROM, CONF_TO, paired_entry, seconds_of
from .wire import TapColumns, TreeTap

SERVICE_SPREAD_GAP: Final = "spread_gap"
LOOK_BACK_S: Final = 31 * 86_400

SPREAD_GAP = probatio.Schema(
    {
        probatio.Required(CONF_CONFIG_ENTRY_ID): cv.string,
        probatio.Optional(CONF_FROM): cv.datetime,
        probatio.Optional(CONF_TO): cv.datetime,
    }
)


@dataclass(frozen=True, slots=True)
class Spread:
    """How many gaps were spread, and over how many intervals."""

    gaps: int
    intervals: int


@callback
def async_setup_gaps(hass: HomeAssistant) -> None:
    """Offer the action."""
    hass.services.async_register(
        DOMAIN, SERVICE_SPREAD_GAP, async_spread_gap, schema=SPREAD_GAP, supports_response=SupportsResponse.OPTIONAL
    )


async def async_spread_gap(call: ServiceCall) -> ServiceResponse:
    """Spread every gap of a time that was sent and not amended yet; the cloud settles the difference as corrections."""
    entry = paired_entry(call.hass, call.data[CONF_CONFIG_ENTRY_ID])
    end = seconds_of(call.data.get(CONF_TO)) or int(dt_util.utcnow().timestamp())
    start = seconds_of(call.data.get(CONF_FROM)) or end - LOOK_BACK_S
    if start >= end:
        raise ServiceValidationError(translation_domain=DOMAIN, translation_key="ends_before_it_begins")
    runtime = entry.runtime_data
    try:
        done = await runtime.store.run(partial(spread_gaps, runtime.store.outbox, start, end))
    except OutboxError as error:
        raise HomeAssistantError(
            translation_domain=DOMAIN, translation_key="outbox_failed", translation_placeholders={"error": error.detail}
        ) from error
    if runtime.cloud is not None:
        runtime.cloud.nudge()
    return {"gaps": done.gaps, "intervals": done.intervals}


def spread_gaps(outbox: Outbox, start: int, end: int) -> Spread:
    """Keep an amendment for each gap whose intervals all begin in [start, end), under one tree."""
    amended = {item.interval.start for item in outbox.amended(start, end)}
    kept = [item.interval for item in outbox.witnessed(start, end) if item.batch is not None]
    count = intervals = 0
    for places in _gaps_of(kept):
        gap = [kept[place] for place in places]
        if amended & {item.start for item in gap} or not _together(gap):
            continue
        tree = outbox.tree_at(gap[0].start)
        if tree is None or tree[0] != gap[0].tree_rev:
            continue
        outbox.amend(_spread(gap, tree[1]))
        count, intervals = count + 1, intervals + len(gap)
    return Spread(count, intervals)


def _gaps_of(kept: Sequence[KeptInterval]) -> list[range]:
    """Return the gaps of all taps; those that touch are one, so that each interval is amended once."""
    taps = {tap for interval in kept for tap in interval.taps}
    found: list[range] = []
    for tap in taps:
        found += gaps([item.taps[tap].quality[0] if tap in item.taps else "ok" for item in kept])
    joined: list[range] = []
    for gap in sorted(found, key=lambda places: places.start):
        if joined and gap.start < joined[-1].stop:
            joined[-1] = range(joined[-1].start, max(gap.stop, joined[-1].stop))
        else:
            joined.append(gap)
    return joined


def _together(gap: Sequence[KeptInterval]) -> bool:
    """Tell whether the intervals follow one another under one tree: only then one batch can amend them."""
    return all(
        (one.end, one.tree_rev, one.taps.keys()) == (other.start, other.tree_rev, other.taps.keys())
        for one, other in pairwise(gap)
    )


def _spread(gap: Sequence[KeptInterval], taps: dict[str, TreeTap]) -> list[KeptInterval]:
    """Return the intervals with every tap's own gap spread, and the owners netted again."""
    columns = {tap: _spread_tap([_tap_interval(item, tap) for item in gap]) for tap in gap[0].taps}
    tree = plant(taps)
    found = []
    for place, item in enumerate(gap):
        measured = {tap: parts[place] for tap, parts in columns.items()}
        netting = net(tree, {tap: (part.import_wh, part.export_wh) for tap, part in measured.items()})
        better = {tap: _columns(item.taps[tap], part) for tap, part in measured.items()}
        # of its cables the first word stands
        found.append(replace(item, taps=better, net_wh=netting.net_wh, grid_wh=netting.grid_wh, cables=()))
    return found


def _spread_tap(parts: list[TapInterval]) -> list[TapInterval]:
    for gap in gaps([part.quality for part in parts]):
        parts[gap.start : gap.stop] = spread(parts[gap.start : gap.stop])
    return parts


def _tap_interval(item: KeptInterval, tap: str) -> TapInterval:
    one = item.taps[tap]
    return TapInterval(item.start, item.seconds, one.import_wh[0], one.export_wh[0], one.register_wh[0], one.quality[0])


def _columns(before: TapColumns, part: TapInterval) -> TapColumns:
    return replace(
        before,
        import_wh=(part.import_wh,),
        export_wh=(part.export_wh,),
        register_wh=(part.register_wh,),
        quality=(part.quality,),
    )
