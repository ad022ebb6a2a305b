"""The root of a day: one signed hash over all entries a community's ledger got in it, linked to the day before."""

from dataclasses import dataclass
from typing import Any

from .strict import (
    VERSION,
    check_version,
    hash_text,
    identifier,
    load,
    parse_time,
    plain_members,
    take,
    time_text,
    whole,
)

DAY_SECONDS = 86_400
ROOT_TEXT_MAX = 4096  # a root and its signature are a few hundred characters


@dataclass(frozen=True, slots=True)
class DayRoot:
    """The entries `first` to `first + count - 1`, by their hashes, as the Merkle tree of RFC 6962 has it.

    `day` is the start of a UTC day; `previous` the SHA-256 of the payload of the root before, 64 zeros before the
    first. It travels as a compact JWS of the cloud's key, whose payload are these very bytes.
    """

    community: str
    day: int
    first: int
    count: int
    root: str
    previous: str

    @property
    def last(self) -> int:
        """The number of the day's last entry."""
        return self.first + self.count - 1

    def plain(self) -> dict[str, Any]:
        """Return the JSON data of this root."""
        return plain_members(self) | {"v": VERSION, "day": time_text(self.day)}


def parse_root(raw: bytes) -> DayRoot:
    """Read the payload of a root; a day without entries has none."""
    where = "root"
    data = load(raw, where)
    check_version(data, where)
    return DayRoot(
        community=identifier(take(data, "community", where), f"{where}.community"),
        day=parse_time(take(data, "day", where), f"{where}.day"),
        first=whole(take(data, "first", where), f"{where}.first", 1),
        count=whole(take(data, "count", where), f"{where}.count", 1),
        root=hash_text(data, "root", where),
        previous=hash_text(data, "previous", where),
    )
