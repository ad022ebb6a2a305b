"""Merkle trees are those of RFC 6962, to the byte: known answers, the rule in words, and no proof of what is absent."""

from collections.abc import Sequence
from hashlib import sha256

from hypothesis import given, strategies as st
import pytest

from cloud.wire.merkle import holds, levels, path, root

# the reference test of Certificate Transparency: eight leaves, the roots over the first n of them
LEAVES = tuple(
    bytes.fromhex(text)
    for text in ("", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f")
)
ROOTS = (
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
)

many_leaves = st.lists(st.binary(max_size=8), min_size=1, max_size=70)


def recursive_root(leaves: Sequence[bytes]) -> bytes:
    """Split at the largest power of two below the count, as RFC 6962 has it in words."""
    if len(leaves) == 1:
        return sha256(b"\x00" + leaves[0]).digest()
    split = 1 << (len(leaves) - 1).bit_length() - 1
    return sha256(b"\x01" + recursive_root(leaves[:split]) + recursive_root(leaves[split:])).digest()


@pytest.mark.parametrize("count", range(9))
def test_roots_are_those_of_certificate_transparency(count: int) -> None:
    """Known answers, the empty tree included."""
    assert root(LEAVES[:count]).hex() == ROOTS[count]


def test_a_path_is_that_of_certificate_transparency() -> None:
    """The sixth leaf of eight, and the second of five: known answers."""
    assert [item.hex() for item in path(levels(LEAVES), 5)] == [
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ]
    assert [item.hex() for item in path(levels(LEAVES[:5]), 1)] == [
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
    ]


@given(many_leaves)
def test_the_quick_way_is_the_rule_in_words(leaves: list[bytes]) -> None:
    """Level by level, with what has no sibling rising, is the same tree."""
    assert root(leaves) == recursive_root(leaves)


@given(many_leaves, st.data())
def test_every_leaf_is_proven_and_no_other(leaves: list[bytes], data: st.DataObject) -> None:
    """Another leaf, place, size, sibling or root is not believed."""
    tree, top = levels(leaves), root(leaves)
    index = data.draw(st.integers(0, len(leaves) - 1))
    siblings = path(tree, index)
    assert holds(leaves[index], index, len(leaves), siblings, top)
    assert not holds(leaves[index] + b"x", index, len(leaves), siblings, top)
    assert not holds(leaves[index], index, len(leaves), siblings, sha256(top).digest())
    assert not holds(leaves[index], index, len(leaves), (*siblings, top), top)
    assert not holds(leaves[index], len(leaves) + index, len(leaves), siblings, top)
    assert not holds(leaves[index], -1, len(leaves), siblings, top)
    if siblings:
        assert not holds(leaves[index], index, len(leaves), siblings[:-1], top)
        other = data.draw(st.integers(0, len(siblings) - 1))
        wrong = [sha256(item).digest() if at == other else item for at, item in enumerate(siblings)]
        assert not holds(leaves[index], index, len(leaves), wrong, top)


@given(st.lists(st.binary(min_size=1, max_size=8), min_size=2, max_size=40, unique=True), st.data())
def test_a_leaf_is_not_proven_at_another_place(leaves: list[bytes], data: st.DataObject) -> None:
    """The number of an entry is part of what is proven."""
    index = data.draw(st.integers(0, len(leaves) - 1))
    place = data.draw(st.integers(0, len(leaves) - 1).filter(lambda other: other != index))
    assert not holds(leaves[index], place, len(leaves), path(levels(leaves), index), root(leaves))
