"""One line of the hub's event log. Pure."""

from dataclasses import dataclass, field
from typing import Literal

from cloud.wire import to_bytes

DETAIL_LETTERS_MAX = 2000

type Kind = Literal[
    "registered",  # a device changed its initial password for its unique one
    "device-changed",  # made, imported, changed, given a new password, revoked: by whom stands in `who`
    "auth-success",
    "auth-failure",
    "locked",
    "receipt",  # bytes arrived; `count` of them
    "save",  # readings are kept; `count` of them
    "format-error",  # bytes or rows that could not be read
    "refused",  # rows that could be read and are not believed: another device's, from the future
    "format-changed",
    "source-changed",  # a maker's cloud: made, changed, paused, resumed, removed
    "request",  # we asked a maker's cloud, or an upper system asked us
    "pull-failed",
    "extract",  # readings were picked for somebody; `count` of them
    "send",  # and handed out, as was an answer or a notice
    "clock-off",
    "clock-right",
    "out-of-tolerance",
    "in-tolerance",
    "policy-changed",  # for how long what is kept
    "reach-changed",  # how far an upper system sees
    "online",  # as a device says of itself, or the MQTT broker when it was lost
    "offline",
    "not-at-broker",  # a device that may log in, of whose password the MQTT broker was never told
    "price-taken",  # a tariff took over `count` prices of a market
    "price-corrected",  # a market said something else of `count` intervals whose prices stand
    "purged",  # what the policy no longer keeps was let go; `count` rows
]


@dataclass(frozen=True, slots=True)
class Event:
    """What happened, when (milliseconds since 1970), to or through whom, how much of it, and what a person may ask.

    `community` is "" where none is known: a stranger at the door. `who` is a device, client or part of the hub by id.
    `detail` is plain JSON data and never holds a secret.
    """

    community: str
    at_ms: int
    kind: Kind
    who: str
    device: str | None = None
    count: int = 1
    detail: dict[str, str | int | None] = field(default_factory=dict)

    def detail_text(self) -> str | None:
        """Return the detail as it is kept."""
        return to_bytes(self.detail).decode()[:DETAIL_LETTERS_MAX] if self.detail else None
