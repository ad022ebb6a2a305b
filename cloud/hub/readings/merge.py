"""Which word on a measurement stands: that of the newest receipt, in whatever order and how often they come. Pure."""

from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from cloud.hub.reading import Timed

type Key = tuple[int, str, int, str, str, str]  # bucket, community, measured_ms, device, point, quantity
type Said = tuple[int, int, Timed]  # seconds, value, timed
type Row = tuple[Key, Said, str]  # and in which message it stands; plain, since one is made for every reading


@dataclass(frozen=True, slots=True)
class Standing:
    """What stands under a key, and the how manieth word it is."""

    said: Said
    revision: int
    message: str


@dataclass(frozen=True, slots=True)
class Counts:
    """How many readings of a message are new, stood so already (or were told newer since), or correct others."""

    stored: int = 0
    existed: int = 0
    revised: int = 0


@dataclass(frozen=True, slots=True)
class Merged:
    """What is to be written, and the counts by message."""

    counts: Mapping[str, Counts]
    missing: Sequence[Row] = ()  # to be inserted
    replaced: Sequence[tuple[Row, Standing]] = ()  # by which row, and what stood there
    revised: Mapping[Key, Standing] = field(default_factory=dict)  # what stands from now on

    @classmethod
    def all_new(cls, rows: Sequence[Row]) -> Merged:
        """Return what came out where every row is the first word on its key."""
        return cls(
            {message: Counts(stored=count) for message, count in Counter(message for *_, message in rows).items()}
        )


def merge(rows: Sequence[Row], standing: Mapping[Key, Standing], taken_before: Collection[str] = ()) -> Merged:
    """Judge rows in the order of their receipt against what stands; the greater id of a message is the newer word.

    A row of a message that was not `taken_before` and stands under that very message was inserted a moment ago: it is
    new. The same value and span again changes nothing, whoever's word the time is.
    """
    stands = dict(standing)
    found: defaultdict[str, Counter[str]] = defaultdict(Counter)
    missing: dict[Key, Row] = {}
    replaced: list[tuple[Row, Standing]] = []
    for row in rows:
        key, said, message = row
        stood = stands.get(key)
        if stood is None:
            missing[key], outcome = row, "stored"
            stands[key] = Standing(said, 0, message)
        elif stood.message == message and stood.said == said and message not in taken_before:
            outcome = "stored"
        elif stood.said[:2] == said[:2] or message < stood.message:
            outcome = "existed"
        else:
            outcome = "revised"
            replaced.append((row, stood))
            stands[key] = Standing(said, stood.revision + 1, message)
        found[message][outcome] += 1
    revised = {key: stands[key] for (key, *_), _ in replaced}
    counts = {message: Counts(**counted) for message, counted in found.items()}
    return Merged(counts, [*missing.values()], replaced, revised)
