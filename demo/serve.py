"""The house as a process of its own: prints where its devices listen, then serves them until it is told to stop."""

import asyncio
from collections.abc import Mapping
import json
import signal
import sys
import time

from .devices import House, PressedClock
from .house import DEVICES, MAIN_METER, load_house
from .listening import Endpoint
from .orders import lines
from .steered_server import SteeredServer, furnish
from .wall_socket import WallSocket

HOUSE_BEGIN = "begin"
SOCKET = "visitor"  # the socket at which a cable may be plugged in
STEERED_NAMES = {"charger": "Car port", "battery": "Home battery"}


def next_boundary(now: float, interval_seconds: int) -> int:
    """Return the first interval boundary (seconds UTC) after `now`."""
    return (int(now) // interval_seconds + 1) * interval_seconds


def wired(house: House) -> WallSocket:
    """Return a socket behind the house's main meter, which measures what a cable in it takes and gives."""
    socket, main = WallSocket(), house.devices[MAIN_METER.key]
    main.below = [*main.below, socket.shown]
    return socket


async def serve_house(interval_seconds: int, wait: bool) -> int:
    """Serve all devices until SIGINT or SIGTERM.

    With `wait`, registers stand still until the line `begin <seconds UTC>` comes on standard input, and the house ends
    with whoever holds the other end of it. Without, the house begins at the next interval boundary.
    """
    clock = PressedClock(interval_seconds)
    house = House(load_house(), clock)
    ended = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, ended.set)
    await house.start()
    steered, socket = furnish(house), wired(house)
    for server in steered.values():
        await server.start()
    await socket.start()
    orders = asyncio.create_task(_follow_orders(clock, ended)) if wait else None
    if not wait:
        clock.begins_at = next_boundary(time.time(), interval_seconds)
    sockets = {SOCKET: {"host": socket.endpoint.host, "port": socket.endpoint.port}}
    print(json.dumps(_description(house) | {"steered": _steered(steered), "sockets": sockets}), flush=True)
    await ended.wait()
    if orders is not None:
        orders.cancel()
    await socket.stop()
    for server in steered.values():
        await server.stop()
    await house.stop()
    return 0


def _description(house: House) -> dict[str, object]:
    endpoints = house.endpoints
    return {
        "interval_seconds": house.clock.interval_seconds,
        "begins_at": house.clock.begins_at,
        "devices": {
            device.key: {
                "name": device.name,
                "owner": device.owner,
                "serial": device.serial,
                "rated_power_w": device.rated_power_w,
                "kind": "meter" if device.main else "tap",
                **_where(endpoints[device.key]),
            }
            for device in DEVICES
        },
    }


def _steered(servers: Mapping[str, SteeredServer]) -> dict[str, object]:
    return {
        key: {
            "name": STEERED_NAMES[key],
            "owner": "anna",
            "serial": server.device.serial,
            "rated_power_w": server.device.rated_power_w,
            "kind": server.device.kind.name.lower(),
            **_where(server.endpoint),
        }
        for key, server in servers.items()
    }


def _where(endpoint: Endpoint) -> dict[str, object]:
    return {"host": endpoint.host, "port": endpoint.port, "unit": endpoint.unit}


async def _follow_orders(clock: PressedClock, ended: asyncio.Event) -> None:
    """Take `begin` from standard input; its end is the end of the house."""
    async for line in lines():
        match line.split():
            case [word, seconds] if word == HOUSE_BEGIN and seconds.isdecimal():
                clock.begins_at = int(seconds)
            case words:
                print(f"not understood: {' '.join(words)}", file=sys.stderr, flush=True)
    ended.set()
