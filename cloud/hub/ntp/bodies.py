"""What is answered about our own clock."""

from cloud.endpoint import Body
from cloud.hub.clocks.clock import OwnState


class ServerItem(Body):
    """A time server: what it said last, or why it said nothing, and when it is asked next (null: never again)."""

    server: str
    offset_ms: int | None
    delay_ms: int | None
    stratum: int | None
    why: str | None
    due_at: str | None


class OwnClockAnswer(Body):
    """Our own clock: `offset_ms` is what is to be added to its time to have the server's."""

    state: OwnState
    offset_ms: int | None
    delay_ms: int | None
    stratum: int | None
    server: str | None
    measured_at: str | None
    why: str | None
    servers: list[ServerItem]
