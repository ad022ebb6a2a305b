"""What the endpoints of a quarantine read and answer, as OpenAPI shows it."""

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from cloud.endpoint import PAGE_MAX, Body, Query
from cloud.ingest.bodies import IncidentMember
from cloud.sites.bodies import Hash, Identifier, Time, printed

NOTE_MAX = 500

type Note = Annotated[
    str,
    Field(min_length=1, max_length=NOTE_MAX, examples=["two boxes had one key, the second is switched off"]),
    AfterValidator(printed),
]


class LiftBody(Body):
    """Why the site may be believed again: kept for ever."""

    note: Note


class LiftAnswer(Body):
    """The quarantine that ended: since when and why it was, when it was lifted, by which client."""

    site: Identifier
    quarantined_at: Time
    reason: str
    lifted_at: Time
    lifted_by: str
    note: Note
    result: Literal["created", "exists"]


class HeldQuery(Query):
    """A page of batches: `after` is the `next` of the page before."""

    after: str = Field(default="", pattern=r"^([0-9]{1,16}\.[0-9]{1,16}\.[0-9a-f]{64})?$")
    limit: int = Field(default=100, ge=1, le=PAGE_MAX)


class HeldItem(Body):
    """A batch that is stored and not settled. `contradicts` is the hash of the batch kept under the same number."""

    epoch: int
    seq: int
    hash: Hash
    reason: Annotated[str, Field(examples=["quarantined", "contradiction", "registers-differ"])]
    received_at: Time
    due_at: Annotated[Time | None, Field(description="when a batch from the future is looked at again")]
    contradicts: Hash | None


class HeldAnswer(Body):
    """What a person should look at: batches in the order of their chain, then the site's newest incidents."""

    site: Identifier
    quarantined_at: Time | None
    quarantine_reason: str | None
    batches: list[HeldItem]
    next: str | None
    incidents: list[IncidentMember]
