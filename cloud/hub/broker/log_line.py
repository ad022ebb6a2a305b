"""Reads the broker's own log: who was let in, that somebody was not, and that it had to drop messages. Pure.

Mosquitto 2.0 does not say whom it refused, and a connected client chooses its own client id, which stands in the
middle of the line. So only the end of a line is believed, which the broker writes itself; and no end at all of a line
so long that the broker has cut it off: it may end within the id.
"""

from dataclasses import dataclass
import re
from typing import Literal

from cloud.wire.strict import IDENTIFIER

LOG = "$SYS/broker/log/N"  # notices
LINE_BYTES_MAX = 900  # Mosquitto 2.0 cuts off after 999

LET_IN = re.compile(
    r"\d+: New client connected from (?P<address>[0-9A-Fa-f.:]{2,45}) as .*"
    r" \(p\d+, c\d, k\d+, u'(?P<user>[^']*)'\)\.",
    re.DOTALL,
)
KEPT_OUT = re.compile(r"\d+: Client <unknown> disconnected, not authorised\.")
DROPPED = re.compile(r"\d+: Outgoing messages are being dropped for client (?P<client>.*)\.", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Line:
    """What a line of the broker's log tells; `who` is the user let in, or the client whose messages were dropped."""

    told: Literal["let-in", "kept-out", "dropped"]
    who: str | None = None
    address: str | None = None


def told_by(raw: bytes) -> Line | None:
    """Return what a line tells; None for lines about anything else."""
    if len(raw) > LINE_BYTES_MAX:
        return None
    text = raw.decode(errors="replace")
    if found := LET_IN.fullmatch(text):
        user = found["user"]
        return Line("let-in", user, found["address"].rpartition(":")[0]) if IDENTIFIER.fullmatch(user) else None
    if KEPT_OUT.fullmatch(text):
        return Line("kept-out")
    if found := DROPPED.fullmatch(text):
        return Line("dropped", found["client"])
    return None
