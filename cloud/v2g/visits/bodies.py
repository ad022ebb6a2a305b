"""What the endpoints of visits read and answer, as OpenAPI shows it; the wire's own readers check what comes."""

from typing import Annotated, Literal

from pydantic import Field

from cloud.endpoint import Body
from cloud.ingest.bodies import Degrees
from cloud.sites.bodies import Identifier, Time
from cloud.v2g.cables.bodies import KeyText
from cloud.wire.cable import PERCENT_MAX, Cause, Permission

type Percent = Annotated[int, Field(ge=0, le=PERCENT_MAX)]


class VisitMessage(Body):
    """A cable was plugged in at a site, which asks what it may do; nothing the cable says is believed by itself."""

    v: Literal[1]
    cable: Identifier
    plugged_at: Time
    tap: Identifier
    public_key: KeyText | None = None
    user: Annotated[str, Field(max_length=64)] | None = None
    vehicle: Annotated[str, Field(max_length=64)] | None = None
    place: Degrees | None = None


class RewardMember(Body):
    """What a cable has earned its driver, in micro-points."""

    today_micro: int
    total_micro: int
    pending_micro: int


class StandingMessage(Body):
    """What a cable may do at a site now, and why; signed by the cloud. A denied one may charge below the floor."""

    v: Literal[1]
    cable: Identifier
    site: Identifier
    permission: Permission
    cause: Cause
    since: Time
    soc_floor_percent: Percent
    tolerance_wh: Annotated[int, Field(ge=0)]
    tolerance_percent: Percent
    public_key: Annotated[KeyText, Field(description="the only key to believe")] | None = None
    last_number: Annotated[int, Field(description="all records up to this number are here")] = 0
    own: Annotated[bool, Field(description="the cable is the main owner's of this site")] = False
    reward: RewardMember | None = None
