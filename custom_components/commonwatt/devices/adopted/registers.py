"""The two registers of an adopted device: each counted by an entity, made from power, or standing still."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Literal

from ...metering.integral import MWS_PER_WH, Integral, integrate, register_wh
from ...metering.reading import Limits
from .counter import DIGITS, Counter, Look, at_least, counter_kept, counter_of, first, looked

# A power that was not looked at for longer is not known in between. The longest poll is 10 s; one may be missed.
GAP_MS_MAX = 60_000

type Side = Literal["import", "export"]
SIDES: tuple[Side, Side] = ("import", "export")

NOTHING_YET = Integral(0, 0, 0, None)


class Registers:
    """Follows what the entities show, and goes on where an earlier run or another entity left off."""

    def __init__(self, counting: Mapping[Side, str], power: str | None, integrated: frozenset[Side], limits: Limits):
        """Take which entity counts which side, what the power comes from, and the sides that are made from it."""
        self._counting = counting
        self._power = power
        self._integrated = integrated
        self._limits = limits
        self._counters: dict[Side, Counter] = {}
        self._integral = NOTHING_YET
        self._former: dict[Side, float] = {}
        self._floor: dict[Side, int] = {}
        self._settled: set[Side] = set()
        self._given: tuple[float, float] | None = None

    def go_on_with(self, kept: Mapping[str, Any] | None, floor_wh: tuple[int, int] | None) -> None:
        """Take up what was written down, and the registers of the boundary closed last.

        What is made here never falls behind that boundary: where it is ahead, the last write never came. Raises
        ValueError, KeyError or TypeError for what was never written here.
        """
        counters = {} if kept is None else {side: counter_of(kept[side]) for side in SIDES if kept.get(side)}
        former = {} if kept is None else dict(zip(SIDES, map(float, kept["registers_wh"]), strict=True))
        integral = None if kept is None or not kept.get("integral") else _integral_of(kept["integral"])
        self._floor = {} if floor_wh is None else dict(zip(SIDES, floor_wh, strict=True))
        self._former = former
        self._settled = set()
        self._counters = {
            side: counters[side]
            for side, reference in self._counting.items()
            if side in counters and counters[side].reference == reference
        }
        if integral is not None:
            same = kept is not None and kept["integral"]["reference"] == self._power
            self._integral = integral if same else replace(integral, power_w=None)
        self._integral = _raised(self._integral, *(int(self._stands_wh(side)) for side in SIDES))

    def look(self, side: Side, look: Look) -> bool:
        """Take what the entity that counts this side shows; return whether it proved to be another counter."""
        others = 0
        if (counter := self._counters.get(side)) is not None:
            others = counter.others
            counter = looked(counter, look, self._limits)
        else:
            former_wh = self._stands_wh(side) if side in self._former else None
            counter = first(self._counting[side], look, former_wh, self._floor.get(side))
        # a fall in doubt is judged against what was kept: raised before, the run since the fall would count twice
        if side not in self._settled and counter.fell_ms is None:
            counter = at_least(counter, self._floor.get(side, 0)) if look.anew else counter
            self._settled.add(side)
        self._counters[side] = counter
        return counter.others > others

    def sample(self, at_ms: int, power_w: float | None) -> None:
        """Take the power, import positive; None where it is not known now."""
        self._integral = integrate(self._integral, at_ms, power_w, GAP_MS_MAX)

    def change(self, at_ms: int, power_w: float | None) -> None:
        """Take a power that stood as it was until now: what a state does. Up to one that is not known, none is held."""
        if power_w is not None:
            self.sample(at_ms, self._integral.power_w)
        self.sample(at_ms, power_w)

    def wh(self) -> tuple[float, float]:
        """Return both registers, import and export."""
        made = dict(zip(SIDES, register_wh(self._integral), strict=True))
        self._given = self._side_wh("import", made["import"]), self._side_wh("export", made["export"])
        return self._given

    def _side_wh(self, side: Side, made_wh: int) -> float:
        if side in self._counting:
            register = round(self._counters[side].register_wh, DIGITS)
            return register if side in self._settled else max(register, self._floor.get(side, 0))
        return made_wh if side in self._integrated else self._stands_wh(side)

    def _stands_wh(self, side: Side) -> float:
        return max(self._former.get(side, 0), self._floor.get(side, 0))

    def kept(self) -> dict[str, Any] | None:
        """Return what is to be written down; None before anything was read."""
        if self._given is None:
            return None
        kept: dict[str, Any] = {side: counter_kept(counter) for side, counter in self._counters.items()}
        kept["registers_wh"] = list(self._given)
        if self._integrated:
            kept["integral"] = {"reference": self._power} | _integral_kept(self._integral)
        return kept


def _raised(integral: Integral, import_wh: int, export_wh: int) -> Integral:
    return replace(
        integral,
        import_mws=max(integral.import_mws, import_wh * MWS_PER_WH),
        export_mws=max(integral.export_mws, export_wh * MWS_PER_WH),
    )


def _integral_kept(integral: Integral) -> dict[str, Any]:
    return {
        "import_mws": integral.import_mws,
        "export_mws": integral.export_mws,
        "at_ms": integral.at_ms,
        "power_w": integral.power_w,
        "rest_nws": list(integral.rest_nws),
    }


def _integral_of(kept: Mapping[str, Any]) -> Integral:
    power_w = kept["power_w"]
    import_rest, export_rest = kept["rest_nws"]
    return Integral(
        import_mws=int(kept["import_mws"]),
        export_mws=int(kept["export_mws"]),
        at_ms=int(kept["at_ms"]),
        power_w=None if power_w is None else float(power_w),
        rest_nws=(int(import_rest), int(export_rest)),
    )
