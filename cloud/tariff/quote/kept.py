"""Tariffs as they stand, with what they were read from."""

from dataclasses import dataclass

from cloud.tariff.price import PriceTexts
from cloud.tariff.validity import Gap, Tariff


@dataclass(frozen=True, slots=True)
class Kept:
    """A tariff with its prices as they were written; of a series, how far its prices are known."""

    tariff: Tariff
    texts: PriceTexts | None
    known_until: int | None


@dataclass(frozen=True, slots=True)
class Page:
    """Some tariffs in order of time, and every gap between the community's."""

    kept: tuple[Kept, ...]
    gaps: tuple[Gap, ...]
