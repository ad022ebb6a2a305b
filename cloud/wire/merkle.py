"""Merkle trees as in RFC 6962: one hash over many leaves, and a short path that proves that a leaf is among them."""

from collections.abc import Sequence
from hashlib import sha256

PATH_MAX = 64  # a tree of 2**64 leaves: more than anybody numbers

type Levels = tuple[tuple[bytes, ...], ...]  # the hashes of the leaves, then those above them, up to the root alone


def levels(leaves: Sequence[bytes]) -> Levels:
    """Return every hash of the tree over these leaves; a node without a sibling rises as it is."""
    level = tuple(sha256(b"\x00" + leaf).digest() for leaf in leaves)
    found = [level]
    while len(level) > 1:
        pairs = [_node(level[at], level[at + 1]) for at in range(0, len(level) - 1, 2)]
        level = (*pairs, *level[len(pairs) * 2 :])
        found.append(level)
    return tuple(found)


def root(leaves: Sequence[bytes]) -> bytes:
    """Return the root over these leaves, in their order; of none it is the hash of nothing."""
    return levels(leaves)[-1][0] if leaves else sha256(b"").digest()


def path(tree: Levels, index: int) -> tuple[bytes, ...]:
    """Return the siblings on the way from a leaf, numbered from 0, to the root."""
    assert 0 <= index < len(tree[0])
    siblings = []
    for level in tree[:-1]:
        if (index ^ 1) < len(level):
            siblings.append(level[index ^ 1])
        index >>= 1
    return tuple(siblings)


def holds(leaf: bytes, index: int, size: int, siblings: Sequence[bytes], expected: bytes) -> bool:
    """Tell whether this leaf is number `index` of the `size` leaves under a root (RFC 9162, 2.1.3.2)."""
    if not 0 <= index < size or len(siblings) > PATH_MAX:
        return False
    last, found = size - 1, sha256(b"\x00" + leaf).digest()
    for sibling in siblings:
        if last == 0:
            return False
        if index & 1 or index == last:
            found = _node(sibling, found)
            while not index & 1 and index:
                index, last = index >> 1, last >> 1
        else:
            found = _node(found, sibling)
        index, last = index >> 1, last >> 1
    return last == 0 and found == expected


def _node(left: bytes, right: bytes) -> bytes:
    return sha256(b"\x01" + left + right).digest()
