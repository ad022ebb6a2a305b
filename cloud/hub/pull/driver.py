"""A pull driver as a value, one round of one source, and the ways a round can fail. Pure."""

from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from cloud.endpoint import Body
from cloud.errors import CommonwattError

type Reason = Literal[
    "unreachable",  # no connection, or it broke
    "too-slow",
    "too-large",  # an answer
    "too-many",  # requests, pages or bytes without an end
    "answered",  # a status that is none of success
    "asked-to-wait",  # 429 or 503
    "refused",  # the maker's cloud does not know our credentials: nobody asks again until a person has looked
    "redirected",  # to where nobody is asked to go
    "not-allowed",  # a URL this cloud does not call
    "unreadable",  # an answer that does not say what the description expects
    "not-set",  # a secret that the description needs
    "lease-lost",  # another process reads this source by now
    "broken",  # the driver itself
]


class PullFailed(CommonwattError):  # noqa: N818 - said of a round, not an error of ours
    """A round ends here; `why` is read by people and holds no secret, `wait_seconds` is what the other side asks."""

    def __init__(self, reason: Reason, why: str, wait_seconds: int | None = None) -> None:
        """Keep what the source's state is made of."""
        super().__init__(f"{reason}: {why}")
        self.reason: Reason = reason
        self.why = why
        self.wait_seconds = wait_seconds


@dataclass(frozen=True, slots=True)
class Answer:
    """What a server answered: `sent_ms` is its own clock when it did, where it tells; `received_ms` is ours."""

    status: int
    headers: Mapping[str, str]
    raw: bytes = field(repr=False)
    received_ms: int
    sent_ms: int | None = None


class Ask(Protocol):
    """Calls a server, bounded in bytes, seconds and number; raises PullFailed, and returns whatever status comes."""

    async def __call__(
        self, method: str, url: str, *, headers: Mapping[str, str] | None = None, body: bytes | None = None
    ) -> Answer:
        """Return the answer."""


@dataclass(frozen=True, slots=True)
class Pulled:
    """Bytes to be taken in: the format code that holds where they name none, and the maker's device they are about."""

    raw: bytes = field(repr=False)
    received_ms: int
    hint: str | None = None
    sent_ms: int | None = None
    device: str | None = None  # by the maker's name; None: the bytes name their devices, or there is one


@dataclass(slots=True)
class Round:
    """One pull of one source.

    What was yielded is durable when the driver goes on, so it sets `state` (JSON data) only after that: a round that
    ends early goes on from there. `more` asks for the next round at once. `kept` holds what the driver was given
    meanwhile (tokens), `keep` makes it durable: a token that replaces another is kept before it is used.
    """

    description: Any
    secrets: Mapping[str, str] = field(repr=False)
    kept: Mapping[str, str] = field(repr=False)
    state: Mapping[str, Any]
    names: tuple[str, ...]  # of the devices, as the maker calls them
    now_ms: int
    ask: Ask
    store: Callable[[Mapping[str, str]], Awaitable[None]]
    more: bool = False

    async def keep(self, **values: str) -> None:
        """Make values durable, beside what was kept before."""
        kept = {**self.kept, **values}
        await self.store(kept)
        self.kept = kept

    def secret(self, name: str) -> str:
        """Return a secret that staff has set."""
        if not (value := self.secrets.get(name)):
            raise PullFailed("not-set", f"the secret {name!r} is not set")
        return value


@dataclass(frozen=True, slots=True)
class Driver:
    """A way to read makers' clouds.

    `description` is what staff writes, `secrets_of` names the secrets such a description needs, `fault_of` says what
    is wrong with one beyond its form (None: nothing; the flag lets our own network be called), and `per_minute` how
    often it lets a server be asked.
    """

    name: str
    about: str
    description: type[Body]
    pull: Callable[[Round], AsyncGenerator[Pulled]]
    secrets_of: Callable[[Any], frozenset[str]] = lambda _: frozenset()
    fault_of: Callable[[Any, bool], str | None] = lambda _, __: None
    per_minute: Callable[[Any], int] = lambda _: 60
