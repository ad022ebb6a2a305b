"""The chain of entries: each is hashed together with the hash before it, so that no row changes unseen."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from cloud.wire import GENESIS, VERSION, digest, time_text, to_bytes

from .posting import Entry, Posting, fault_of


@dataclass(frozen=True, slots=True)
class Head:
    """Where a community's chain stands: the number of its newest entry and that entry's hash."""

    number: int
    hash: str


START = Head(0, GENESIS)


@dataclass(frozen=True, slots=True)
class Link:
    """An entry in its place, as it stands in the store: not trusted to be sound."""

    number: int
    prev_hash: str
    hash: str
    community: str
    cause: str
    valued_at: int
    made_at: int
    evidence: str
    postings: tuple[Posting, ...]


@dataclass(frozen=True, slots=True)
class Broken:
    """The first link that does not hold, and what is wrong with it."""

    number: int
    reason: Literal["number", "prev_hash", "hash", "postings"]


def link(entry: Entry, head: Head) -> Link:
    """Return the entry as the link after `head`."""
    number = head.number + 1
    return Link(
        number=number,
        prev_hash=head.hash,
        hash=_hash(entry, number, head.hash),
        community=entry.community,
        cause=entry.cause,
        valued_at=entry.valued_at,
        made_at=entry.made_at,
        evidence=entry.evidence,
        postings=entry.postings,
    )


def verify(links: Iterable[Link], head: Head = START) -> Head | Broken:
    """Recompute every hash from `head` on; return the new head, or the first link that does not hold."""
    for item in links:
        if item.number != head.number + 1:
            return Broken(item.number, "number")
        if item.prev_hash != head.hash:
            return Broken(item.number, "prev_hash")
        if item.hash != hash_of(item):
            return Broken(item.number, "hash")
        if fault_of(item.postings) is not None:
            return Broken(item.number, "postings")
        head = Head(item.number, item.hash)
    return head


def hash_of(item: Link) -> str:
    """Return the hash a link must have, by what stands in it."""
    return _hash(item, item.number, item.prev_hash)


def _hash(entry: Entry | Link, number: int, prev_hash: str) -> str:
    """Return the SHA-256 of the canonical bytes of an entry, its place and its postings."""
    plain = {
        "v": VERSION,
        "community": entry.community,
        "number": number,
        "prev_hash": prev_hash,
        "cause": entry.cause,
        "valued_at": time_text(entry.valued_at),
        "made_at": time_text(entry.made_at),
        "evidence": entry.evidence,
        "postings": [[posting.account, posting.amount_micro] for posting in entry.postings],
    }
    return digest(to_bytes(plain))
