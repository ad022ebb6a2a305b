"""The chain of entries: each is hashed together with the hash before it, so that no row changes unseen."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from cloud.wire import GENESIS, digest, time_text, to_bytes

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
    salt: str | None = None


@dataclass(frozen=True, slots=True)
class Broken:
    """The first link that does not hold, and what is wrong with it."""

    number: int
    reason: Literal["number", "prev_hash", "hash", "postings"]


def link(entry: Entry, head: Head, salt: str | None = None) -> Link:
    """Return the entry as the link after `head`.

    The salt keeps who moved what out of reach of those who are shown the entry without its postings: their hash alone
    could be guessed, for there are few owners. Entries of the first version have none.
    """
    number = head.number + 1
    return Link(
        number=number,
        prev_hash=head.hash,
        hash=_hash(entry, number, head.hash, salt),
        community=entry.community,
        cause=entry.cause,
        valued_at=entry.valued_at,
        made_at=entry.made_at,
        evidence=entry.evidence,
        postings=entry.postings,
        salt=salt,
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
    return _hash(item, item.number, item.prev_hash, item.salt)


def postings_hash(postings: Sequence[Posting], salt: str) -> str:
    """Return the salted SHA-256 of the canonical bytes of an entry's postings."""
    return digest(to_bytes([salt, _plain(postings)]))


def public(item: Link) -> dict[str, Any]:
    """Return what anybody may see of a salted entry: whoever hashes its canonical bytes gets the entry's hash."""
    assert item.salt is not None
    return _public(item, item.number, item.prev_hash, item.salt)


def _hash(entry: Entry | Link, number: int, prev_hash: str, salt: str | None) -> str:
    """Return the SHA-256 of the canonical bytes of an entry, its place and its postings."""
    if salt is not None:
        return digest(to_bytes(_public(entry, number, prev_hash, salt)))
    return digest(to_bytes(_place(entry, number, prev_hash) | {"v": 1, "postings": _plain(entry.postings)}))


def _public(entry: Entry | Link, number: int, prev_hash: str, salt: str) -> dict[str, Any]:
    return _place(entry, number, prev_hash) | {"v": 2, "postings_hash": postings_hash(entry.postings, salt)}


def _place(entry: Entry | Link, number: int, prev_hash: str) -> dict[str, Any]:
    return {
        "community": entry.community,
        "number": number,
        "prev_hash": prev_hash,
        "cause": entry.cause,
        "valued_at": time_text(entry.valued_at),
        "made_at": time_text(entry.made_at),
        "evidence": entry.evidence,
    }


def _plain(postings: Sequence[Posting]) -> list[list[str | int]]:
    return [[posting.account, posting.amount_micro] for posting in postings]
