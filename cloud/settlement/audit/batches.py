"""Judges signed batches and trees: the bytes, the signature, and every reading that says it comes from them."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Self

from cloud.ingest import derive
from cloud.ingest.reading import Reading
from cloud.sites.key import signer, sound
from cloud.sites.trees.boundary import BoundaryTap, read_tree
from cloud.wire import Batch, WireError, digest, parse_batch, parse_tree, thumbprint

from .again import Kept
from .finding import Finding, Place, absent, compare

FOREVER = 2**62  # batches from the future are past by then: when one was derived is not for the audit to judge
NO_SIGNATURE = "no key the site had then made it"


@dataclass(frozen=True, slots=True)
class KeyRow:
    """A site's key as stored; what it signs from `revoked_at` on does not count."""

    kid: str
    public_key: str
    revoked_at: int | None


@dataclass(frozen=True, slots=True)
class TreeRow:
    """A revision of a site's tree as stored."""

    rev: int
    valid_from: int
    hash: str
    raw: bytes
    signature: str
    received_at: int


@dataclass(frozen=True, slots=True)
class BatchRow:
    """A batch as stored."""

    site: str
    epoch: int
    seq: int
    prev: str
    hash: str
    state: str
    tree_rev: int | None
    received_ms: int
    kid: str
    signature: str
    raw: bytes


@dataclass(frozen=True, slots=True)
class Witness:
    """Against what a site's batches are held: its keys, its trees by revision, its community's interval."""

    community: str
    site: str
    seconds: int
    keys: Sequence[KeyRow]
    trees: Mapping[int, TreeRow]


def keys_at(keys: Sequence[KeyRow], at: int) -> dict[str, str]:
    """Return the public keys by `kid` that could sign at a time; a key that is not what its name says is none."""
    return {
        key.kid: key.public_key
        for key in keys
        if (key.revoked_at is None or at <= key.revoked_at)
        and sound(key.public_key)
        and thumbprint(key.public_key) == key.kid
    }


def tree_findings(witness: Witness, row: TreeRow) -> Iterator[Finding]:
    """Judge a revision of a tree: owners and islands of readings follow from it."""
    place = Place("readings", witness.community, "tree", {"site": witness.site, "rev": row.rev})
    yield from compare(place, {"hash": row.hash}, {"hash": digest(row.raw)})
    if signer(row.signature, row.raw, keys_at(witness.keys, row.received_at)) is None:
        yield Finding(place, "signature", row.signature, NO_SIGNATURE)
    try:
        tree = parse_tree(row.raw)
    except WireError as error:
        yield Finding(place, "raw", "cannot be read", error)
        return
    said = {"site": witness.site, "rev": row.rev, "valid_from": row.valid_from}
    yield from compare(place, said, {name: getattr(tree, name) for name in said})


