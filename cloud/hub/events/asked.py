"""Which lines of the event log somebody asks for. Pure."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Asked:
    """Lines of one community ("": of none), where None is any; of a half-open time in milliseconds since 1970."""

    community: str
    kind: str | None = None
    device: str | None = None
    who: str | None = None
    start_ms: int | None = None
    end_ms: int | None = None


@dataclass(frozen=True, slots=True)
class KeptEvent:
    """A line as it is kept: its id, which grows as lines are added, and what happened. `detail` is JSON."""

    event: str
    at_ms: int
    kind: str
    who: str
    device: str | None
    count: int
    detail: str | None
