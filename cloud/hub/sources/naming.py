"""Which ids the devices of a maker's cloud get: the source's id with the maker's name in it. Pure."""

from collections.abc import Iterator
from hashlib import sha256
import re

LETTERS_MAX = 64
MARK_LETTERS = 8
OTHERS = re.compile(r"[^A-Za-z0-9_.-]+")


def ids_for(community: str, source: str, name: str) -> Iterator[str]:
    """Yield the ids a device may get: the readable one, and one that nothing else in the hub has, for when it is taken.

    A name that an id cannot hold as it is gets the second at once: two such names could look alike.
    """
    plain = f"{source}-{OTHERS.sub('-', name).strip('-')}"
    if plain == f"{source}-{name}" and len(plain) <= LETTERS_MAX:
        yield plain
    mark = sha256(f"{community}\0{source}\0{name}".encode()).hexdigest()[:MARK_LETTERS]
    yield f"{plain[: LETTERS_MAX - MARK_LETTERS - 1].rstrip('-')}-{mark}"
