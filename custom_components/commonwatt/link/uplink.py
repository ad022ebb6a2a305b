"""The uplink: keeps site and cloud in step for ever, whatever the network does in between."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
import logging
import random
import time
from typing import Literal, Protocol

from ..errors import BadSignature, CloudRefused, CloudUnreachable, CommonwattError, NotAuthorised
from ..wire import Notice, Settings, WireError, parse_notice
from .client import CloudClient
from .errands import Errands
from .kept import SealedBatch
from .outbox import Outbox
from .signing import verify_compact

_LOGGER = logging.getLogger(__name__)

WAIT_S_MIN, WAIT_S_MAX = 1, 512
POLL_S = 60  # for notices, while the socket cannot be had
TREE_TRIES_MAX = 1000
REFUSED_FOR_GOOD = frozenset({"malformed", "signature-refused", "equivocation", "chain-broken", "body-too-large"})
NOTICE_SETTINGS = "settings"

type LinkStatus = Literal["connected", "disconnected", "unauthorised"]


class Runner(Protocol):
    """Runs a blocking call of the outbox in the one thread that owns it."""

    def __call__[*Args, T](self, call: Callable[[*Args], T], /, *args: *Args) -> Awaitable[T]:
        """Return the call's outcome."""


@dataclass(frozen=True, slots=True)
class LinkState:
    """How the link stands: the cloud's clock minus ours, the last error's words, the last batch refused for good."""

    status: LinkStatus = "disconnected"
    clock_offset_ms: int | None = None
    error: str | None = None
    refused: str | None = None


def full_jitter(failures: int) -> float:
    """Return how long to wait, in s, after so many failures in a row: any time up to 1, 2, 4 … 512 s.

    So a thousand sites that lost the same cloud do not come back in the same second.
    """
    return random.uniform(0, min(WAIT_S_MAX, WAIT_S_MIN * 2 ** min(failures - 1, 10)))  # noqa: S311 no secret


