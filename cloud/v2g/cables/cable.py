"""A V2G cable as the cloud knows it: whose it is, which key it signs with, and what it may be."""

from dataclasses import dataclass
from typing import Final, Literal

CABLES_OF_OWNER_MAX: Final = 50  # more is a fleet, which has a community of its own

type State = Literal["active", "stolen", "revoked", "two-places"]
type NotChanged = Literal["no-cable", "revoked", "not-so"]

# what a word on a cable makes of it, and from which states it may
CHANGES: Final[dict[State, frozenset[State]]] = {
    "active": frozenset({"stolen", "two-places"}),
    "stolen": frozenset({"active", "two-places"}),
    "two-places": frozenset({"active"}),
    "revoked": frozenset({"active", "stolen", "two-places"}),
}


@dataclass(frozen=True, slots=True)
class Cable:
    """A registered cable: its driver's community and owner, and since when its state is what it is.

    The id is its serial number; `public_key` is in hexadecimal (DER). `first_number` is the number of the record that
    proved the key: numbers from there on may not be missing.
    """

    cable: str
    community: str
    owner: str
    name: str
    public_key: str
    state: State
    since: int
    registered_at: int = 0
    first_number: int = 0


@dataclass(frozen=True, slots=True)
class By:
    """Who says something of a cable: the client, and what it is to the cloud."""

    client: str
    role: str


CLOUD: Final = By("cloud", "cloud")  # what follows from the evidence


@dataclass(frozen=True, slots=True)
class Change:
    """One line of a cable's history, never changed; `change` grows with time."""

    change: str
    state: State
    at: int
    by: By
    note: str | None


def may_become(before: State, after: State) -> bool:
    """Tell whether a cable in one state may be put into another: who lost its key for good stays out for good."""
    return before in CHANGES[after]
