"""What is asked and answered about messages."""

from pydantic import Field

from cloud.endpoint import PAGE_MAX, Body, Query
from cloud.hub.clocks.bodies import NoticeItem

from .message import Way


class FormatQuery(Query):
    """The code of the format a message is in; left out, the message tells."""

    format: str | None = Field(default=None, pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$")


class MessagesQuery(Query):
    """A page of messages, oldest first; with `faults`, only those of which something could not be taken."""

    after: str = Field(default="", pattern=r"^[A-Za-z0-9_.-]{0,64}$")
    limit: int = Field(default=100, ge=1, le=PAGE_MAX)
    who: str | None = Field(default=None, max_length=64)
    faults: bool = False


class FaultItem(Body):
    """A row (from 0; null: the whole message) that was not taken: which part of it, a reason for programs, and why."""

    row: int | None
    reason: str
    where: str
    why: str


class TakenAnswer(Body):
    """What became of a message: new readings, such as stood already, corrections, and how many faults; the first ones.

    `clock` is there where the sender told its time.
    """

    message: str
    stored: int
    existed: int
    revised: int
    fault_count: int
    faults: list[FaultItem]
    clock: NoticeItem | None


class MessageItem(Body):
    """A message as it is kept, without its bytes."""

    message: str
    who: str
    device: str | None
    way: Way
    received_at_ms: int
    sent_at_ms: int | None
    format: str | None
    version: int | None
    hash: str
    bytes: int
    stored: int
    existed: int
    revised: int
    fault_count: int
    faults: list[FaultItem]


class MessagesAnswer(Body):
    """A page of messages."""

    messages: list[MessageItem]
    next: str | None


class MessageAnswer(MessageItem):
    """A message with its bytes in base64; null once the policy has let them go."""

    raw: str | None
