"""A register made from power, for a device that has none: the area under its samples, exact, and nothing over a gap."""

from dataclasses import dataclass, replace
import math

MWS_PER_WH = 3_600_000
NWS_PER_MWS = 1_000_000
POWER_W_MAX = 10**9  # no power of any tap


@dataclass(frozen=True, slots=True)
class Integral:
    """Energy so far, in whole mWs, and the sample it goes on from; `power_w` None where the power is not known.

    `rest_nws` (import, export) is what is not a whole mWs yet. With power in whole mW and time in whole ms every area
    is a whole number of nWs, so how often a steady or a linear power is sampled changes nothing.
    """

    import_mws: int
    export_mws: int
    at_ms: int
    power_w: float | None
    rest_nws: tuple[int, int] = (0, 0)


def integrate(integral: Integral, at_ms: int, power_w: float | None, gap_ms_max: int) -> Integral:
    """Go on to a sample in W, import positive: between two samples power is taken to change evenly.

    Nothing is counted to or from a sample that is no number, over more than `gap_ms_max`, or where the clock went back:
    what was not seen is not made up.
    """
    power = power_w if power_w is not None and math.isfinite(power_w) and abs(power_w) <= POWER_W_MAX else None
    passed_ms = at_ms - integral.at_ms
    before = integral.power_w
    went_on = replace(integral, at_ms=at_ms, power_w=power)
    if before is None or power is None or not 0 < passed_ms <= gap_ms_max:
        return went_on
    imported, exported = _areas_nws(round(before * 1000), round(power * 1000), passed_ms)
    import_mws, import_rest = divmod(integral.rest_nws[0] + imported, NWS_PER_MWS)
    export_mws, export_rest = divmod(integral.rest_nws[1] + exported, NWS_PER_MWS)
    return replace(
        went_on,
        import_mws=integral.import_mws + import_mws,
        export_mws=integral.export_mws + export_mws,
        rest_nws=(import_rest, export_rest),
    )


def register_wh(integral: Integral) -> tuple[int, int]:
    """Return the registers (import, export) that this is, floored."""
    return integral.import_mws // MWS_PER_WH, integral.export_mws // MWS_PER_WH


def _areas_nws(before_mw: int, after_mw: int, passed_ms: int) -> tuple[int, int]:
    """Return the areas above and below zero; where the sign changes inside, both are floored and differ by the net."""
    net_nws = (before_mw + after_mw) * passed_ms * 500
    if before_mw >= 0 and after_mw >= 0:
        return net_nws, 0
    if before_mw <= 0 and after_mw <= 0:
        return 0, -net_nws
    # the line crosses zero where it cuts the time in proportion to the powers: two triangles
    above_mw = max(before_mw, after_mw)
    above_nws = above_mw * above_mw * passed_ms * 500 // abs(before_mw - after_mw)
    return above_nws, above_nws - net_nws
