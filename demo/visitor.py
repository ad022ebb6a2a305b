"""Dora comes by and plugs her car in: a V2G cable of her own, a program of its own, registered in the cloud."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from .cable_remote import CableRemote
from .cloud import Operator, time_text
from .community import BASE_MICRO, DRIVER, DRIVER_NAME, LOOK_BACK, MAIN_OWNER, OWNERS, PRICE_MICRO_PER_WH
from .errors import DemoError
from .house import HALF_HOUR_S
from .processes import Children, python
from .progress import until
from .statement import points_text

CABLE = "cable"  # the program, and its log
SERIAL, NAME, VEHICLE = "CWC-000011", "Dora's cable", "WVWZZZE1ZNP000011"
LATITUDE, LONGITUDE = 47.66, 9.17  # at the house
GIVES_W = 1_800
PAID_S = 15  # after the last interval was settled
DOUBTED = {"withheld", "void"}


@dataclass(frozen=True, slots=True)
class Earned:
    """What the cable's periods came to, and what stands in the two statements so far, in micro-points."""

    periods: Sequence[dict[str, Any]]
    driver_micro: int
    host_micro: int


async def arrive(children: Children, interval_seconds: int, socket: dict[str, object]) -> CableRemote:
    """Start the cable, and plug it in at a wall: nothing flows until somebody says so."""
    speed = HALF_HOUR_S // interval_seconds
    who = ["--serial", SERIAL, "--user", DRIVER, "--vehicle", VEHICLE, "--speed", str(speed)]
    child = await children.start(CABLE, python("demo", "cable", *who), talks=True)
    cable = CableRemote(child.process)
    await cable.meet()
    await cable.order("place", latitude=LATITUDE, longitude=LONGITUDE)
    await cable.order("steer", set_point_w=0)
    await cable.order("plug", **socket)
    return cable


async def register(operator: Operator, cable: CableRemote) -> None:
    """Tell the cloud whose it is; a record it has signed shows that the key is the cable's."""
    said = cable.description
    body = {"cable": SERIAL, "name": NAME, "public_key": said["public_key"], "ocmf": said["record"]}
    await operator.post(f"/owners/{DRIVER}/cables", body)


async def device(cable: CableRemote) -> dict[str, object]:
    """Return how it is added to the site, as a device of the house is."""
    shown = await cable.order("show")
    told = {"name": NAME, "owner": DRIVER, "kind": "cable", "unit": 1}
    return told | {"rated_power_w": cable.description["rated_power_w"], "host": shown["host"], "port": shown["port"]}


async def earned(operator: Operator, start: int, end: int) -> Earned:
    """Wait until the first reward is in the driver's statement; return all there is of these intervals."""
    found = Earned((), 0, 0)

    async def paid() -> bool:
        nonlocal found
        listed = (await operator.get("/v2g/periods", cable=SERIAL))["periods"]
        periods = [item for item in listed if time_text(start) <= item["start"] < time_text(end)]
        driver, host = [await operator.statement(owner, start, end + HALF_HOUR_S) for owner in (DRIVER, MAIN_OWNER)]
        found = Earned(periods, driver.moved_micro("v2g-reward"), host.moved_micro("v2g-host"))
        final = [item for item in periods if item["state"] == "final"]
        return len(final) > len(periods) - LOOK_BACK - 1 and found.driver_micro == sum(map(_reward_micro, final)) != 0

    await until(paid, PAID_S, f"no reward of {NAME} is in {DRIVER_NAME}'s statement")
    return found


def earned_lines(found: Earned) -> list[str]:
    """Return what the cable earned, in words; a period that somebody doubts is an error here, where nobody steals."""
    doubted = [item for item in found.periods if item["verdict"] == "mismatch" or item["state"] in DOUBTED]
    if doubted:
        raise DemoError(f"{NAME} is doubted, and nobody steals here: {doubted}")
    waiting_micro = sum(_reward_micro(item) for item in found.periods if item["state"] == "pending")
    given_wh = -sum(item["energy_wh"] for item in found.periods)
    waits = f"{points_text(waiting_micro)} wait until {LOOK_BACK} intervals more have passed without doubt"
    host = OWNERS[MAIN_OWNER]
    return [
        f"{NAME} signed that it gave {given_wh} Wh to {host}'s house in {len(found.periods)} intervals.",
        f"  {DRIVER_NAME} has earned {points_text(found.driver_micro)}, and {waits}.",
        f"  {host} has {points_text(found.host_micro)} for it: the bill is what it would be without the cable.",
    ]


def _reward_micro(period: dict[str, Any]) -> int:
    base_micro: int = BASE_MICRO if period["connected"] else 0
    return base_micro - PRICE_MICRO_PER_WH * int(period["energy_wh"])
