"""What a mirror believes: entries that follow its own, roots that follow from them. All else is history rewritten."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cloud.ledger.chain import Broken, Head, Link, verify
from cloud.ledger.posting import Posting
from cloud.ledger.root.day import EntryMark, Sealed, after, faults
from cloud.wire import WireError, digest, parse_time, time_text
from cloud.wire.root import DayRoot
from cloud.wire.strict import hash_text, items, take, text, whole

ENTRIES_MAX = 10_000  # in one page, far above what a cloud sends
POSTINGS_MAX = 1_000_000
CAUSE_MAX = 500


@dataclass(frozen=True, slots=True)
class Copied:
    """An entry with the document that it was made from; entries of the first version have none."""

    link: Link
    document: bytes | None


@dataclass(frozen=True, slots=True)
class Page:
    """A page of the cloud's ledger, and where the cloud says that its chain stands."""

    entries: tuple[Copied, ...]
    head: Head
    more: bool


@dataclass(frozen=True, slots=True)
class Rewritten:
    """The cloud tells its history otherwise than before, or it does not hold: what, in words with both values."""

    place: str
    said: str
    must: str

    def __str__(self) -> str:
        """Say it in one line."""
        return f"{self.place}: the cloud says {self.said}, it must be {self.must}"


def page_of(community: str, data: Mapping[str, Any]) -> Page:
    """Read an answer of the ledger strictly; raises WireError."""
    where = "ledger"
    entries = tuple(_entry(community, item) for item in items(data, "entries", where, ENTRIES_MAX))
    number = whole(take(data, "head_number", where), f"{where}.head_number", 0)
    head = Head(number, hash_text(data, "head_hash", where))
    return Page(entries, head, more=data.get("next") is not None)


def _entry(community: str, data: Any) -> Copied:
    where = "ledger.entries"
    if not isinstance(data, dict):
        raise WireError(where, "holds something that is not an object")
    link = Link(
        number=whole(take(data, "number", where), f"{where}.number", 1),
        prev_hash=hash_text(data, "prev_hash", where),
        hash=hash_text(data, "hash", where),
        community=community,
        cause=text(data, "cause", where, CAUSE_MAX),
        valued_at=parse_time(take(data, "valued_at", where), f"{where}.valued_at"),
        made_at=parse_time(take(data, "made_at", where), f"{where}.made_at"),
        evidence=hash_text(data, "evidence", where),
        postings=tuple(_posting(leg) for leg in items(data, "postings", where, POSTINGS_MAX)),
        salt=None if data.get("salt") is None else text(data, "salt", where, 200),
    )
    document = data.get("document")
    if document is not None and not isinstance(document, str):
        raise WireError(f"{where}.document", "is not a text")
    return Copied(link, None if document is None else document.encode())


def _posting(leg: Any) -> Posting:
    where = "ledger.entries.postings"
    if not isinstance(leg, list) or len(leg) != 2 or not isinstance(leg[0], str):
        raise WireError(where, "is not a pair of account and amount")
    return Posting(leg[0], whole(leg[1], where, -(10**18), 10**18))


def follow(entries: Sequence[Copied], head: Head) -> Head | Rewritten:
    """Return where the chain stands after these entries, or the first thing about them that does not hold."""
    for copied in entries:
        link = copied.link
        verified = verify([link], head)
        if isinstance(verified, Broken):
            return _broken(link, verified, head)
        if copied.document is None and link.salt is not None:
            return Rewritten(f"entry {link.number}, document", "nothing", f"what hashes to {link.evidence}")
        if copied.document is not None and (found := digest(copied.document)) != link.evidence:
            return Rewritten(f"entry {link.number}, document", found, link.evidence)
        head = verified
    return head


def _broken(link: Link, broken: Broken, head: Head) -> Rewritten:
    place = f"entry {broken.number}, {broken.reason}"
    match broken.reason:
        case "number":
            return Rewritten(place, str(link.number), str(head.number + 1))
        case "prev_hash":
            return Rewritten(place, link.prev_hash, head.hash)
        case "hash":
            return Rewritten(place, link.hash, "what hashing the entry gives")
        case "postings":
            total = sum(posting.amount_micro for posting in link.postings)
            return Rewritten(place, f"postings that sum to {total}", "0")


def differs(ours: Copied, theirs: Copied) -> Rewritten | None:
    """Return the first member in which the cloud tells an entry otherwise than it did before."""
    place = f"entry {ours.link.number}"
    for name in ("cause", "valued_at", "made_at", "evidence", "salt", "postings", "prev_hash", "hash"):
        was, now = getattr(ours.link, name), getattr(theirs.link, name)
        if was != now:
            return Rewritten(f"{place}, {name}", _words(name, now), _words(name, was))
    if ours.document != theirs.document:
        return Rewritten(f"{place}, document", "another text", "the one it was before")
    return None


def _words(name: str, value: Any) -> str:
    if name in ("valued_at", "made_at"):
        return time_text(value)
    if name == "postings":
        return ", ".join(f"{leg.account} {leg.amount_micro:+}" for leg in value) or "nothing"
    return str(value)


def shorter(ours: Head, theirs: Head) -> Rewritten | None:
    """Return that the cloud's chain ends before ours does, if so."""
    if theirs.number >= ours.number:
        return None
    return Rewritten("the newest entry", f"number {theirs.number}", f"at least number {ours.number}")


def judge_root(stands: DayRoot, community: str, marks: Sequence[EntryMark], before: Sealed) -> Sealed | Rewritten:
    """Return where the chain of roots stands with this one, or what about it does not follow from our entries."""
    place = f"root of {time_text(stands.day)}"
    if stands.community != community:
        return Rewritten(f"{place}, community", stands.community, community)
    for fault in faults(stands, marks, before):
        return Rewritten(f"{place}, {fault.member}", str(fault.stored), str(fault.recomputed))
    return after(stands)
