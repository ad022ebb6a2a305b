"""Mirrors a community: fetches what is new, verifies it, keeps it, signs the roots that follow, stops at a lie."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
import logging

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from cloud.database import Database
from cloud.errors import Unavailable
from cloud.ledger.chain import START, Head
from cloud.ledger.root.day import UNSEALED, Sealed
from cloud.principal import CloudKey
from cloud.wire import WireError, compact_parts, from_base64url, thumbprint, time_text
from cloud.wire.root import DayRoot, parse_root

from . import store
from .client import CloudReader
from .copy import Copied, Rewritten, differs, follow, judge_root, shorter

LOGGER = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class InStep:
    """The copy is the cloud's ledger: how far it reaches, what came with this turn, how many roots we signed now."""

    head: Head
    added: int
    roots: int
    signed: int

    def __str__(self) -> str:
        """Say it in one line."""
        return (
            f"in step: {self.head.number} entries ({self.added} new), {self.roots} roots ({self.signed} signed now), "
            f"head {self.head.hash}"
        )


class Mirror:
    """One community's mirror. What the cloud told first stands; told otherwise later, nothing is kept or signed."""

    def __init__(self, database: Database, cloud: CloudReader, key: CloudKey, community: str) -> None:
        """Take the mirror's own file, the way to the cloud, and the mirror's own key."""
        self._database = database
        self._cloud = cloud
        self._key = key
        self._community = community

    async def turn(self, cloud_key: str | None = None, *, full: bool = False) -> InStep | Rewritten:
        """Come in step with the cloud once; `full` compares every entry kept, not only those that are new.

        `cloud_key` is the key that the cloud must sign with: given, or learnt by the first turn and held to for ever.
        """
        await self._database.write(store.make_tables)
        said_key, signed = await self._cloud.roots()
        pinned = await self._pin(cloud_key, said_key)
        if pinned != said_key:
            return Rewritten("the cloud's key", said_key, pinned)
        if full and (found := await self._compare()) is not None:
            return found
        before = await self._database.read(store.head)
        head = await self._copy_new(before)
        if isinstance(head, Rewritten):
            # the break shows where the new meets the old; which of the old was rewritten, only comparing tells
            return await self._compare() or head
        sealed = await self._take_roots(signed, pinned)
        if isinstance(sealed, Rewritten):
            return await self._compare() or sealed
        made = await self._countersign()
        return InStep(head, head.number - before.number, len(signed), made)

    async def _pin(self, given: str | None, said: str) -> str:
        known = await self._database.read(store.source)
        if known is None:
            await self._database.write(store.set_source, self._community, given or said)
            return given or said
        community, pinned = known
        if community != self._community:
            raise Unavailable(f"this file mirrors {community}; give {self._community} a file of its own")
        if given is not None and given != pinned:
            raise Unavailable(f"this file was begun with the cloud's key {pinned}, not {given}")
        return pinned

    async def _copy_new(self, head: Head) -> Head | Rewritten:
        while True:
            page = await self._cloud.entries(head.number)
            if (found := shorter(head, page.head)) is not None:
                return found
            after = follow(page.entries, head)
            if isinstance(after, Rewritten):
                return after
            await self._database.write(store.keep, page.entries)
            if page.more and after == head:
                return Rewritten("the newest entry", f"number {page.head.number}, and does not give it", "given")
            head = after
            if not page.more:
                if head != page.head:
                    return Rewritten("the head of the chain", page.head.hash, head.hash)
                return head

    async def _compare(self) -> Rewritten | None:
        """Hold every entry that the cloud tells now against what it told when we kept it."""
        ours, at = await self._database.read(store.head), START.number
        while at < ours.number:
            page = await self._cloud.entries(at)
            told = {copied.link.number: copied for copied in page.entries}
            last = min(max(told, default=at), ours.number)
            if last <= at:
                return Rewritten(f"entry {at + 1}", "nothing", "the entry that was there")
            for kept in await self._database.read(store.entries_between, self._community, at + 1, last):
                if (found := _compared(kept, told.get(kept.link.number))) is not None:
                    return found
            at = last
        return None

    async def _take_roots(self, signed: list[str], cloud_key: str) -> Sealed | Rewritten:
        kept = await self._database.read(store.roots)
        sealed: Sealed = UNSEALED
        for place, (day, was, _) in enumerate(kept):
            now = signed[place] if place < len(signed) else None
            if now != was:
                return Rewritten(f"root of {time_text(day)}", now or "nothing", was)
        for place, text in enumerate(signed):
            root = _believed(text, cloud_key)
            if isinstance(root, Rewritten):
                return root
            marks = await self._database.read(store.marks, root.first, root.last)
            judged = judge_root(root, self._community, marks, sealed)
            if isinstance(judged, Rewritten):
                return judged
            sealed = judged
            if place >= len(kept):
                await self._database.write(store.keep_root, root.day, text)
        return sealed

    async def _countersign(self) -> int:
        made = 0
        for day, signed, ours in await self._database.read(store.roots):
            if ours is None:
                countersigned = self._key.sign_compact(compact_parts(signed)[1])
                await self._cloud.countersign(day, self._key.public_key, countersigned)
                await self._database.write(store.note_countersigned, day, countersigned)
                made += 1
        return made


def _compared(kept: Copied, told: Copied | None) -> Rewritten | None:
    if told is None:
        return Rewritten(f"entry {kept.link.number}", "nothing", "the entry that was there")
    return differs(kept, told)


def _believed(signed: str, cloud_key: str) -> DayRoot | Rewritten:
    """Return a root that the cloud's own key signed."""
    try:
        kid, payload, raw, proof = compact_parts(signed)
        Ed25519PublicKey.from_public_bytes(from_base64url(cloud_key, "cloud_key")).verify(proof, raw)
        root = parse_root(payload)
    except (WireError, InvalidSignature, ValueError) as error:
        return Rewritten("a root", f"{signed[:60]}… ({type(error).__name__})", f"signed by {cloud_key}")
    if kid != thumbprint(cloud_key):
        return Rewritten(f"root of {time_text(root.day)}, kid", kid, thumbprint(cloud_key))
    return root


async def follow_for_ever(
    mirror: Mirror, cloud_key: str | None, every_s: float, told: Callable[[InStep], None]
) -> Rewritten:
    """Take turns until the cloud rewrites its history, which this returns; a cloud out of reach is asked again."""
    failing = False
    while True:
        try:
            outcome = await mirror.turn(cloud_key)
        except Unavailable as error:
            if not failing:
                LOGGER.warning("the cloud cannot be mirrored now: %s", error)
            failing = True
        else:
            if isinstance(outcome, Rewritten):
                return outcome
            failing = False
            told(outcome)
        await asyncio.sleep(every_s)
