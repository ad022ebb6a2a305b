"""Repairs of adopted entities: what is wrong with one for good is told with the tap's name, until it is mended."""

from collections.abc import Mapping
from typing import get_args

from homeassistant.core import CoreState, HomeAssistant, callback
from homeassistant.util import dt as dt_util

from .devices.adopted import AdoptedDevice, Fault, FaultKind
from .devices.port import Device
from .issues import show_issue
from .site import TapConfig

# A template that is reloaded, or an integration that starts anew, is gone for a moment only.
PATIENCE_S = 60


class AdoptedIssues:
    """Looks at the adopted entities of a site after every poll."""

    def __init__(
        self, hass: HomeAssistant, entry_id: str, taps: Mapping[str, TapConfig], devices: Mapping[str, Device]
    ) -> None:
        """Take the taps and what stands at them."""
        self._hass = hass
        self._entry_id = entry_id
        self._names = {tap: config.name for tap, config in taps.items()}
        self._devices = {tap: device for tap, device in devices.items() if isinstance(device, AdoptedDevice)}
        self._since: dict[tuple[str, Fault], float] = {}
        self._shown: frozenset[tuple[str, Fault]] | None = None

    @callback
    def async_look(self) -> None:
        """Show what has been wrong for a while, and nothing else; at the start entities are still on their way."""
        now = dt_util.utcnow().timestamp()
        found = [(tap, fault) for tap, device in self._devices.items() for fault in device.faults()]
        self._since = {item: self._since.get(item, now) for item in found if self._hass.state is CoreState.running}
        lasting = frozenset(item for item, since in self._since.items() if now - since >= PATIENCE_S)
        if lasting == self._shown:
            return
        self._shown = lasting
        for kind in get_args(FaultKind.__value__):
            taps = sorted(f"{self._names[tap]} ({fault.entity})" for tap, fault in lasting if fault.kind == kind)
            show_issue(self._hass, self._entry_id, kind, taps)
