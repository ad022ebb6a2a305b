"""Trouble with the outbox, told once and until it is over: meanwhile the pump advances nothing, and loses nothing."""

from homeassistant.core import HomeAssistant, callback

from .const import LOGGER
from .errors import OutboxError
from .issues import clear_issue, raise_issue


class OutboxTrouble:
    """Says of one site whether its outbox fails."""

    def __init__(self, hass: HomeAssistant, entry_id: str, name: str) -> None:
        """Begin without trouble."""
        self._hass = hass
        self._entry_id = entry_id
        self._name = name
        self._there = False

    @callback
    def begins(self, error: OutboxError) -> None:
        """Tell the log once, and a person for as long as it lasts."""
        if not self._there:
            LOGGER.error("%s: the outbox failed, nothing is lost yet: %s", self._name, error.detail)
        self._there = True
        raise_issue(self._hass, self._entry_id, "outbox_failed", {"error": error.detail})

    @callback
    def over(self) -> None:
        """Tell that it works."""
        self._there = False
        clear_issue(self._hass, self._entry_id, "outbox_failed")
