"""What the stories of V2G cables stand on: small homes with a socket for visitors, and cables as programs.

A home is a real Modbus meter, a tap that measures everything else behind it, and a socket whose flow the meter shows,
or not: its host may divert it. A cable is `python -m demo cable`, with a key that no test ever sees. Half an hour
passes in an interval, as in the other stories, so energy flows as many times as fast.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
import time
from types import MappingProxyType
from typing import Any

from homeassistant.config_entries import ConfigEntry, ConfigEntryState, ConfigSubentry
from homeassistant.core import HomeAssistant
from homeassistant.helpers import issue_registry as ir

from custom_components.commonwatt.site import next_tap_id
from demo.cable_remote import CableRemote
from demo.cloud import Operator, time_text
from demo.devices import DeviceServer, PressedClock
from demo.house import HALF_HOUR_S, Device, Register, Registers
from demo.wall_socket import WallSocket

from .conftest import INTERVAL_SECONDS, Cloud, boundary_after, pair, until
from .stores import rows_of
from .test_devices import add_modbus, entity_id_of, until_shown

USES_WH = 800  # what a home takes in an interval beside its visitors
GIVES_W = 2_000
GIVES_WH = GIVES_W * HALF_HOUR_S // 3600  # in an interval
WHOLE_WH = GIVES_WH - 2  # both ends are whole Wh
METER, REST, CABLE = "T1", "T2", "T3"
HOME = (47.66, 9.17)
NOTICED_S = 2.0
QUIET_S = 1.5  # after a boundary: a step right at it is read into both intervals
READ_S = 1.3  # after it a site has read its devices once more


@dataclass(eq=False)
class Home:
    """A host's home: what is wired in it, and the site that measures it."""

    hass: HomeAssistant
    cloud: Cloud
    name: str
    owner: str
    place: tuple[float, float] | None = None
    socket: WallSocket = field(default_factory=WallSocket)
    meter: DeviceServer = field(init=False)
    rest: DeviceServer = field(init=False)
    entry: ConfigEntry[Any] = field(init=False)
    happened: list[str] = field(default_factory=list)

    @property
    def site(self) -> str:
        """Return the site's id."""
        return str(self.entry.data["site"])

    async def start(self) -> None:
        """Let everything listen, pair the site, and add what measures."""
        clock = PressedClock(INTERVAL_SECONDS, begins_at=boundary_after(time.time()) - INTERVAL_SECONDS)
        uses = Registers(Register((0, USES_WH)), Register((0, 0)))
        meter = Device(f"{self.name}-meter", "Meter", self.owner, f"M-{self.name}", 17_250, main=True)
        rest = Device(f"{self.name}-rest", "Rest", self.owner, f"R-{self.name}", 17_250)
        self.meter, self.rest = DeviceServer(meter, uses, clock), DeviceServer(rest, uses, clock)
        self.meter.below = [self.socket.shown]
        for part in (self.meter, self.rest, self.socket):
            await part.start()
        if self.place is not None:
            self.hass.config.latitude, self.hass.config.longitude = self.place
        self.entry = await pair(
            self.hass, self.cloud, owner=self.owner, name=self.name, send_place=self.place is not None
        )
        await add_modbus(self.hass, self.entry, "meter", self.meter.endpoint, "commonwatt_tap", owner=self.owner)
        await add_modbus(
            self.hass, self.entry, "tap", self.rest.endpoint, "commonwatt_tap", owner=self.owner, upstream=METER
        )

    async def stop(self) -> None:
        """End it; the socket last, so that no cable is cut off before its site looks away."""
        if hasattr(self, "entry") and self.entry.state is ConfigEntryState.LOADED:
            await self.hass.config_entries.async_unload(self.entry.entry_id)
        for part in (self.meter, self.rest, self.socket):
            await part.stop()

    async def plug_in(self, cable: CableRemote, *, set_point_w: int = 0) -> dict[str, Any]:
        """Plug a cable in at its socket; return what the cable shows."""
        endpoint = self.socket.endpoint
        await cable.order("steer", set_point_w=set_point_w)
        return await cable.order("plug", host=endpoint.host, port=endpoint.port)

    async def pull_out(self, cable: CableRemote) -> dict[str, Any]:
        """Pull a cable out once the site has read it as it is, and until it has seen that; return what it shows."""
        await asyncio.sleep(READ_S)
        out = await cable.order("unplug")
        await until_shown(self.hass, self.entry, (CABLE, "number", "set_point"), "unavailable")
        return out

    async def add_cable(self, cable: CableRemote) -> None:
        """Add a cable that is plugged in, by the dialogue of a person."""
        shown = await cable.order("show")
        endpoint = type(self.meter.endpoint)(shown["host"], shown["port"])
        await add_modbus(self.hass, self.entry, "cable", endpoint, "commonwatt_cable", owner=self.owner, upstream=METER)
        self._listen()

    async def meet(self, cable: CableRemote, other: Home) -> None:
        """Add a cable that another site knows, as the dialogue would: it lets one Home Assistant have it but once."""
        shown = await cable.order("show")
        known = next(item for item in other.entry.subentries.values() if item.data["tap"] == CABLE)
        where = {"host": shown["host"], "port": shown["port"]}
        data = {**known.data, "tap": next_tap_id(self.entry), "source": {**known.data["source"], **where}}
        added = ConfigSubentry(
            data=MappingProxyType(data | {"owner": self.owner}),
            subentry_type="cable",
            title=known.title,
            unique_id=data["tap"],
        )
        self.hass.config_entries.async_add_subentry(self.entry, added)
        await self.hass.async_block_till_done()
        self._listen()

    def _listen(self) -> None:
        self.entry.runtime_data.visits.listen(CABLE, lambda what, _about: self.happened.append(what))

    def repair(self, kind: str, tap: str = CABLE) -> ir.IssueEntry | None:
        """Return what a person is asked to look at of a cable."""
        return ir.async_get(self.hass).async_get_issue("commonwatt", f"{kind}_{self.entry.entry_id}_{tap}")

    def shown(self, key: str, platform: str = "sensor", tap: str = CABLE) -> str:
        """Return what Home Assistant shows of the cable."""
        state = self.hass.states.get(entity_id_of(self.hass, self.entry, (tap, platform, key)))
        assert state is not None
        return state.state

    async def until_shown(self, key: str, expected: str, *, tap: str = CABLE, patience_s: float = 15) -> None:
        """Wait until Home Assistant shows this of the cable."""

        async def found() -> bool | None:
            return self.shown(key, tap=tap) == expected or None

        await until(found, f"{key} of {self.name} is not {expected}", patience_s)


