"""What a statement is as OpenAPI shows it: the members of the wire's own message, with what each means."""

from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field

from cloud.endpoint import Body, Query
from cloud.settlement.bodies import Micro
from cloud.sites.bodies import Hash, Identifier, Time

type Wh = Annotated[int, Field(description="whole Wh, taken positive")]
type MicroPerWh = Annotated[int | None, Field(description="micro-points per Wh")]

# not a named type: the parameters of a query are written out one by one, and a name would point nowhere
TimeText = Annotated[str | None, Field(max_length=20, examples=["2026-11-21T05:30:00Z"])]


class StatementQuery(Query):
    """The time of a statement, half open; by default the day that ends with the newest ended interval.

    `proof` asks for all it takes to verify it: entries, documents, and their places under the signed roots.
    """

    start: TimeText = Field(default=None, alias="from")
    end: TimeText = Field(default=None, alias="to")
    proof: bool = False


class SiteStatementQuery(StatementQuery):
    """The same for a site, of an owner who has a tap there; by default of its main owner."""

    owner: Annotated[str | None, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$")] = None


class StatementLine(Body):
    """One settled interval of an owner, as it was settled first.

    `net_wh` is local, grid's and direct energy together; `points_micro` hold those of direct energy. `blind` is the
    owner's name in the document of `entry`; where no points moved there is no entry. `elsewhere_wh` was measured at
    other sites than the one that asks.
    """

    start: Time
    seconds: int
    net_wh: Wh
    local_wh: Wh
    grid_wh: Wh
    direct_wh: Wh
    local_micro_per_wh: MicroPerWh
    grid_micro_per_wh: MicroPerWh
    direct_points_micro: Micro
    points_micro: Micro
    quality: Literal["ok", "estimated", "reset", "missing"]
    elsewhere_wh: Wh
    blind: str | None
    entry: int | None


class StatementCorrection(Body):
    """What later data changed about an interval: differences to what stood, booked within the statement's time."""

    start: Time
    revision: int
    booked_at: Time
    net_wh: Wh
    local_wh: Wh
    grid_wh: Wh
    direct_wh: Wh
    points_micro: Micro
    blind: str | None
    entry: int | None


class StatementMovement(Body):
    """Points that moved beside energy; `fee_micro` of them the community keeps."""

    at: Time
    kind: str
    cause: str
    points_micro: Micro
    fee_micro: Micro
    entry: int


class StatementTransfer(Body):
    """A tap that came to the owner at an interval boundary, or went to somebody else."""

    at: Time
    site: Identifier
    tap: Identifier
    came: bool


class StatementTotals(Body):
    """What lines and corrections add up to in energy, and each kind of points.

    `opening_micro + points_micro + corrections_micro + movements_micro = closing_micro`; fees and rewards are told of
    the movements once more.
    """

    net_wh: Wh
    local_wh: Wh
    grid_wh: Wh
    direct_wh: Wh
    points_micro: Micro
    corrections_micro: Micro
    movements_micro: Micro
    fees_micro: Micro
    rewards_micro: Micro


class StatementEntry(Body):
    """An entry of the ledger as its owner may see it.

    The SHA-256 of `public` in canonical JSON is the entry's hash: leaf `index` of its day's root, by the siblings of
    `path`. `document` hashes to `public.evidence`. `day` is null while the day has no root; `postings` and `salt`
    are there where the entry concerns no other owner.
    """

    public: dict[str, Any]
    document: str | None
    day: Time | None
    index: int
    path: list[Hash]
    postings: list[tuple[str, int]] | None
    salt: str | None


class StatementAnswer(Body):
    """A page of an owner's statement, whole in itself: [from, to) with the balance before and after.

    `next` is the `from` of the next page, null on the last. `intervals_waiting` of its time are not settled yet: they
    still come. `sites`, with proof, are those that measured energy of the owner's.
    """

    model_config = ConfigDict(populate_by_name=True, serialize_by_alias=True)

    v: Literal[1]
    community: Identifier
    owner: Identifier
    start: Annotated[Time, Field(alias="from")]
    end: Annotated[Time, Field(alias="to")]
    opening_micro: Micro
    closing_micro: Micro
    totals: StatementTotals
    intervals_waiting: int
    lines: list[StatementLine]
    corrections: list[StatementCorrection]
    movements: list[StatementMovement]
    transfers: list[StatementTransfer]
    sites: list[Identifier]
    entries: list[StatementEntry]
    roots: list[str]
    next: Time | None