class Uplink:
    """settings → head → trees → batches → notices, again and again; `run` ends only when no longer authorised."""

    def __init__(
        self,
        client: CloudClient,
        outbox: Outbox,
        run: Runner,
        *,
        on_state: Callable[[LinkState], None],
        on_settings: Callable[[Settings], None],
        on_notice: Callable[[Notice], None],
        errands: Errands | None = None,
        wait_s: Callable[[int], float] = full_jitter,
        poll_s: float = POLL_S,
    ) -> None:
        self._client = client
        self._outbox = outbox
        self._run = run
        self._on_state = on_state
        self._on_settings = on_settings
        self._on_notice = on_notice
        self._errands = errands or Errands()
        self._wait_s = wait_s
        self._poll_s = poll_s
        self._state = LinkState()
        self._settings: Settings | None = None
        self._news = asyncio.Event()
        self._failures = 0

    def nudge(self) -> None:
        """Wake the uplink: there is something new to send."""
        self._news.set()

    async def run(self) -> None:
        """Work until cancelled, or until the cloud no longer knows this site (status `unauthorised`)."""
        while True:
            retry_after_s: float | None = None
            try:
                await self._converse()
            except NotAuthorised as error:
                _LOGGER.warning("The cloud no longer knows this site: %s", error)
                self._tell(replace(self._state, status="unauthorised", error=str(error)))
                return
            except CommonwattError as error:
                retry_after_s = error.retry_after_s if isinstance(error, (CloudUnreachable, CloudRefused)) else None
                self._lost(str(error))
            except Exception as error:
                _LOGGER.exception("The link failed")
                self._lost(repr(error))
            self._failures += 1
            await self._rest(retry_after_s)

    async def _converse(self) -> None:
        """Get in step, then send, listen and run errands side by side until one of them fails."""
        await self._fetch_settings()
        await self._meet()
        await self._run(self._outbox.prune, _now())
        self._tell(replace(self._state, status="connected", error=None))
        work = (self._bring(), self._hear(), self._errands.run(self._client))
        tasks = {asyncio.create_task(each) for each in work}
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_EXCEPTION)
            for task in done:
                task.result()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _rest(self, retry_after_s: float | None) -> None:
        """Wait before the next try. News cut it short, unless the cloud said for how long to leave it alone."""
        self._news.clear()
        if retry_after_s is not None:
            await asyncio.sleep(retry_after_s + self._wait_s(1))
            return
        try:
            async with asyncio.timeout(self._wait_s(self._failures)):
                await self._news.wait()
        except TimeoutError:
            return

    async def _fetch_settings(self) -> None:
        settings = await self._client.settings()
        if settings != self._settings:
            await self._run(self._outbox.keep_settings, settings)
            self._settings = settings
            self._on_settings(settings)
            self._news.set()  # a tree may be taken now that was refused for its owners

    async def _meet(self) -> None:
        await self._run(self._outbox.meet, await self._client.head())

    async def _bring(self) -> None:
        """Bring what waits, trees before what was measured under them, then wait for news; for ever."""
        while True:
            self._news.clear()
            await self._bring_trees()
            await self._bring_batches()
            if await self._run(self._outbox.must_meet):
                await self._meet()
            if self._failures:
                _LOGGER.info("In step with the cloud again")
            self._failures = 0
            await self._news.wait()

    async def _bring_trees(self) -> None:
        for _ in range(TREE_TRIES_MAX):
            tree = await self._run(self._outbox.unsent_tree)
            if tree is None:
                return
            try:
                await self._client.put_tree(tree)
            except NotAuthorised:
                raise
            except CloudRefused as error:
                if not await self._renumbered(tree.rev, error):
                    return
            else:
                await self._run(self._outbox.mark_tree, tree.rev)
                self._tell(replace(self._state, error=None))

    async def _renumbered(self, rev: int, error: CloudRefused) -> bool:
        """Come to the cloud's count of trees; False if it refuses this one for what it is, or for now."""
        match error.problem_type:
            case "tree-conflict":
                await self._run(self._outbox.shift_tree, rev)
                return True
            case "tree-revision" if await self._run(self._outbox.resend_tree, rev - 1):
                return True
        if error.status not in (400, 409, 422):
            raise error
        words = f"The cloud refuses tree {rev}: {error}"
        if self._state.error != words:
            _LOGGER.warning(words)
        await self._run(self._outbox.refuse_tree, rev)
        self._tell(replace(self._state, error=words))
        return False

    async def _bring_batches(self) -> None:
        while True:
            await self._run(self._outbox.seal, self._client.site, _now(), self._client.key.sign)
            batch = await self._run(self._outbox.next_batch)
            if batch is None:
                return
            await self._bring_batch(batch)

    async def _bring_batch(self, batch: SealedBatch) -> None:
        """Send one batch. Refused for good it is set aside, so that it holds up no other."""
        try:
            answer = await self._client.send(batch)
        except NotAuthorised:
            raise
        except CloudRefused as error:
            if error.problem_type not in REFUSED_FOR_GOOD and error.status != 413:
                raise
            _LOGGER.warning("The cloud refuses batch %s/%s for good: %s", batch.epoch, batch.seq, error)
            await self._run(self._outbox.set_aside, batch.epoch, batch.seq, str(error))
            self._tell(replace(self._state, refused=f"{batch.epoch}/{batch.seq}: {error}"))
            return
        await self._run(self._outbox.mark, answer)
        if answer.result == "held":
            _LOGGER.info("The cloud holds batch %s/%s back: %s", batch.epoch, batch.seq, answer.reason)
        self._tell(replace(self._state, clock_offset_ms=self._client.clock_offset_ms))

    async def _hear(self) -> None:
        """Take notices as they come; while there is no socket, ask for them."""
        while True:
            opened = time.monotonic()
            try:
                async with self._client.socket() as socket:
                    async for token in socket:
                        if (notice_id := await self._take(token)) is not None:
                            await socket.acknowledge(notice_id)
            except CloudUnreachable as error:
                _LOGGER.debug("Asking for notices instead: %s", error)
            for token in await self._client.notices():
                if (notice_id := await self._take(token)) is not None:
                    await self._client.acknowledge(notice_id)
            if time.monotonic() - opened < self._poll_s:
                await asyncio.sleep(self._poll_s)

    async def _take(self, token: str) -> str | None:
        """Do what a notice brings, once; return its id if it need not come again."""
        try:
            notice = parse_notice(verify_compact(self._client.cloud_key, token))
        except (BadSignature, WireError) as error:
            _LOGGER.warning("A notice is not believed: %s", error)
            return None
        if notice.site != self._client.site:
            _LOGGER.warning("A notice is meant for site %s", notice.site)
            return None
        if notice.expires_at <= _now():
            _LOGGER.info("Notice %s (%s) came too late", notice.id, notice.kind)
        elif await self._run(self._outbox.accept_notice, notice):
            self._on_notice(notice)
            if notice.kind == NOTICE_SETTINGS:
                await self._fetch_settings()
        return notice.id

    def _lost(self, error: str) -> None:
        if self._failures == 0:
            _LOGGER.warning("Out of step with the cloud: %s", error)
        self._tell(replace(self._state, status="disconnected", error=error))

    def _tell(self, state: LinkState) -> None:
        if state != self._state:
            self._state = state
            self._on_state(state)


def _now() -> int:
    return int(time.time())
