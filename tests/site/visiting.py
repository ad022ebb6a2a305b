"""A site with a cable for the tests of visits: a real cable behind Modbus, a cloud that says what a test wants."""

from collections.abc import Callable
from dataclasses import dataclass, field
import time
from typing import Any

from freezegun.api import FrozenDateTimeFactory
from homeassistant.components.event import DOMAIN as EVENT
from homeassistant.core import Event, EventStateChangedData, HomeAssistant, callback
from homeassistant.helpers import issue_registry as ir
from homeassistant.helpers.event import async_track_state_change_event

from custom_components.commonwatt import wire
from custom_components.commonwatt.const import DOMAIN
from custom_components.commonwatt.guest import Guest
from demo.steered import Steered
from demo.steered_server import SteeredServer

from .fake_cloud import FakeCloud
from .house import MockConfigEntry, entity_id, site_of, value

TRIES = 500
SERIAL = "CWC-1"


@dataclass
class Scene:
    """A running site with one cable, T2, below its meter T1."""

    hass: HomeAssistant
    entry: MockConfigEntry
    cloud: FakeCloud
    server: SteeredServer
    clock: FrozenDateTimeFactory
    happened: list[tuple[str, dict[str, Any]]] = field(default_factory=list)

    @property
    def cable(self) -> Steered:
        """Return the cable itself."""
        return self.server.device

    @property
    def guest(self) -> Guest:
        """Return what the site knows of it."""
        guest: Guest = self.entry.runtime_data.visits.guests["T2"]
        return guest

    def shown(self, key: str, platform: str = "sensor") -> str:
        """Return the state of one of the cable's entities."""
        return value(self.hass, self.entry, f"T2_{key}", platform)

    def attributes(self, key: str) -> dict[str, Any]:
        """Return the attributes of one of its sensors."""
        state = self.hass.states.get(entity_id(self.hass, "sensor", self.entry, f"T2_{key}"))
        assert state is not None
        return dict(state.attributes)

    def issue(self, kind: str) -> ir.IssueEntry | None:
        """Return a repair about the cable."""
        return ir.async_get(self.hass).async_get_issue(DOMAIN, f"{kind}_{self.entry.entry_id}_T2")

    def follow(self) -> None:
        """Note what its event entity tells from now on."""

        @callback
        def heard(event: Event[EventStateChangedData]) -> None:
            new, old = event.data["new_state"], event.data["old_state"]
            if new is not None and "event_type" in new.attributes and (old is None or new.state != old.state):
                self.happened.append((new.attributes["event_type"], dict(new.attributes)))

        entity = entity_id(self.hass, EVENT, self.entry, "T2_visit")
        async_track_state_change_event(self.hass, [entity], heard)

    async def poll(self, seconds: float = 5) -> None:
        """Let a poll's time pass, and poll."""
        self.clock.tick(seconds)
        await site_of(self.entry).async_refresh()
        await self.hass.async_block_till_done()

    async def until(self, condition: Callable[[], object]) -> None:
        """Wait for something to become true; in real time, for the clock stands still."""
        for _ in range(TRIES):
            if condition():
                break
            await self.hass.async_add_executor_job(time.sleep, 0.01)
        assert condition()
        await self.hass.async_block_till_done()

    async def settle(self, condition: Callable[[], object]) -> None:
        """Poll until something is true."""
        for _ in range(20):
            await self.poll(1)
            for _ in range(20):
                if condition():
                    await self.hass.async_block_till_done()
                    return
                await self.hass.async_add_executor_job(time.sleep, 0.01)
        raise AssertionError("it never became true")

    async def tell(self, notice: str, permission: wire.Permission, cause: wire.Cause) -> None:
        """Let the cloud change what the cable may do, and say so."""
        change = wire.PermissionChange({SERIAL: (permission, cause)}, 30)
        await self.until(lambda: self.cloud.sockets)
        await self.cloud.tell(notice, "permission", change.plain())
