"""What the endpoints of roots and of the whole ledger read and answer, as OpenAPI shows it."""

from typing import Annotated

from pydantic import Field

from cloud.endpoint import Body, Query
from cloud.wire.root import ROOT_TEXT_MAX

KEY_TEXT_MAX = 64
ROOTS_PAGE_MAX = 200
LEDGER_PAGE_MAX = 500

type Signed = Annotated[str, Field(max_length=ROOT_TEXT_MAX, description="compact JWS (RFC 7515), EdDSA")]
type TimeText = Annotated[str, Field(max_length=20, examples=["2026-11-21T00:00:00Z"])]
type Sha = Annotated[str, Field(pattern="^[0-9a-f]{64}$", description="SHA-256 in hex")]


class RootsQuery(Query):
    """A page of roots: of the days after one."""

    after: Annotated[str | None, Field(max_length=20, examples=["2026-11-21T00:00:00Z"])] = None
    limit: Annotated[int, Field(ge=1, le=ROOTS_PAGE_MAX)] = 100


class CountersignatureItem(Body):
    """The same payload, signed by the key of a mirror."""

    kid: str
    public_key: str
    signed: Signed


class RootItem(Body):
    """The root of a UTC day over `count` entries of the ledger.

    `signed` is what counts, the other members are read from it: its payload is canonical JSON, and the `previous` of
    the next root is the SHA-256 of it.
    """

    day: TimeText
    first: int
    count: int
    root: Sha
    previous: Sha
    signed: Signed
    countersignatures: list[CountersignatureItem]


class RootsAnswer(Body):
    """A page of roots in order of their days; `next` is the `after` of the next page, null on the last.

    `cloud_key` is the public key (base64url) that signed them: note it down once, and believe no other.
    """

    cloud_key: str
    roots: list[RootItem]
    next: TimeText | None


class CountersignBody(Body):
    """A root's payload, signed anew by the key of a mirror."""

    public_key: Annotated[str, Field(max_length=KEY_TEXT_MAX)]
    signed: Signed


class CountersignAnswer(Body):
    """The signature is kept; `created` tells whether it is new."""

    kid: str
    created: bool


class LedgerQuery(Query):
    """A page of entries: those numbered above one."""

    after: Annotated[int, Field(ge=0)] = 0
    limit: Annotated[int, Field(ge=1, le=LEDGER_PAGE_MAX)] = 100


class LedgerEntry(Body):
    """An entry whole: whoever has it can recompute its hash, and with the document what it was made from.

    `document` is the text whose SHA-256 is `evidence`; `salt` and `document` are null in entries of the first version.
    """

    number: int
    prev_hash: Sha
    hash: Sha
    cause: str
    valued_at: TimeText
    made_at: TimeText
    evidence: Sha
    salt: str | None
    postings: list[tuple[str, int]]
    document: str | None


class LedgerAnswer(Body):
    """A page of entries in order, and where the chain stands; `next` is the `after` of the next page, null at the end.

    A page ends early rather than being larger than 900 KiB, but always holds one entry.
    """

    entries: list[LedgerEntry]
    head_number: int
    head_hash: Sha
    next: int | None
