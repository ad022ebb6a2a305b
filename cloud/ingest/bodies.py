"""What the endpoints of this room read and answer, as OpenAPI shows it; the wire's own readers check what comes."""

from typing import Annotated, Literal

from pydantic import Field

from cloud.endpoint import Body
from cloud.sites.bodies import Hash, Identifier, Time
from cloud.wire.batch import INTERVAL_SECONDS_MAX, READINGS_MAX, RECORDS_MAX
from cloud.wire.cable import CABLES_MAX, RECORD_LETTERS_MAX
from cloud.wire.telemetry import TELEMETRY_MAX, VALUES_MAX, TelemetryQuantity

Wh = Annotated[int, Field(ge=0, description="whole Wh")]
Count = Annotated[int, Field(ge=1)]
Degrees = Annotated[
    list[int], Field(min_length=2, max_length=2, description="latitude and longitude, in millionths of a degree")
]


class TapColumnsMember(Body):
    """What one boundary tap measured, one item per interval; registers (import, export) at the interval's end."""

    owner: Identifier
    upstream_owner: Identifier | None
    import_wh: list[Wh]
    export_wh: list[Wh]
    register_wh: list[Annotated[list[Wh], Field(min_length=2, max_length=2)]]
    quality: list[Literal["ok", "estimated", "missing", "reset"]]


class CablePeriodMember(Body):
    """What a site measured at a V2G cable in interval number `at`; energy is towards the car, negative from it."""

    at: Annotated[int, Field(ge=0)]
    cable: Identifier
    tap: Identifier
    energy_wh: int
    connected: bool
    agreement: Literal["match", "mismatch", "suspect", "unknown"]
    user: Annotated[str, Field(max_length=64)] | None = None
    vehicle: Annotated[str, Field(max_length=64)] | None = None
    place: Degrees | None = None
    meter_wh: Annotated[int, Field(description="net import of the site's meter")] | None = None
    consumption_wh: Annotated[int, Field(description="of everything else behind the meter")] | None = None
    before_wh: Annotated[int, Field(description="the meter's, before the cable came")] | None = None


class IntervalsMember(Body):
    """`count` intervals of `seconds` each from `start` on, half open, under tree revision `tree_rev`."""

    start: Time
    seconds: Annotated[int, Field(ge=1, le=INTERVAL_SECONDS_MAX, description="divides 1800")]
    count: Annotated[int, Field(ge=1, le=READINGS_MAX)]
    tree_rev: Count
    amends: bool = False
    taps: dict[Identifier, TapColumnsMember]
    cables: Annotated[list[CablePeriodMember], Field(max_length=CABLES_MAX)] = Field(default_factory=list)


class IncidentMember(Body):
    """Something a person should know of: a refused reading, a reset meter, a clock off time."""

    at: Time
    kind: Identifier
    tap: Identifier | None = None
    detail: Annotated[str, Field(max_length=500)] | None = None


class CableRecordMember(Body):
    """A record that a cable signed, as it was fetched: `OCMF|{payload}|{signature}`."""

    cable: Identifier
    ocmf: Annotated[str, Field(max_length=RECORD_LETTERS_MAX)]


class TelemetryMember(Body):
    """What stood at a tap at one instant: mV, mA, mW, mvar, mHz, thousandths (power factor) and of a percent (soc).

    `point` is a phase; missing for the tap as a whole. Only taps of this batch's intervals are kept.
    """

    at_ms: Annotated[int, Field(ge=0, description="milliseconds since 1970")]
    tap: Identifier
    point: Identifier | None = None
    values: Annotated[dict[TelemetryQuantity, int], Field(max_length=VALUES_MAX)]


class BatchMessage(Body):
    """The unit of evidence: numbered within its epoch, chained by hash, signed over its raw bytes."""

    v: Literal[1]
    site: Identifier
    epoch: Count
    seq: Count
    prev: Hash
    made_at: Time
    intervals: IntervalsMember | None = None
    incidents: list[IncidentMember] = Field(default_factory=list)
    records: Annotated[list[CableRecordMember], Field(max_length=RECORDS_MAX)] = Field(default_factory=list)
    telemetry: Annotated[list[TelemetryMember], Field(max_length=TELEMETRY_MAX)] = Field(default_factory=list)


class AnswerMessage(Body):
    """The durable answer to a batch, signed by the cloud; `reason` says why a batch is held."""

    v: Literal[1]
    site: Identifier
    epoch: int
    seq: int
    hash: Hash
    result: Literal["created", "exists", "held"]
    acked_through: Annotated[int, Field(description="every batch up to this number is stored")]
    received_ms: int
    sent_ms: int
    echo_ms: Annotated[int, Field(description="what the request's Commonwatt-Sent-Ms said")] | None = None
    reason: str | None = None


class HeadMessage(Body):
    """Where a site's chain stands: newest epoch, highest number in it, that batch's hash."""

    v: Literal[1]
    site: Identifier
    epoch: int
    seq: int
    hash: Hash
