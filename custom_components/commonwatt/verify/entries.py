"""Entries of the ledger: each hashes to a leaf of its day's root, and its document to the evidence that it names."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..wire import GENESIS, WireError, digest, time_text, to_bytes
from ..wire.merkle import holds
from ..wire.root import DayRoot, parse_root
from ..wire.statement import ProvenEntry
from .document import Document, parse_document
from .finding import Findings
from .own import Own


@dataclass(frozen=True, slots=True)
class Proven:
    """An entry that was looked at, with its document where it is one of energy and there."""

    entry: ProvenEntry
    document: Document | None

    @property
    def public(self) -> Mapping[str, Any]:
        """The entry's public members."""
        return self.entry.public


def roots_of(payloads: Sequence[bytes], own: Own, found: Findings) -> dict[int, DayRoot]:
    """Return the roots of a statement by day; each must be the one that this site kept before, and follow from it."""
    roots: dict[int, DayRoot] = {}
    raws = dict(own.roots)
    for raw in payloads:
        try:
            root = parse_root(raw)
        except WireError as error:
            found.altered(None, "root", str(error), "a signed root")
            continue
        place = f"root of {time_text(root.day)}"
        found.equal(None, place, digest(raw), digest(own.roots.get(root.day, raw)))
        found.equal(None, f"{place}, community", root.community, own.community)
        roots[root.day] = root
        raws.setdefault(root.day, raw)
    _check_links(raws, found)
    return roots


def _check_links(raws: Mapping[int, bytes], found: Findings) -> None:
    """Check that each root names the one before, as far as both are here: their entries' numbers adjoin then."""
    before: tuple[DayRoot, str] | None = None
    for day in sorted(raws):
        root = parse_root(raws[day])
        if root.first == 1:
            found.equal(None, f"root of {time_text(day)}, previous", root.previous, GENESIS)
        elif before is not None and before[0].last + 1 == root.first:
            found.equal(None, f"root of {time_text(day)}, previous", root.previous, before[1])
        before = root, digest(raws[day])


def prove(entries: Sequence[ProvenEntry], roots: Mapping[int, DayRoot], own: Own, found: Findings) -> dict[int, Proven]:
    """Check every entry of a statement by itself and under its root; return them by number."""
    proven: dict[int, Proven] = {}
    for entry in entries:
        number = entry.public.get("number")
        if type(number) is not int or number in proven:
            found.altered(None, "entry", number, "a number of its own")
            continue
        start = _start(entry, found)
        found.equal(start, f"entry {number}, community", entry.public.get("community"), own.community)
        _check_root(entry, number, start, roots, found)
        _check_postings(entry, number, found)
        proven[number] = Proven(entry, _document(entry, number, start, found))
    for number, item in proven.items():
        if number - 1 in proven:
            before = digest(to_bytes(dict(proven[number - 1].public)))
            found.equal(None, f"entry {number}, prev_hash", item.public.get("prev_hash"), before)
    return proven


def _start(entry: ProvenEntry, found: Findings) -> int | None:
    """Return the interval that an entry of energy is about, for naming its findings."""
    try:
        return None if entry.document is None else parse_document(entry.document).start
    except WireError:
        return None  # other kinds of entries have other documents


def _check_root(
    entry: ProvenEntry, number: int, start: int | None, roots: Mapping[int, DayRoot], found: Findings
) -> None:
    if entry.day is None:
        found.unwitnessed(start, f"entry {number}: its day has no root yet")
        return
    root = roots.get(entry.day)
    if root is None:
        found.altered(start, f"entry {number}, root", time_text(entry.day), "the root of a day in this statement")
        return
    leaf = bytes.fromhex(digest(to_bytes(dict(entry.public))))
    siblings = [bytes.fromhex(item) for item in entry.path]
    if not holds(leaf, entry.index, root.count, siblings, bytes.fromhex(root.root)):
        found.altered(start, f"entry {number}, root", "an entry of another hash", f"under the root {root.root}")
    found.equal(start, f"entry {number}, number", number, root.first + entry.index)


def _check_postings(entry: ProvenEntry, number: int, found: Findings) -> None:
    if entry.postings is not None:
        recomputed = digest(to_bytes([entry.salt, [list(leg) for leg in entry.postings]]))
        found.equal(None, f"entry {number}, postings", recomputed, entry.public.get("postings_hash"))


def _document(entry: ProvenEntry, number: int, start: int | None, found: Findings) -> Document | None:
    cause = str(entry.public.get("cause"))
    if entry.document is None:
        found.unwitnessed(start, f"entry {number}: its document is not in the statement")
        return None
    sound = found.equal(
        start, f"entry {number}, document", digest(entry.document.encode()), entry.public.get("evidence")
    )
    if not cause.startswith("energy:"):
        return None
    try:
        document = parse_document(entry.document)
    except WireError as error:
        if sound:  # what was altered is told already
            found.altered(start, f"entry {number}, document", str(error), "a document of this kind")
        return None
    suffix = f":{document.revision}" if document.revision else ""
    found.equal(document.start, f"entry {number}, cause", cause, f"energy:{time_text(document.start)}{suffix}")
    return document
