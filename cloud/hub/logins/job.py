"""The door for connected systems: their password is looked at with each request, and who came in or not is noted.

What is known of a login is kept at hand for a few seconds, so that a push costs no reading of the database; a
revocation by this process holds at once, by another one within that time.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Callable
import logging

from cloud.database import Database
from cloud.errors import NOT_AUTHORISED, TOO_MANY_TRIES, Refused
from cloud.hub.events.event import Event
from cloud.hub.events.store import add_events
from cloud.principal import CloudKey, Principal, Scope
from cloud.sites.access.pairing import counted_address

from .secret import PURPOSE, Shown, secret_opens, shown
from .store import Login, login_of, use_next
from .tally import WINDOW_MS, Tally, Wrong

KNOWN_MS = 4000  # how long a login is at hand: a revocation by another process holds within five seconds
LOGINS_KNOWN = 20_000  # a few hundred bytes each
TURN_SECONDS = 5

LOGGER = logging.getLogger(__name__)


class Doors:
    """The door of one process."""

    def __init__(self, database: Database, key: CloudKey) -> None:
        """Begin with nobody known."""
        self._database = database
        self._key = key.derive(PURPOSE)
        self._logins: OrderedDict[str, tuple[int, Login | None]] = OrderedDict()
        self._wrong = Wrong()
        self._tally = Tally()
        self._failing = False

    async def authenticate(self, header: str, address: str, at_ms: int) -> Principal:
        """Return the device that shows its unique password; raises Refused with the same words whatever is wrong."""
        address = counted_address(address)
        asked = shown(header)
        if asked is None:
            if header:
                self._tally.failed("", None, address, at_ms)
            raise Refused(NOT_AUTHORISED, "show a device's id and its unique password")
        if self._wrong.flooded(address, at_ms):
            self._tally.failed("", None, address, at_ms)
            raise self._locked(at_ms)
        login, fresh = await self._login(asked.device, at_ms)
        opened = await self._opened(login, asked, at_ms)
        if opened is None and not fresh:  # another process may have given it a new password meanwhile
            login = await self._read(asked.device, at_ms)
            opened = await self._opened(login, asked, at_ms)
        if opened is None:
            await self._refuse(login, asked, address, at_ms)
            raise Refused(NOT_AUTHORISED, "no device has this id and password")
        self._tally.succeeded(opened.community, opened.device, address, at_ms)
        return Principal(opened.device, Scope.DEVICE, opened.community, at_ms // 1000 + 1)

    def forget(self, device: str) -> None:
        """Look a device up anew: something about its login has changed."""
        self._logins.pop(device, None)

    async def run(self, clock_ms: Callable[[], int]) -> None:
        """Write for ever what was counted, and the rest at the end."""
        try:
            while True:
                await asyncio.sleep(TURN_SECONDS)
                await self.turn(clock_ms())
        finally:
            await self.turn(None)

    async def turn(self, now_ms: int | None) -> int:
        """Write what was counted for long enough, or with None all of it, one transaction a community."""
        written = 0
        for events in self._tally.taken(now_ms):
            try:
                await self._database.write(add_events, events)
            except Exception:
                self._tally.give_back(events)
                if not self._failing:
                    LOGGER.exception("the event log cannot be written, what was counted is kept")
                self._failing = True
            else:
                written += len(events)
                self._failing = False
        return written

    async def _login(self, device: str, at_ms: int) -> tuple[Login | None, bool]:
        """Return a device's login, and whether it was read just now."""
        known = self._logins.get(device)
        if known is not None and 0 <= at_ms - known[0] < KNOWN_MS:
            return known[1], False
        return await self._read(device, at_ms), True

    async def _read(self, device: str, at_ms: int) -> Login | None:
        login = await self._database.read(login_of, device)
        self._know(device, login, at_ms)
        return login

    def _know(self, device: str, login: Login | None, at_ms: int) -> None:
        self._logins[device] = at_ms, login
        self._logins.move_to_end(device)
        if len(self._logins) > LOGINS_KNOWN:
            self._logins.popitem(last=False)

    async def _opened(self, login: Login | None, asked: Shown, at_ms: int) -> Login | None:
        """Return the login that the password opens; the next password takes the place of the one before."""
        now_holds = secret_opens(login.secret_hmac if login else None, self._key, asked.device, asked.password)
        is_next = secret_opens(login.next_hmac if login else None, self._key, asked.device, asked.password)
        if login is None or login.revoked_at is not None or not (now_holds or is_next):
            return None
        if is_next:
            renewed = await self._database.write(use_next, login, at_ms)
            self._know(asked.device, renewed, at_ms)
            kept = renewed.secret_hmac if renewed else None
            return login if secret_opens(kept, self._key, asked.device, asked.password) else None
        return login

    async def _refuse(self, login: Login | None, asked: Shown, address: str, at_ms: int) -> None:
        """Count a wrong password; the first ones of an address are noted at once, further ones together."""
        community = "" if login is None else login.community
        verdict = self._wrong.counted(address, at_ms)
        if verdict == "many":
            self._tally.failed(community, asked.device, address, at_ms)
            raise self._locked(at_ms)
        detail: dict[str, str | int | None] = {"address": address, "with": "password"}
        event = Event(community, at_ms, "auth-failure", asked.device, asked.device, detail=detail)
        await self._database.write(add_events, [event])
        if verdict == "last":
            locked = Event("", at_ms, "locked", address, detail={"address": address, "seconds": WINDOW_MS // 1000})
            await self._database.write(add_events, [locked])

    def _locked(self, at_ms: int) -> Refused:
        wait_s = (WINDOW_MS - at_ms % WINDOW_MS) // 1000 + 1
        return Refused(TOO_MANY_TRIES, "too many wrong passwords from this address", retry_after_s=wait_s)
