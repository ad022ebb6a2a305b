"""Gathers events until they are written down together: who was let in and what was sent need no transaction each. Pure.

Equal events are one with a count. What a crash takes is a second of them; of messages and readings it takes nothing.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from cloud.hub.events.event import Event

KINDS_MAX = 5000  # different events that wait; beyond, only those that wait already are counted on


@dataclass(slots=True)
class Log:
    """Events that wait to be written down."""

    _waiting: dict[tuple[str, str, str, str], Event] = field(default_factory=dict)

    def add(self, event: Event) -> None:
        """Keep an event, or count it with its like."""
        key = (event.community, event.kind, event.who, event.detail_text() or "")
        if (before := self._waiting.get(key)) is not None:
            self._waiting[key] = replace(before, count=before.count + event.count)
        elif len(self._waiting) < KINDS_MAX:
            self._waiting[key] = event

    def taken(self) -> dict[str, list[Event]]:
        """Take out what waits, by community."""
        found = defaultdict[str, list[Event]](list)
        for event in self._waiting.values():
            found[event.community].append(event)
        self._waiting.clear()
        return dict(found)

    def back(self, events: Sequence[Event]) -> None:
        """Put back what could not be written."""
        for event in events:
            self.add(event)