def batch_findings(witness: Witness, row: BatchRow) -> Iterator[Finding]:
    """Judge a batch's bytes, the signature over them, and the columns that repeat what they say."""
    place = batch_place(witness.community, row)
    yield from compare(place, {"hash": row.hash}, {"hash": digest(row.raw)})
    if signer(row.signature, row.raw, keys_at(witness.keys, row.received_ms // 1000)) != row.kid:
        yield Finding(place, "signature", row.signature, NO_SIGNATURE)
    batch = read(row)
    if isinstance(batch, WireError):
        yield Finding(place, "raw", "cannot be read", batch)
        return
    tree_rev = None if batch.intervals is None else batch.intervals.tree_rev
    must = {name: getattr(batch, name) for name in ("site", "epoch", "seq", "prev")} | {"tree_rev": tree_rev}
    yield from compare(place, asdict(row), must)
    reason = _held(witness, batch)
    if row.state == "derived" and reason is not None:
        yield Finding(place, "state", row.state, f"held: {reason}")


def batch_place(community: str, row: BatchRow) -> Place:
    """Return where a batch stands."""
    return Place("readings", community, "batch", {"site": row.site, "epoch": row.epoch, "seq": row.seq})


def read(row: BatchRow) -> Batch | WireError:
    """Read a stored batch, or return why that cannot be done."""
    try:
        return parse_batch(row.raw)
    except WireError as error:
        return error


def _tree(witness: Witness, rev: int) -> tuple[int, Mapping[str, BoundaryTap]] | None:
    if rev not in witness.trees:
        return None
    try:
        return read_tree(witness.trees[rev].raw)
    except WireError:
        return None  # `tree_findings` tells of it; without a tree the batch would be held


def _held(witness: Witness, batch: Batch) -> str | None:
    if batch.intervals is None:
        return None
    ground = derive.Ground(_tree(witness, batch.intervals.tree_rev), witness.seconds, FOREVER)
    held = derive.held_by_itself(batch.intervals, ground)
    return None if held is None else held.reason


def readings_of(witness: Witness, row: BatchRow) -> list[Reading]:
    """Return what must be derived from a batch: nothing from one that is held or cannot be read."""
    batch = read(row)
    if row.state != "derived" or isinstance(batch, WireError) or batch.intervals is None or _held(witness, batch):
        return []
    tree = _tree(witness, batch.intervals.tree_rev)
    return [] if tree is None else derive.readings_of(batch, batch.intervals, tree[1])


def reading_place(community: str, reading: Reading) -> Place:
    """Return where a reading stands."""
    key = {"start": reading.start, "site": reading.site, "tap": reading.tap}
    return Place("readings", community, "reading", key)


@dataclass(frozen=True, slots=True)
class Stands:
    """What stands of some time at a site, and what stood before: several readings at a tap that was amended."""

    by_place: Mapping[tuple[int, str], Sequence[Kept]]

    @classmethod
    def of(cls, kept: Iterable[Kept]) -> Self:
        """Order readings by start and tap."""
        found: defaultdict[tuple[int, str], list[Kept]] = defaultdict(list)
        for item in kept:
            found[item.reading.start, item.reading.tap].append(item)
        return cls(found)

    def own(self, reading: Reading, *, exact: bool) -> Reading | None:
        """Return what is kept of a reading under the name of its batch; unless `exact`, the only one there goes too."""
        there = self.by_place.get((reading.start, reading.tap), ())
        named = [
            item.reading for item in there if (item.reading.epoch, item.reading.seq) == (reading.epoch, reading.seq)
        ]
        if named:
            return named[0]
        return there[0].reading if len(there) == 1 and not exact else None

    def unchanged(self, reading: Reading) -> bool:
        """Tell whether a reading is there under another batch's name that said the same before."""
        there = self.by_place.get((reading.start, reading.tap), ())
        return any(replace(item.reading, epoch=reading.epoch, seq=reading.seq) == reading for item in there)


def amends(row: BatchRow) -> bool:
    """Tell whether a batch puts its readings in the place of others."""
    batch = read(row)
    return not isinstance(batch, WireError) and batch.intervals is not None and batch.intervals.amends


def reading_findings(
    community: str, must: Sequence[Reading], stands: Stands, *, amends: bool = False
) -> Iterator[Finding]:
    """Hold the stored readings against what their batch says; one that changed nothing left what stood."""
    for reading in must:
        if amends and stands.unchanged(reading):
            continue
        kept = stands.own(reading, exact=amends)
        if kept is None:
            yield absent(reading_place(community, reading), reading)
        else:
            yield from compare(reading_place(community, reading), asdict(kept), asdict(reading))


def stray(community: str, reading: Reading, must: Sequence[Reading]) -> Iterator[Finding]:
    """Find a reading that the batch it names does not account for."""
    if all((item.start, item.tap) != (reading.start, reading.tap) for item in must):
        named = f"of batch {reading.epoch}/{reading.seq}"
        yield Finding(reading_place(community, reading), "row", named, "no derived batch says so")
