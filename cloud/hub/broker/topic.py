"""Which topic of the broker is for what: each device sends on its own, and hears on its own. Pure.

hub/{device}/readings             a message with readings
hub/{device}/readings/{format}    the same, and what format it is in
hub/{device}/status               online or offline, as a device's last will says
hub/{device}/answers              what became of a message
hub/{device}/clock                by how much the device's clock is to be corrected
"""

from dataclasses import dataclass

from cloud.wire.strict import IDENTIFIER

ROOT = "hub"
SHARED = "$share/commonwatt"  # several processes share what arrives: each message goes to one of them
INWARD = tuple(f"{SHARED}/{ROOT}/+/{what}" for what in ("readings", "readings/+", "status"))


@dataclass(frozen=True, slots=True)
class Inward:
    """Whose a message is by its topic, which the broker guards, and the format the topic names.

    `status`: it holds no readings, but whether the device is there.
    """

    device: str
    format: str | None = None
    status: bool = False


def inward(topic: str) -> Inward | None:
    """Return whose message stands on a topic; None for a topic on which nobody tells the hub anything."""
    match topic.split("/"):
        case [root, device, "status"] if root == ROOT and IDENTIFIER.fullmatch(device):
            return Inward(device, status=True)
        case [root, device, "readings", *rest] if root == ROOT and len(rest) <= 1:
            if all(IDENTIFIER.fullmatch(name) for name in (device, *rest)):
                return Inward(device, rest[0] if rest else None)
    return None


def answers_of(device: str) -> str:
    """Return where a device hears what became of its messages."""
    return f"{ROOT}/{device}/answers"


def clock_of(device: str) -> str:
    """Return where a device hears that its clock is off."""
    return f"{ROOT}/{device}/clock"
