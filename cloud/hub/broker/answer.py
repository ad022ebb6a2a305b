"""What a device hears about a message it sent: the bytes on its topics for answers and for its clock. Pure."""

from dataclasses import asdict
from typing import Literal

from cloud.hub.clocks.clock import Notice
from cloud.hub.messages.message import Taken
from cloud.hub.messages.outcome import plain_faults
from cloud.wire import BODY_BYTES_MAX, to_bytes

type No = Literal["too-large", "too-many", "internal"]

WHY: dict[No, str] = {
    "too-large": f"a message has at most {BODY_BYTES_MAX} bytes; nothing of it was kept",
    "too-many": "too many messages; nothing of this one was kept, send it again later and put more readings into each",
    "internal": "the hub made a mistake with this message and did not keep it",
}


def taken_answer(taken: Taken) -> bytes:
    """Return what is said of a message that is kept, in the words of the answer to a push.

    `not-taken`: its bytes are kept, and nothing in them could be.
    """
    some = taken.stored or taken.existed or taken.revised
    return to_bytes(
        {
            "result": "taken" if some or not taken.faults else "not-taken",
            "message": taken.message,
            "stored": taken.stored,
            "existed": taken.existed,
            "revised": taken.revised,
            "fault_count": len(taken.faults),
            "faults": plain_faults(taken.faults),
            "clock": None if taken.notice is None else asdict(taken.notice),
        }
    )


def clock_answer(notice: Notice, at_ms: int) -> bytes | None:
    """Return what a device is told of its clock and our own time; None where it has nothing to do."""
    return None if notice.order is None else to_bytes(asdict(notice) | {"at_ms": at_ms})


def refused_answer(no: No) -> bytes:
    """Return what is said of a message of which nothing was kept."""
    return to_bytes({"result": "refused", "reason": no, "why": WHY[no]})
