"""What the endpoints of records answer."""

from typing import Annotated

from pydantic import Field

from cloud.endpoint import Body, Query
from cloud.sites.bodies import Hash, Identifier, Time
from cloud.v2g.cables.bodies import KeyText

from .signed import FindingKind

NUMBER_MAX = 2**53


class RecordsQuery(Query):
    """The records numbered above `after`, at most `limit`."""

    after: Annotated[int, Field(ge=0, le=NUMBER_MAX)] = 0
    limit: Annotated[int, Field(ge=1, le=500)] = 100


class RecordItem(Body):
    """What a cable signed; `ocmf` is the record to the letter, for whoever wants to verify it with the key.

    `site` is where the cable says it was. Energy is towards the car (import) and from it (export).
    """

    number: int
    site: str | None
    start: Time
    seconds: int
    import_wh: int
    export_wh: int
    import_from_wh: int
    export_from_wh: int
    delivered_by: Annotated[Identifier, Field(description="the site that handed it on")]
    refused: Annotated[str | None, Field(description="why a genuine record is not used")]
    payload_hash: Hash
    stored_at: Time
    ocmf: str


class RecordsAnswer(Body):
    """A page of what a cable signed, by number, with the key it is verified by."""

    cable: Identifier
    public_key: KeyText
    records: list[RecordItem]
    next: int | None


class FindingsQuery(Query):
    """A page of findings: what comes after the last name of the page before."""

    after: str = Field(default="", pattern=r"^[A-Za-z0-9_.-]{0,128}$")
    limit: int = Field(default=100, ge=1, le=500)


class FindingItem(Body):
    """Something not in order with a cable's records, and what shows it."""

    finding: str
    kind: FindingKind
    community: Identifier | None
    site: str | None
    number: int | None
    through: int | None
    at: Time
    found_at: Time
    closed_at: Annotated[Time | None, Field(description="since when what was missing is here: a record, or a report")]
    detail: str
    evidence: str | None


class FindingsAnswer(Body):
    """A page of findings, by name."""

    cable: Identifier
    findings: list[FindingItem]
    next: str | None
