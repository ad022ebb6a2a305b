"""A community with money of its own and a market's device, and a market that speaks as a test wants it to."""

from collections.abc import Iterable
from typing import Any

from cloud.hub.messages.message import Arrived, Parsed, Sender, Taken
from cloud.hub.messages.store import keep_all
from cloud.hub.quantity import Quantity
from cloud.hub.reading import Reading
from cloud.tariff.market.job import Follower
from cloud.wire import time_text
from tests.cloud.conftest import COMMUNITY, INTERVAL, NOON, Cloud, Reply

from .ground import listed

WEEK_MS = 7 * 86_400_000
LEGS: dict[str, Any] = {"buy": {"factor": "1.2", "add": "10"}, "sell": {"factor": "1"}}
SERIES = {"kind": "series"}

type Word = tuple[int, int, int]  # seconds, for how long, and a whole number


async def market(cloud: Cloud, *, currency: str | None = "GBP", points: int | None = 100, device: str = "gb") -> None:
    """Found a community that reckons 100 points for a pound, and list a market that speaks of pounds."""
    settings = {"name": "Riverside", "time_zone": "Europe/London", "interval_seconds": INTERVAL}
    money = {} if currency is None else {"currency": currency, "points_per_unit": points}
    await cloud.found()
    assert (await cloud.operator("PUT", COMMUNITY, settings | money)).status == 200
    await listed(cloud, device, kind="context", currency="GBP")


async def says(
    cloud: Cloud,
    words: Iterable[Word],
    *,
    device: str = "gb",
    point: str = "",
    quantity: Quantity = Quantity.PRICE,
) -> Taken:
    """Let a device say something, past the formats."""
    readings = tuple(Reading(device, point, quantity, at * 1000, seconds, value) for at, seconds, value in words)
    parsed = Parsed("unified", 1, readings, ahead_ms=WEEK_MS)
    sender = Sender(COMMUNITY, "operator", {device: device}, device)
    raw = repr((readings, cloud.clock.ms)).encode()
    (taken,) = await cloud.database.write(keep_all, [Arrived(sender, "upload", cloud.clock.ms, raw, parsed)])
    assert taken.faults == ()
    return taken


def half_hours(start: int, *values: int) -> list[Word]:
    """Return words on half hours side by side."""
    return [(start + place * INTERVAL, INTERVAL, value) for place, value in enumerate(values)]


async def put(cloud: Cloud, body: Any, *, valid_from: int = NOON, owner: str | None = None) -> Reply:
    """Let the series from a time on follow a market."""
    return await cloud.operator("PUT", path(valid_from, owner), body)


async def told(cloud: Cloud, *, valid_from: int = NOON, owner: str | None = None) -> Any:
    """Return how a series follows its market."""
    reply = await cloud.operator("GET", path(valid_from, owner))
    assert reply.status == 200, reply.json
    return reply.json


def path(valid_from: int, owner: str | None) -> str:
    """Return where a series' market is set."""
    whose = "" if owner is None else f"owners/{owner}/"
    return f"{COMMUNITY}/{whose}tariffs/{time_text(valid_from)}/market"


async def series(cloud: Cloud, valid_from: int = NOON, owner: str | None = None) -> None:
    """Put a tariff whose prices come later."""
    where = path(valid_from, owner).removesuffix("/market")
    assert (await cloud.operator("PUT", where, SERIES)).status == 201


async def turn(cloud: Cloud, follower: Follower | None = None) -> int:
    """Let the job look once."""
    return await (follower or Follower(cloud.database)).turn(cloud.clock.ms // 1000)


async def prices(cloud: Cloud, start: int, count: int, name: str = "grid_buy") -> list[int | None]:
    """Return what the intervals from a time on cost."""
    end = time_text(start + count * INTERVAL)
    reply = await cloud.operator("GET", f"{COMMUNITY}/prices?from={time_text(start)}&to={end}")
    assert reply.status == 200, reply.json
    return [item[f"{name}_micro_per_wh"] for item in reply.json["prices"]]
