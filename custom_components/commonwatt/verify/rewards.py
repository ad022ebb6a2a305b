"""What V2G cables moved: a reward, or a host's correction, worked out once more from the document of its entry."""

from collections.abc import Mapping
from typing import Any, Final

from ..wire import WireError, parse_time, time_text
from ..wire.statement import Movement, Statement
from ..wire.strict import load, take, text, whole
from .entries import Proven
from .finding import Findings

REWARD: Final = "v2g-reward"
HOST: Final = "v2g-host"
REWARD_KINDS: Final = frozenset({"reward", REWARD})  # what a statement adds up as rewards
MICRO_MAX: Final = 10**15
WHERE: Final = "document"


def check_rewards(page: Statement, proven: Mapping[int, Proven], found: Findings) -> None:
    """Check each movement of a cable against its document: what it says of energy and prices makes these points."""
    for item in page.movements:
        named = item.cause.partition(":")[0]
        if item.kind in (REWARD, HOST) or named in (REWARD, HOST):
            found.equal(None, f"{item.cause}, kind", item.kind, named)
            entry = proven.get(item.entry)
            if entry is None or entry.entry.document is None:
                found.unwitnessed(None, f"{item.cause}: it came without its document")
                continue
            try:
                data = load(entry.entry.document.encode(), WHERE)
                (_check_reward if named == REWARD else _check_host)(page, item, data, found)
            except WireError as error:
                found.altered(None, f"{item.cause}, {error.where}", error.reason, "a document of this kind")


def _check_reward(_page: Statement, item: Movement, data: Mapping[str, Any], found: Findings) -> None:
    base_due = take(data, "connected", WHERE) is True and take(data, "base_due", WHERE) is True
    base_micro = _micro(data, "base_micro") if base_due else 0
    start = parse_time(take(data, "start", WHERE), f"{WHERE}.start")
    period = text(data, "period", WHERE, 64)
    found.equal(start, f"{item.cause}, cause", item.cause, f"{REWARD}:{time_text(start)}:{period}")
    points_micro = base_micro - _micro(data, "price_micro_per_wh") * _wh(data, "energy_wh")
    found.equal(start, f"{item.cause}, reward", item.points_micro, points_micro)


def _check_host(page: Statement, item: Movement, data: Mapping[str, Any], found: Findings) -> None:
    start = parse_time(take(data, "start", WHERE), f"{WHERE}.start")
    host, revision = text(data, "host", WHERE, 64), whole(take(data, "revision", WHERE), f"{WHERE}.revision", 0)
    found.equal(start, f"{item.cause}, cause", item.cause, f"{HOST}:{time_text(start)}:{host}:{revision}")
    net_wh, cable_wh = _wh(data, "net_wh"), _wh(data, "cable_wh")
    buy, sell = _micro(data, "grid_buy_micro_per_wh"), _micro(data, "grid_sell_micro_per_wh")
    leg_micro = _bill(net_wh, buy, sell) - _bill(net_wh - cable_wh, buy, sell)
    found.equal(start, f"{item.cause}, correction", item.points_micro, leg_micro - _micro(data, "before_micro"))
    line = next((line for line in page.lines if line.start == start), None)
    if line is None or take(data, "settled_revision", WHERE) != 0:
        found.unwitnessed(start, f"{item.cause}: the interval as it stood then is not in the statement")
        return
    found.equal(start, f"{item.cause}, host", host, line.blind)
    found.equal(start, f"{item.cause}, net_wh", net_wh, line.local_wh + line.grid_wh)


def _bill(net_wh: int, buy_micro_per_wh: int, sell_micro_per_wh: int) -> int:
    return net_wh * (buy_micro_per_wh if net_wh > 0 else sell_micro_per_wh)


def _wh(data: Mapping[str, Any], key: str) -> int:
    return whole(take(data, key, WHERE), f"{WHERE}.{key}")


def _micro(data: Mapping[str, Any], key: str) -> int:
    return whole(take(data, key, WHERE), f"{WHERE}.{key}", -MICRO_MAX, MICRO_MAX)
