"""The records a cable signs are kept in the outbox before they count as fetched, and ride along to the cloud."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial

from homeassistant.util import dt as dt_util

from .const import LOGGER
from .devices.cable import CableDevice
from .devices.port import Device
from .errors import OutboxError
from .periods import CablePeriods
from .store import Store
from .wire import Standing


class RecordShelf:
    """Keeps the records of one cable, by its id."""

    def __init__(
        self,
        store: Store,
        cable: str,
        standing: Callable[[str], Standing | None],
        holds: Callable[[], bool],
        nudge: Callable[[], None],
    ) -> None:
        """Take the outbox, what the cloud says of a cable and whether that is news, and what wakes the link."""
        self._store = store
        self._cable = cable
        self._standing = standing
        self._holds = holds
        self._nudge = nudge
        self._full = False

    @property
    def waits(self) -> bool:
        """Whether the cloud has not said yet which records it has."""
        return self._standing(self._cable) is None

    @property
    def held(self) -> bool:
        """Whether the cable may have been elsewhere since the cloud said which records it has."""
        return self._holds()

    @property
    def after(self) -> int | None:
        """The number of the newest record that the cloud has; None while it does not know the cable."""
        standing = self._standing(self._cable)
        return None if standing is None or standing.public_key is None else standing.last_number

    async def async_keep(self, texts: Sequence[str], through: int) -> bool:
        """Keep records durably; on False the mailbox is asked for them again."""
        try:
            kept = await self._store.run(
                self._store.outbox.keep_records, self._cable, texts, through, int(dt_util.utcnow().timestamp())
            )
        except OutboxError as error:
            LOGGER.debug("Records of cable %s wait: the outbox failed: %s", self._cable, error)  # the pump tells it
            return False
        if kept == self._full:
            LOGGER.info(
                "Records of cable %s %s",
                self._cable,
                "are kept again" if kept else "wait in it: too many are to be sent",
            )
        self._full = not kept
        if kept and texts:
            self._nudge()
        return kept


async def async_shelve(
    store: Store,
    devices: Mapping[str, Device],
    periods: CablePeriods,
    nudge: Callable[[], None],
    holds: Callable[[str], bool],
) -> None:
    """Keep the records of every cable of a site that has a cloud; `periods` must know who tells what it says.

    `holds` tells whether the records of the cable at a tap must wait. Raises OutboxError.
    """
    for tap, cable in periods.named.items():
        device = devices[tap]
        if isinstance(device, CableDevice):
            through = await store.run(store.outbox.records_through, cable)
            shelf = RecordShelf(store, cable, periods.standing, partial(holds, tap), nudge)
            device.keep_on(shelf, through)
