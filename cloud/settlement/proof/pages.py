"""Where a page of a statement ends, so that one answer is never too large: always between two instants."""

from collections.abc import Sequence
from dataclasses import dataclass

LINES_MAX = 2000  # in one page; a line is some 400 bytes
PROOF_BYTES_MAX = 800 * 1024  # of a page with proof: lines, entries and documents; readers bound an answer at 1 MiB
DOCUMENT_BYTES_MAX = 600 * 1024  # a larger one is left out, which is told: it comes with the whole ledger only
ENTRY_BYTES = 2200  # a line with its entry, path and signatures, at most, beside the document


@dataclass(frozen=True, slots=True)
class Weight:
    """An entry on the owner's account: when it is valued, and how large its documents are as they are sent."""

    at: int
    document_bytes: int


def end_of(start: int, end: int, seconds: int, weights: Sequence[Weight], *, proof: bool) -> int:
    """Return where the page that begins at `start` ends; `weights` in order of time. It holds one instant at least."""
    page_end = min(end, start + LINES_MAX * seconds)
    size = 0
    for place, weight in enumerate(weights):
        if weight.at >= page_end:
            break
        document_bytes = weight.document_bytes if weight.document_bytes <= DOCUMENT_BYTES_MAX else 0
        size += ENTRY_BYTES + document_bytes
        full = place >= LINES_MAX or (proof and size > PROOF_BYTES_MAX)
        if full and weight.at > max(start, weights[0].at):
            return weight.at
    return page_end
