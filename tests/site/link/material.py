"""What the tests of this room measure and keep: small intervals of a house with two owners."""

from collections.abc import Mapping

from custom_components.commonwatt.link import KeptBoundary, KeptInterval, SiteKey
from custom_components.commonwatt.wire import CablePeriod, Quality, TapColumns, TreeTap

SEED = bytes(range(32))
CLOUD_SEED = bytes(range(32, 64))
SITE = "site-1"
LENGTH = 1800
START = 1_700_001_000 // LENGTH * LENGTH

TREE: Mapping[str, TreeTap] = {
    "main": TreeTap("anna", None, "House", 17_000),
    "ev": TreeTap("ben", "main", None, 11_000),
    "heat": TreeTap("anna", "main"),
}


def key() -> SiteKey:
    """Return the site's key of these tests."""
    return SiteKey(SEED)


def columns(owner: str, upstream: str | None, wh: int, register_wh: int, quality: Quality = "ok") -> TapColumns:
    """Return one interval of a tap that imported."""
    return TapColumns(owner, upstream, (wh,), (0,), ((register_wh, 0),), (quality,))


def interval(
    number: int, *, rev: int | None = 1, taps: int = 2, length: int = LENGTH, cables: tuple[CablePeriod, ...] = ()
) -> KeptInterval:
    """Return the n-th interval: the house takes 100 Wh, of which Ben takes 40; further taps are Ben's and idle."""
    measured = {
        "main": columns("anna", None, 100, 100 * (number + 1)),
        "ev": columns("ben", "anna", 40, 40 * (number + 1)),
    }
    measured |= {f"idle{index}": columns("ben", "anna", 0, 7) for index in range(taps - 2)}
    return KeptInterval(START + number * length, length, rev, measured, {"anna": 60, "ben": 40}, -100, cables)


def boundaries(number: int) -> dict[str, KeptBoundary]:
    """Return where the taps stood at the end of the n-th interval."""
    end = START + (number + 1) * LENGTH
    return {"main": KeptBoundary(end, 100 * (number + 1), 0, exact=True), "ev": KeptBoundary(end, 40, 0, exact=False)}