@asynccontextmanager
async def home(
    hass: HomeAssistant, cloud: Cloud, name: str, *, owner: str = "anna", place: tuple[float, float] | None = None
) -> AsyncIterator[Home]:
    """Run a home."""
    running = Home(hass, cloud, name, owner, place)
    try:
        await running.start()
        yield running
    finally:
        await running.stop()


async def register(operator: Operator, cable: CableRemote, owner: str = "dora") -> None:
    """Register a cable for its driver, with the record that shows that its key is its own."""
    said = cable.description
    proof = {"public_key": said["public_key"], "ocmf": said["record"]}
    await operator.post(f"/owners/{owner}/cables", {"cable": cable.serial, "name": f"Cable {cable.serial}"} | proof)


async def until_cable(cable: CableRemote, what: str, patience_s: float = 20, **expected: object) -> dict[str, Any]:
    """Wait until a cable shows all of this."""

    async def found() -> dict[str, Any] | None:
        shown = await cable.order("show")
        return shown if shown.items() >= expected.items() else None

    return await until(found, what, patience_s)


def judged(cloud: Cloud, site: str, cable: str | None = None) -> list[dict[str, Any]]:
    """Return the second judgement of a site's periods, oldest first."""
    query = "SELECT * FROM judged_period WHERE site = ? ORDER BY start, cable"
    return [row for row in rows_of(cloud.database, query, site) if cable is None or row["cable"] == cable]


async def until_judged(
    cloud: Cloud,
    site: str,
    what: str,
    *,
    patience_s: float = 30,
    count: int = 1,
    least_wh: int = 1,
    **expected: object,
) -> list[dict[str, Any]]:
    """Wait until so many periods of a site are judged like this; `least_wh` is what has moved in them, either way."""

    async def found() -> list[dict[str, Any]] | None:
        rows = [row for row in judged(cloud, site) if abs(row["energy_wh"]) >= least_wh]
        rows = [row for row in rows if row.items() >= expected.items()]
        return rows if len(rows) >= count else None

    return await until(found, what, patience_s)


async def taught(homes: Sequence[Home]) -> None:
    """Wait until an interval in which no visitor moved anything has taught each site what else is behind its meter."""
    await asyncio.sleep(boundary_after(time.time()) + INTERVAL_SECONDS + QUIET_S - time.time())
    assert all(home.meter.shown().power_w for home in homes)


async def until_flagged(cloud: Cloud, site: str, patience_s: float = 30) -> dict[str, Any]:
    """Wait until a site has lost its permission; return the flag."""

    async def found() -> dict[str, Any] | None:
        rows = rows_of(cloud.database, "SELECT * FROM site_flag WHERE site = ? ORDER BY number DESC LIMIT 1", site)
        return rows[0] if rows and rows[0]["permission"] != "allowed" else None

    return await until(found, "the site is not flagged", patience_s)


async def assert_stopped_at_once(cable: CableRemote, permission: str = "denied") -> None:
    """Check that a cable is told within two seconds from now, and gives nothing any more."""
    shown = await until_cable(cable, "it was not told in time", NOTICED_S, permission=permission)
    assert shown["power_w"] == 0


async def provider_of(cloud: Cloud) -> Operator:
    """Return the session of the power provider, whose client the operator makes."""
    made = await cloud.operator.post("/clients", {"scope": "provider", "name": "The grid"})
    return Operator(cloud.session, cloud.url, (made["client_id"], made["client_secret"]), "")


async def provider_read(provider: Operator, host: Home, start: int, net_wh: int) -> None:
    """Tell what the provider's own meter has counted at a site's supply point."""
    reading: dict[str, Any] = {"site": host.site, "start": time_text(start), "seconds": INTERVAL_SECONDS}
    reading |= {"import_wh": max(net_wh, 0), "export_wh": max(-net_wh, 0)}
    await provider.ask("POST", "/v1/provider/readings", json={"readings": [reading]})
