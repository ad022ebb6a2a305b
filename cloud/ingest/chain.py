"""The chain of a site's batches: what an arriving batch is, given its neighbours that are stored already."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from cloud.wire import GENESIS

type Verdict = Literal["created", "exists", "equivocation", "chain-broken"]


@dataclass(frozen=True, slots=True)
class Link:
    """A batch as a link of its chain."""

    epoch: int
    seq: int
    prev: str
    hash: str


@dataclass(frozen=True, slots=True)
class Standing:
    """What is stored around a link before it arrives.

    `highest` is the highest number of its epoch; `closed`, that the site has begun a later epoch since, and so fixed
    where this one ends; `head_before`, the hash at which the chain stood before this epoch.
    """

    newest_epoch: int = 0
    highest: int = 0
    closed: bool = False
    head_before: str = GENESIS
    same_hash: str | None = None
    before_hash: str | None = None
    after_prev: str | None = None


def judge(link: Link, standing: Standing) -> Verdict:
    """Decide on an arriving batch. In any order of arrival, the same batches are kept."""
    if standing.same_hash is not None:
        return "exists" if standing.same_hash == link.hash else "equivocation"
    return "created" if _fits(link, standing) else "chain-broken"


def _fits(link: Link, standing: Standing) -> bool:
    if link.epoch > standing.newest_epoch + 1:
        return False  # an epoch is opened after asking for the head, so none is skipped
    if standing.closed and link.seq > standing.highest:
        return False  # two writers hold this key: one of them has begun a later epoch
    if standing.after_prev is not None and standing.after_prev != link.hash:
        return False
    if link.seq == 1:
        return link.prev == standing.head_before
    return standing.before_hash in (None, link.prev)


def walk(acked_through: int, stored: Iterable[int]) -> int:
    """Return how far the numbers go without a gap, given those stored beyond `acked_through` in ascending order."""
    for seq in stored:
        if seq != acked_through + 1:
            break
        acked_through = seq
    return acked_through
