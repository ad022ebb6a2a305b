"""Pulls once without keeping anything, to show what would be kept; only new tokens are kept, since old ones end."""

from dataclasses import replace
from typing import Literal

from cloud.database import Database
from cloud.hub.messages.job import Intake
from cloud.hub.messages.message import Arrived
from cloud.hub.pull.driver import Pulled
from cloud.hub.sources.rounds import store
from cloud.hub.sources.rounds.job import Puller
from cloud.hub.sources.rounds.taking import sender_of
from cloud.hub.sources.source import Outcome, Source
from cloud.hub.sources.store import source_of, spoken_for, states_of

from .tried import TriedMessage, judged, would_be_made

TRIAL_SECONDS_MAX = 30  # somebody waits for the answer
MESSAGES_MAX = 3  # enough to see whether the description holds, and whether the pages follow


class Trial:
    """Looks at what one round of a source yields, and keeps nothing."""

    def __init__(self, database: Database, intake: Intake, source: Source) -> None:
        """Begin with nothing seen."""
        self._database = database
        self._intake = intake
        self._source = source
        self.devices: dict[str, str] = {}
        self.seen: list[TriedMessage] = []

    @property
    def messages(self) -> int:
        """How many answers were seen."""
        return len(self.seen)

    async def prepare(self) -> None:
        """Learn which devices there are, and which of them the maker means by which names."""
        community = self._source.community
        self.devices = await self._database.read(spoken_for, community, self._source.source)
        self._states = await self._database.read(states_of, community, set(self.devices.values()))

    async def take(self, pulled: Pulled) -> bool:
        """See what an answer would become; False: that is enough."""
        parsed, faults = await self._intake.parsed(pulled.raw, pulled.received_ms, pulled.hint)
        sender = sender_of(self._source, self.devices, pulled)
        item = Arrived(sender, "pull", pulled.received_ms, pulled.raw, parsed, faults, pulled.sent_ms)
        made = would_be_made(self._source, item)
        self.devices = self.devices | made
        for device in made.values():
            self._states.setdefault((self._source.community, device), "active")
        item = replace(item, sender=sender_of(self._source, self.devices, pulled))
        self.seen.append(judged(item, pulled, made, self._states))
        return len(self.seen) < MESSAGES_MAX


async def tried(
    puller: Puller, community: str, source: str, now: int
) -> tuple[Outcome, Trial] | Literal["no-source", "busy"]:
    """Pull once, whether the source is due, paused or refused, and note nothing of it."""
    leased = await puller.database.write(store.lease, community, source, now, TRIAL_SECONDS_MAX + 10, whatever=True)
    if leased is None:
        found = await puller.database.read(source_of, community, source)
        return "no-source" if found is None else "busy"
    trial = Trial(puller.database, puller.intake, leased)
    try:
        return await puller.read(leased, trial, TRIAL_SECONDS_MAX), trial
    finally:
        await puller.database.write(store.release, leased)
