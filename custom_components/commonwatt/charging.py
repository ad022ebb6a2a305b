"""What happened at a charger between two polls: a car came or went, charging began or ended, something broke."""

from collections.abc import Mapping
from typing import Literal

from .devices.port import Quantity, Value

type ChargerHappening = Literal[
    "plugged_in",
    "unplugged",
    "charging_started",
    "charging_ended",
    "discharging_started",
    "discharging_ended",
    "fault",
]

_FLOWS: tuple[tuple[Value, ChargerHappening, ChargerHappening], ...] = (
    ("charging", "charging_started", "charging_ended"),
    ("discharging", "discharging_started", "discharging_ended"),
)


def happenings(before: Mapping[Quantity, Value], now: Mapping[Quantity, Value]) -> list[ChargerHappening]:
    """Return what must have happened, in the order in which it does; what either side does not tell is no news."""
    told: list[ChargerHappening] = []
    if before.get("plugged") is False and now.get("plugged") is True:
        told.append("plugged_in")
    if "charger_state" in before and "charger_state" in now:
        was, state = before["charger_state"], now["charger_state"]
        told += [ended for flow, _, ended in _FLOWS if was == flow != state]
        told += [started for flow, started, _ in _FLOWS if was != flow == state]
        if was != "fault" == state:
            told.append("fault")
    if before.get("plugged") is True and now.get("plugged") is False:
        told.append("unplugged")
    return told
