"""Backups: while one is made, every outbox stands still as one whole file, and measuring goes on beside it."""

from collections.abc import AsyncIterator

from homeassistant.config_entries import ConfigEntryState
from homeassistant.core import HomeAssistant

from .const import DOMAIN, LOGGER
from .coordinator import CommonwattConfigEntry
from .errors import OutboxError
from .store import Store


async def async_pre_backup(hass: HomeAssistant) -> None:
    """Bring what every site measured into the file that is copied.

    An outbox that cannot do so stops no backup of the rest of the house: its own repair issue is there already, and
    the copy of both its files is as sound as they are.
    """
    async for title, store in _stores(hass):
        try:
            await store.run(store.outbox.rest)
        except OutboxError as error:
            LOGGER.error("%s: the backup may lack what was measured last: %s", title, error.detail)


async def async_post_backup(hass: HomeAssistant) -> None:
    """Let the files follow again."""
    async for title, store in _stores(hass):
        try:
            await store.run(store.outbox.resume)
        except OutboxError as error:
            LOGGER.error("%s: the outbox could not go on after the backup; it is opened anew: %s", title, error.detail)


async def _stores(hass: HomeAssistant) -> AsyncIterator[tuple[str, Store]]:
    """Yield title and outbox of every running site, none of which is closed meanwhile."""
    entries: list[CommonwattConfigEntry] = hass.config_entries.async_entries(DOMAIN)
    for entry in entries:
        async with entry.setup_lock:
            if entry.state is ConfigEntryState.LOADED:
                yield entry.title, entry.runtime_data.store
