"""A maker's cloud that is read on a schedule, as a value, and when it is read next. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
import json
import re
from typing import Any, Literal
from zlib import crc32

from cloud.hub.broker.seal import SealError, opened, seal
from cloud.hub.devices.device import DeviceKind as Kind
from cloud.hub.pull.driver import Reason

EVERY_SECONDS_MIN = 60
EVERY_SECONDS_MAX = 7 * 86_400
BACKOFF_SECONDS = 30  # after the first failure; it doubles, at most to an hour
BACKOFF_SECONDS_MAX = 3600
BACKOFF_DOUBLINGS_MAX = 7
SOURCES_MAX = 200  # of a community: as many makers as its people have
DEVICES_MAX = 5000  # of one source
PROBLEM_LETTERS_MAX = 300
SERVER = re.compile(r"https?://[^/?#]*", re.IGNORECASE)

type SourceState = Literal["active", "paused", "refused"]


@dataclass(frozen=True, slots=True)
class Source:
    """A maker's cloud of a community.

    `description` is what its driver reads. `secrets` and `kept` are sealed: what staff has set, of revision
    `secrets_rev`, and what the maker's cloud gave us meanwhile; `rev` counts what staff says of everything else.
    `new_kind` is the kind of the devices that are made for names nobody knows; None: such rows are faults. `progress`
    is how far its driver has come. Times are seconds.
    """

    community: str
    source: str
    driver: str
    name: str
    description: Mapping[str, Any]
    every_seconds: int
    new_kind: Kind | None = None
    state: SourceState = "active"
    secrets: bytes | None = field(default=None, repr=False)
    kept: bytes | None = field(default=None, repr=False)
    secrets_rev: int = 1
    rev: int = 1
    progress: Mapping[str, Any] = field(default_factory=dict)
    last_at: int | None = None
    next_at: int = 0
    failing_since: int | None = None
    failures: int = 0
    reason: Reason | None = None
    problem: str | None = None
    lease_epoch: int = 0
    lease_until: int = 0


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a round ended: how far it came, how often it asked, and what went wrong (None: nothing)."""

    progress: Mapping[str, Any]
    requests: int
    messages: int
    more: bool = False
    reason: Reason | None = None
    problem: str | None = None
    wait_seconds: int | None = None


@dataclass(frozen=True, slots=True)
class Next:
    """How a source stands after a round; `told`: the event log hears of it, since it was not failing before."""

    state: SourceState
    next_at: int
    failing_since: int | None
    failures: int
    told: bool


def after(source: Source, outcome: Outcome, now: int) -> Next:
    """Return how a source stands after a round that ended now."""
    if outcome.reason is None:
        pause = 0 if outcome.more else source.every_seconds
        return Next("active", max(now, min(source.next_at, now) + pause), None, 0, told=False)
    failures = source.failures + 1
    state: SourceState = "refused" if outcome.reason == "refused" else "active"
    pause = max(_backoff(source, failures), outcome.wait_seconds or 0)
    since = now if source.failing_since is None else source.failing_since
    return Next(state, now + pause, since, failures, told=source.reason != outcome.reason)


def _backoff(source: Source, failures: int) -> int:
    """Return how long to wait after so many failures; sources that failed together do not come back together."""
    doubled = min(BACKOFF_SECONDS << min(failures - 1, BACKOFF_DOUBLINGS_MAX), BACKOFF_SECONDS_MAX)
    spread = crc32(f"{source.community}/{source.source}/{failures}".encode()) % 1000
    return doubled * (500 + spread // 2) // 1000


def sealed(key: bytes, secrets: Mapping[str, str]) -> bytes | None:
    """Return secrets as they are stored; None where there is none."""
    return seal(key, json.dumps(dict(secrets))) if secrets else None


def secrets_in(key: bytes, raw: bytes | None) -> dict[str, str]:
    """Return what was sealed; nothing where it was sealed with a key that is gone, so that it must be set again."""
    if raw is None:
        return {}
    try:
        return {str(name): str(value) for name, value in json.loads(opened(key, raw)).items()}
    except SealError:
        return {}


def servers_of(said: Any) -> frozenset[str]:
    """Return the servers that a description names, wherever in it."""
    match said:
        case str():
            found = SERVER.match(said)
            return frozenset() if found is None else frozenset({found[0].lower()})
        case list():
            return frozenset().union(*map(servers_of, said))
        case Mapping():
            return frozenset().union(*map(servers_of, said.values()))
        case _:
            return frozenset()
