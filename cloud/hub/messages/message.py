"""What arrived at the hub, read: whose it is, by which way, and what it says. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from cloud.hub.clocks.clock import Notice
from cloud.hub.reading import FUTURE_MS_MAX, Reading

type Way = Literal["push", "mqtt", "pull", "upload"]


@dataclass(frozen=True, slots=True)
class Sender:
    """Who sent a message, and for which devices it may speak.

    `who` is the device itself, a source (a maker's cloud) or the client of a person. `devices` maps the names that may
    stand in the message to devices of the community; `default` is the one meant where the message names none.
    `format` is the code that holds where the data name none and nobody says which it is.
    """

    community: str
    who: str
    devices: Mapping[str, str]
    default: str | None = None
    format: str | None = None


@dataclass(frozen=True, slots=True)
class Fault:
    """A row (counted from 0) or, with None, a whole message that could not be taken; `where` says which part, `why`.

    `reason` is one of a small list of words that programs may rely on; `why` is for people.
    """

    row: int | None
    reason: str
    where: str
    why: str


@dataclass(frozen=True, slots=True)
class Parsed:
    """What a message says. `sent_ms` is the sender's own clock when it sent, if it tells.

    Readings name devices by the sender's own names, "" where the message names none. `rows` says of each reading in
    which row of the message it stands; left empty, nobody can tell. `ahead_ms` is how far ahead of its receipt it may
    tell of: a market's prices and a forecast are about times to come.
    """

    format: str
    version: int
    readings: tuple[Reading, ...]
    faults: tuple[Fault, ...] = ()
    sent_ms: int | None = None
    rows: tuple[int, ...] = ()
    ahead_ms: int = FUTURE_MS_MAX


@dataclass(frozen=True, slots=True)
class Arrived:
    """A message at the door of the store: its bytes, and what they say or why nobody can tell (`parsed` is None)."""

    sender: Sender
    way: Way
    received_ms: int
    raw: bytes
    parsed: Parsed | None
    faults: tuple[Fault, ...] = ()  # of the whole message, where `parsed` is None
    sent_ms: int | None = None  # the sender's own clock, from the transport or the message
    address: str | None = None
    hint: str | None = None  # the format its sender or its topic named
    waited: bool = False  # on its way, nobody knows how long: its sender's clock cannot be called late by it
    message: str | None = (
        None  # its id, if it was given one as it came: later ones are newer words, however long they take
    )


@dataclass(frozen=True, slots=True)
class Taken:
    """What became of a message: its id, how many readings are new, stood so already or correct others, and the faults.

    `offset_ms` is how far the sender's clock is ahead of ours, where it told its time; `notice` what it is told of it.
    """

    message: str
    stored: int
    existed: int
    revised: int
    faults: tuple[Fault, ...]
    offset_ms: int | None = None
    notice: Notice | None = None
