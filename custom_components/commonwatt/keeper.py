"""The register keeper: registers that are made here, from power or from counters that begin anew, survive a restart."""

from collections.abc import Mapping
from typing import Any

from homeassistant.core import CoreState, HomeAssistant, callback
from homeassistant.helpers.storage import Store

from .const import DOMAIN, LOGGER
from .devices.keeping import Keeping
from .devices.port import Device
from .link import KeptBoundary

VERSION = 1
SAVE_SECONDS_MAX = 60  # what a crash may cost of what only this machine counts

ENDED_IN_ORDER, TAPS = "ended_in_order", "taps"


class RegisterKeeper:
    """Writes down, for one site, what its devices cannot tell again: at most once a minute, and when the site ends."""

    def __init__(self, hass: HomeAssistant, entry_id: str) -> None:
        """Nothing is read before `async_open`."""
        self._hass = hass
        self._store = register_store(hass, entry_id)
        self._devices: Mapping[str, Keeping] = {}
        self._written: Mapping[str, Any] = {}
        self._due = False
        self._begun = False

    async def async_open(self, devices: Mapping[str, Device], boundaries: Mapping[str, KeptBoundary]) -> None:
        """Let the devices go on where they were: no register behind the boundary it had when it was closed last."""
        self._devices = {tap: device for tap, device in devices.items() if isinstance(device, Keeping)}
        stored = await self._store.async_load() or {}
        kept: Mapping[str, Any] = stored.get(TAPS, {})
        for tap, device in self._devices.items():
            boundary = boundaries.get(tap)
            floor_wh = None if boundary is None else (boundary.import_wh, boundary.export_wh)
            try:
                device.go_on_with(kept.get(tap), floor_wh)
            except (ValueError, KeyError, TypeError, AttributeError) as error:
                LOGGER.error(
                    "What was kept of the registers of %s cannot be read (%r); it goes on from here", tap, error
                )
                device.go_on_with(None, floor_wh)
        if stored and not stored.get(ENDED_IN_ORDER, False):
            _tell_lost([tap for tap in self._devices if devices[tap].integrated and (tap in kept or tap in boundaries)])
        self._written = {tap: kept[tap] for tap in devices if tap in kept}
        self._begun = bool(self._devices or stored)
        if self._begun:
            await self._store.async_save(self._document(ended=False))

    @callback
    def async_look(self) -> None:
        """Have what changed written down within a minute; called after every poll."""
        if not self._due and self._now() != self._written:
            self._due = True
            self._store.async_delay_save(self._taken, SAVE_SECONDS_MAX)

    async def async_close(self) -> None:
        """Write down how the registers stand in the end."""
        if self._begun:
            self._written = self._now()
            await self._store.async_save(self._document(ended=True))

    @callback
    def _taken(self) -> dict[str, Any]:
        """Return what is written now; a write that Home Assistant makes as it stops is the last one."""
        self._due = False
        self._written = self._now()
        return self._document(ended=self._hass.state in (CoreState.final_write, CoreState.stopped))

    def _document(self, *, ended: bool) -> dict[str, Any]:
        return {ENDED_IN_ORDER: ended, TAPS: dict(self._written)}

    def _now(self) -> dict[str, Any]:
        """Return what the devices would go on with; one that was not read yet keeps what it had."""
        told = {tap: device.kept() for tap, device in self._devices.items()}
        return dict(self._written) | {tap: kept for tap, kept in told.items() if kept is not None}


def _tell_lost(taps: list[str]) -> None:
    if taps:
        LOGGER.warning(
            "Home Assistant did not end in order: of the energy counted here at %s, up to the last %s s are lost",
            ", ".join(taps),
            SAVE_SECONDS_MAX,
        )


def register_store(hass: HomeAssistant, entry_id: str) -> Store[dict[str, Any]]:
    """Return where the registers of a site are written down; removed with the site."""
    return Store(hass, VERSION, f"{DOMAIN}.registers.{entry_id}", private=True, atomic_writes=True)
