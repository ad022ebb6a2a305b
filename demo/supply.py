"""The street before the house: its meter is let into the hub, and what the hub knows of it is told."""

from dataclasses import dataclass
import json

from .cloud import Operator, time_text
from .community import COMMUNITY
from .errors import DemoError
from .house import HALF_HOUR_S
from .processes import Children, python

STREET = "street"  # the program, and its log
DEVICE, NAME = "street-1", "The street's meter"
LATITUDE_E6, LONGITUDE_E6 = 47_660_000, 9_170_000  # before the house
NOMINAL_V, TOLERANCE_PERCENT = 230, 10  # EN 50160
PAGE = 10_000


@dataclass(frozen=True, slots=True)
class Supplied:
    """What the hub has of the street's meter: how many readings, and the voltages among them in mV."""

    readings: int
    voltages_mv: tuple[int, ...]


async def let_in(children: Children, operator: Operator, cloud_url: str, interval_seconds: int) -> None:
    """Put the meter on the list, start it, and hand it its initial password, which works once."""
    place = {"latitude_e6": LATITUDE_E6, "longitude_e6": LONGITUDE_E6}
    listed = await operator.post("/devices", {"device": DEVICE, "kind": "meter", "name": NAME, **place})
    child = await children.start(STREET, python("demo", "street"), talks=True)
    assert child.process.stdin is not None
    orders = {"cloud": cloud_url, "device": DEVICE, "initial_password": listed["initial_password"]}
    speed = HALF_HOUR_S // interval_seconds
    child.process.stdin.write(json.dumps({**orders, "speed": speed}).encode() + b"\n")
    await child.process.stdin.drain()


async def supplied(operator: Operator, start: int, end: int) -> Supplied:
    """Ask as an upper system does what was measured from `start` to `end`."""
    query = {"community": COMMUNITY, "device": DEVICE, "from": time_text(start), "to": time_text(end)}
    answer = await operator.ask("GET", "/v1/readings", params={**query, "limit": str(PAGE)})
    voltages = tuple(item["value"] for item in answer["readings"] if item["quantity"] == "voltage")
    return Supplied(len(answer["readings"]), voltages)


def supplied_lines(found: Supplied) -> list[str]:
    """Return what the street's meter measured, in words; a run in which it measured nothing fails."""
    if not found.voltages_mv:
        raise DemoError(f"the hub has no reading of {NAME}")
    least, most = min(found.voltages_mv) / 1000, max(found.voltages_mv) / 1000
    bound_v = NOMINAL_V * TOLERANCE_PERCENT / 100
    where = "within" if NOMINAL_V - bound_v <= least and most <= NOMINAL_V + bound_v else "NOT within"
    return [
        f"{NAME}, which knows no Home Assistant, told the hub {found.readings} readings by HTTPS.",
        f"  Voltage from {least:.1f} to {most:.1f} V: {where} {NOMINAL_V} V ± {TOLERANCE_PERCENT} %.",
    ]
