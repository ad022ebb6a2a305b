"""A V2G cable as a program of its own: its key is made in it, and no order and no answer ever carries it out.

Orders come as JSON, one a line, and each is answered by a line that says what the cable shows:

    {"do": "plug", "host": "127.0.0.1", "port": 40001}    into a socket in a wall; from then on Modbus answers
    {"do": "unplug"}                                      out of it
    {"do": "car", "plugged": false}                       the car's end; "energy_wh" puts another car behind it
    {"do": "steer", "set_point_w": -2000}                 as its driver, by hand
    {"do": "place", "latitude": 47.66, "longitude": 9.17} where its receiver thinks it is
    {"do": "speed", "speed": 180}                         how many times as fast as in a house its energy flows
    {"do": "record", "number": 1}                         a record it signed
    {"do": "show"}
"""

import asyncio
from collections.abc import Mapping
import json
import signal
import time
from typing import Any, override

from pymodbus.constants import ExcCodes

from .announce import Announcement
from .options import CableOptions
from .orders import lines
from .register_map import Kind
from .steered import Permission, Steered
from .steered_server import SteeredServer
from .wall_socket import Plug, Told, machine_ms

MILLIONTHS = 1_000_000


class WrongOrderError(Exception):
    """An order that cannot be carried out; the text says why."""


class SteadyClock:
    """The time of day that never turns back: what a cable signs, it signs once."""

    def __init__(self) -> None:
        self._offset_ms = int(time.time() * 1000) - machine_ms()

    def __call__(self) -> int:
        """Return ms since 1970."""
        return machine_ms() + self._offset_ms


class Cable(SteeredServer):
    """One cable: what is asked over Modbus, what is ordered by hand, and the socket it is plugged in at."""

    def __init__(self, options: CableOptions) -> None:
        self._clock, self._asked_port = SteadyClock(), options.port
        device = Steered(
            kind=Kind.CABLE,
            serial=options.serial,
            now_ms=self._clock(),
            user=options.user,
            vehicle=options.vehicle,
            capacity_wh=options.capacity_wh,
            energy_wh=options.energy_wh,
            speed=options.speed,
            plugged=False,
            permission=Permission.CHARGE_ONLY,
        )
        device.prove()
        super().__init__(device, self._clock, options.port)
        self._car = True
        self._ports: dict[tuple[str, int], int] = {}  # in each house it is in another network
        self._plug = Plug(self._carried, self._lost)
        self._announcement = Announcement(options.name) if options.announce else None
        self._leaving: asyncio.Task[None] | None = None

    def description(self) -> dict[str, Any]:
        """Return what it is called, and the key to believe."""
        signed = self.device.signed
        return {
            "serial": self.device.serial,
            "kind": "cable",
            "rated_power_w": self.device.rated_power_w,
            "public_key": signed.public_key.hex(),
            "record": signed.record(1),
        }

    async def obey(self, order: Mapping[str, Any]) -> dict[str, Any]:
        """Carry out an order; say what the cable shows after it."""
        self.shown()
        match order:
            case {"do": "plug", "host": str(host), "port": int(port)} if 0 < port < 65_536:
                await self._put_in(host, port)
            case {"do": "unplug"}:
                await self.leave()
            case {"do": "car"}:
                self._change_car(order)
            case {"do": "steer", "set_point_w": int(set_point_w)} if abs(set_point_w) <= self.device.rated_power_w:
                self.device.set_point_w = set_point_w
                self.device.heard()
            case {"do": "place", "latitude": int() | float() as north, "longitude": int() | float() as east} if (
                abs(north) <= 90 and abs(east) <= 180
            ):
                self.device.place = round(north * MILLIONTHS), round(east * MILLIONTHS)
            case {"do": "speed", "speed": int(speed)} if speed > 0:
                self.device.speed = speed
            case {"do": "record", "number": int(number)}:
                return {"record": self.device.signed.record(number)}
            case {"do": "show"}:
                pass
            case _:
                raise WrongOrderError(f"not understood: {json.dumps(dict(order))}")
        self._plug.tell()
        return self.state()

    def state(self) -> dict[str, Any]:
        """Return what it shows now."""
        device = self.device
        import_wh, export_wh = device.registers_wh
        return {
            "plugged": device.plugged,
            "in_socket": self._plug.plugged,
            "import_wh": import_wh,
            "export_wh": export_wh,
            "power_w": device.power_w,
            "state": device.state.name.lower(),
            "permission": device.permission.name.lower(),
            "agreement": device.agreement,
            "charge": device.charge,
            "set_point_w": device.set_point_w,
            "soc_permille": device.soc_permille,
            "site": device.site,
            "period_seconds": device.interval_ms // 1000,
            "newest": device.signed.newest,
            **({"host": self.endpoint.host, "port": self.endpoint.port} if self._port else {}),
        }

    async def leave(self) -> None:
        """Come out of the socket: what was signed stays in the cable, and nobody reads it until the next one."""
        if not self._plug.plugged:
            return
        self.shown()
        self.device.plug(plugged=False)
        await self._plug.pull_out()
        if self._announcement is not None:
            await self._announcement.withdraw()
        await self.stop()

    async def _put_in(self, host: str, port: int) -> None:
        if self._plug.plugged:
            raise WrongOrderError("it is in a socket already")
        try:
            await self._plug.put_in(host, port)
        except OSError as error:
            raise WrongOrderError(f"there is no socket at {host}:{port} ({error})") from error
        self._port = self._ports.get((host, port), self._asked_port)
        self.device.plug(plugged=self._car)
        await self.start()
        self._ports[host, port] = self._port
        if self._announcement is not None:
            await self._announcement.make(self.endpoint, self.device.serial)

    def _change_car(self, order: Mapping[str, Any]) -> None:
        match order.get("plugged", self._car), order.get("energy_wh"):
            case bool(plugged), int() | None as energy_wh:
                self._car = plugged
                self.device.plug(plugged=plugged and self._plug.plugged)
                if energy_wh is not None:
                    self.device.store(energy_wh)
            case _:
                raise WrongOrderError("a car is plugged in or not, and holds whole Wh")

    def _carried(self) -> Told:
        at_ms = machine_ms()
        self.shown()
        return Told(at_ms, *self.device.carried_mws, self.device.power_w, self.device.speed)

    def _lost(self) -> None:
        self._leaving = asyncio.create_task(self.leave())

    @override
    def _command(self, address: int, written: list[int]) -> ExcCodes | None:
        wrong = super()._command(address, written)
        self._plug.tell()
        return wrong


async def serve_cable(options: CableOptions) -> int:
    """Serve a cable until SIGINT or SIGTERM, or until nobody is left to give it orders."""
    cable = Cable(options)
    ended = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, ended.set)
    _say(cable.description())
    following = asyncio.create_task(_follow(cable, ended))
    await ended.wait()
    following.cancel()
    await asyncio.gather(following, return_exceptions=True)
    await cable.leave()
    return 0


async def _follow(cable: Cable, ended: asyncio.Event) -> None:
    try:
        async for line in lines():
            try:
                _say(await cable.obey(_order(line)))
            except WrongOrderError as error:
                _say({"error": str(error)})
    finally:
        ended.set()


def _order(line: str) -> dict[str, Any]:
    try:
        order = json.loads(line)
    except ValueError:
        order = None
    if not isinstance(order, dict):
        raise WrongOrderError(f"not an order: {line.strip()}")
    return order


def _say(what: Mapping[str, Any]) -> None:
    print(json.dumps(what), flush=True)
