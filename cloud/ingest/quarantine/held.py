"""What a person looks at before deciding on a site: batches that are not settled, and how its quarantine ended."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class HeldBatch:
    """A batch that is stored and not settled, and why.

    `contradicts` is the hash of the batch kept under the same number, where this one says something else.
    """

    epoch: int
    seq: int
    hash: str
    reason: str
    received_ms: int
    due_at: int | None
    contradicts: str | None

    @property
    def place(self) -> str:
        """Where it stands in the list: what the next page comes after."""
        return f"{self.epoch}.{self.seq}.{self.hash}"


def place_of(text: str) -> tuple[int, int, str]:
    """Return epoch, number and hash of a place; the empty text stands before all."""
    epoch, seq, digest = text.split(".") if text else ("0", "0", "")
    return int(epoch), int(seq), digest


@dataclass(frozen=True, slots=True)
class Lift:
    """A quarantine that ended: since when and why it was, when it was lifted, by which client and with what note."""

    quarantined_at: int
    reason: str
    lifted_at: int
    lifted_by: str
    note: str


type NotLifted = Literal["no-site", "not-quarantined"]
