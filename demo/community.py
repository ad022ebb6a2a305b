"""Sunny Street, as its operator sets it up: how it settles, who owns something in it, and what energy costs."""

from .cloud import Operator, time_text
from .house import HALF_HOUR_S
from .statement import GridPrices

COMMUNITY = "sunny-street"
OWNERS = {"anna": "Anna", "ben": "Ben", "sun": "Sun"}
MAIN_OWNER = "anna"
DRIVER, DRIVER_NAME = "dora", "Dora"  # owns nothing in the house but the cable she visits with
POINTS_PER_EURO = 100
LOCAL, GRID_BUY, GRID_SELL = 20, 30, 8  # points per kWh
BASE_MICRO, PRICE_MICRO_PER_WH = 500_000, 25_000  # for a period at a socket, and for energy towards the car
LOOK_BACK = 2  # periods: a run with --once sees a reward become final
PENDING_CAP_MICRO = 1_000_000_000  # nobody steals here, and what waits for its look-back is to be seen
GRID_PRICES = GridPrices(buy=GRID_BUY * 1000, sell=GRID_SELL * 1000)


async def set_up_community(operator: Operator, interval_seconds: int, now: float) -> None:
    """Create the community, its owners and its prices; every interval is settled by itself."""
    settled = {"interval_seconds": interval_seconds, "cycle_seconds": interval_seconds}
    worth = {"currency": "EUR", "points_per_unit": POINTS_PER_EURO}
    await operator.put("", {"name": "Sunny Street", "time_zone": "Europe/Berlin", **settled, **worth})
    for owner, name in OWNERS.items():
        await operator.put(f"/owners/{owner}", {"name": name})
    valid_from = int(now) // HALF_HOUR_S * HALF_HOUR_S
    tariff = {"local": str(LOCAL), "grid_buy": str(GRID_BUY), "grid_sell": str(GRID_SELL)}
    await operator.put(f"/tariffs/{time_text(valid_from)}", tariff)


async def welcome_driver(operator: Operator) -> None:
    """Let somebody take part who owns nothing here but a cable, and say what a cable earns."""
    await operator.put(f"/owners/{DRIVER}", {"name": DRIVER_NAME})
    paid = {"base_micro": BASE_MICRO, "price_micro_per_wh": PRICE_MICRO_PER_WH}
    await operator.put("/v2g/terms", {**paid, "look_back": LOOK_BACK, "pending_cap_micro": PENDING_CAP_MICRO})


async def pairing_code(operator: Operator, interval_seconds: int) -> str:
    """Return a code for the house, in which half an hour passes in one interval."""
    return await operator.pairing_code(MAIN_OWNER, HALF_HOUR_S // interval_seconds)


def tariff_text() -> str:
    """Return the prices in words."""
    return f"{LOCAL} points/kWh between neighbours, {GRID_BUY} from the grid, {GRID_SELL} to the grid"


def earning_text() -> str:
    """Return in words what a cable earns."""
    return f"it earns {PRICE_MICRO_PER_WH // 1000} points/kWh it gives, and {BASE_MICRO / 1_000_000:g} an interval"
