"""A price in points per kWh, as somebody wrote it, becomes whole micro-points per Wh: rounded here and only here."""

from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Decimal
import re

# a sign, up to six digits, up to six decimals: no exponent, no thousands mark, no NaN, no leading zeros
DECIMAL = re.compile(r"-?(0|[1-9][0-9]{0,5})(\.[0-9]{1,6})?")
MICRO_PER_WH = 1000  # 1 point/kWh is 1 000 000 micro-points for 1 000 Wh


@dataclass(frozen=True, slots=True)
class Prices:
    """What energy costs, in micro-points per Wh; negative where the taker is paid.

    `grid_buy` is what an owner pays to the grid, `grid_sell` what the grid pays to an owner, `local` what passes
    between owners: None where a community has no market of its own.
    """

    local_micro_per_wh: int | None
    grid_buy_micro_per_wh: int
    grid_sell_micro_per_wh: int


@dataclass(frozen=True, slots=True)
class PriceTexts:
    """The same prices as somebody wrote them: decimal texts, points per kWh."""

    local: str | None
    grid_buy: str
    grid_sell: str


@dataclass(frozen=True, slots=True)
class NotAPrice:
    """A text that is no price; `where` names it."""

    where: str
    text: str

    def __str__(self) -> str:
        """Say what a price looks like."""
        return f"{self.where}: {self.text[:24]!r} is no price in points per kWh like 21.5 or -0.125 (below 1000000)"


def read_prices(texts: PriceTexts) -> Prices | NotAPrice:
    """Read three prices, each rounded half to even to whole micro-points per Wh; the first bad text is named."""
    written = {"local": texts.local, "grid_buy": texts.grid_buy, "grid_sell": texts.grid_sell}
    for where, text in written.items():
        if text is not None and not DECIMAL.fullmatch(text):
            return NotAPrice(where, text)
    return Prices(
        local_micro_per_wh=None if texts.local is None else _micro_per_wh(texts.local),
        grid_buy_micro_per_wh=_micro_per_wh(texts.grid_buy),
        grid_sell_micro_per_wh=_micro_per_wh(texts.grid_sell),
    )


def _micro_per_wh(text: str) -> int:
    return int((Decimal(text) * MICRO_PER_WH).to_integral_value(ROUND_HALF_EVEN))
