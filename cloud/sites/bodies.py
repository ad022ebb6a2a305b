"""What the endpoints of this room read and answer, as OpenAPI shows it; an operator's bodies are checked by these."""

from functools import cache
from typing import Annotated, Literal, Self
import zoneinfo

from pydantic import AfterValidator, BaseModel, Field, model_validator

from cloud.endpoint import Body
from cloud.principal import Scope
from cloud.wire.batch import INTERVAL_SECONDS_MAX
from cloud.wire.session import TIME_SCALE_MAX
from cloud.wire.strict import printable

WEEK_SECONDS = 7 * 86_400
GRACE_SECONDS_MAX = 45 * 86_400  # how late a site may report and still be settled in order


def printed(text: str) -> str:
    """Return a text that every reader of the wire takes, or refuse it: sites would stop at a control character."""
    if not printable(text):
        raise ValueError("holds a character that cannot be printed")
    return text


@cache
def _time_zones() -> frozenset[str]:
    return frozenset(zoneinfo.available_timezones())  # reads folders each time


type Identifier = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$", examples=["riverside"])]
type Name = Annotated[str, Field(min_length=1, max_length=100), AfterValidator(printed)]
type Time = Annotated[str, Field(pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$", examples=["2026-11-21T05:30:00Z"])]
type Hash = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$", description="SHA-256 in hex")]
type PublicKey = Annotated[str, Field(min_length=43, max_length=43, description="Ed25519, base64url")]


class CommunityBody(Body):
    """A settlement unit. The interval cannot change once a site measures by it."""

    name: Name
    time_zone: Annotated[str, Field(examples=["Europe/Berlin"])]
    interval_seconds: Annotated[int, Field(ge=1, le=INTERVAL_SECONDS_MAX, description="divides 1800")] = 1800
    cycle_seconds: (
        Annotated[
            int,
            Field(
                ge=1, le=WEEK_SECONDS, description="how often it is settled: the interval, 1800, 3600, 86400 or 604800"
            ),
        ]
        | None
    ) = None
    grace_seconds: Annotated[int, Field(ge=0, le=GRACE_SECONDS_MAX, description="how long late sites hold it up")] = (
        86_400
    )
    currency: Annotated[str, Field(pattern=r"^[A-Z]{3}$")] | None = None
    points_per_unit: Annotated[int, Field(ge=1, le=1_000_000)] | None = None

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if INTERVAL_SECONDS_MAX % self.interval_seconds:
            raise ValueError("interval_seconds does not divide 1800")
        if self.cycle_seconds is not None and self.cycle_seconds % self.interval_seconds:
            raise ValueError("cycle_seconds is not a multiple of interval_seconds")
        if self.time_zone not in _time_zones():
            raise ValueError("time_zone is not in the IANA list")
        return self


class CommunityAnswer(CommunityBody):
    """The community as it stands."""

    community: Identifier
    cycle_seconds: int


class CommunitiesAnswer(Body):
    """A page of communities; `next` is the last one where there may be more."""

    communities: list[CommunityAnswer]
    next: Identifier | None


class SiteItem(Body):
    """A site of a community, and since when it is quarantined, if it contradicted itself."""

    site: Identifier
    name: Name
    main_owner: Identifier
    time_scale: int
    paired_at: Time
    quarantined_at: Time | None


class SitesAnswer(Body):
    """The sites of a community."""

    sites: list[SiteItem]


class SettingsMessage(Body):
    """What the cloud decides for a site."""

    v: Literal[1]
    site: Identifier
    community: Identifier
    community_name: Name
    interval_seconds: int
    time_scale: Annotated[int, Field(ge=1, le=TIME_SCALE_MAX)]
    main_owner: Identifier
    owners: Annotated[dict[Identifier, Name], Field(description="names by id")]
    currency: str | None = None
    points_per_unit: int | None = None


class CodeBody(Body):
    """For whom a pairing code is; `time_scale` is 1 everywhere but in a simulated house."""

    main_owner: Identifier
    time_scale: Annotated[int, Field(ge=1, le=TIME_SCALE_MAX)] = 1


class CodeAnswer(Body):
    """A pairing code, shown this once."""

    code: Annotated[str, Field(examples=["7K3M-9QXT-2B4D-HN8V"])]
    expires_at: Time


class PairingMessage(Body):
    """A site asks to join, signed with the key it shows."""

    v: Literal[1]
    code: str
    name: Name
    time_zone: str
    public_key: PublicKey
    latitude_e6: int | None = None
    longitude_e6: int | None = None


class PairedMessage(Body):
    """The site's name for ever, its OAuth2 client, and the cloud's public key."""

    v: Literal[1]
    site: Identifier
    community: Identifier
    client_id: str
    client_secret: str
    cloud_key: PublicKey


class TokenForm(BaseModel):
    """RFC 6749, section 4.4: the client's id and secret come here or by HTTP Basic."""

    grant_type: Literal["client_credentials"]
    client_id: str | None = None
    client_secret: str | None = None
    scope: str | None = None


class TokenAnswer(Body):
    """An access token for the client's scope."""

    access_token: str
    token_type: Literal["Bearer"]
    expires_in: int
    scope: Scope


class TreeTapMember(Body):
    """A tap: its owner and what it hangs below (a tap, null for the grid, or `island`)."""

    owner: Identifier
    parent: Identifier | None
    name: str | None = None
    rated_power_w: Annotated[int, Field(ge=1)] | None = None


class TreeMessage(Body):
    """The tap tree of a site, signed; revisions count up by one."""

    v: Literal[1]
    site: Identifier
    rev: Annotated[int, Field(ge=1)]
    valid_from: Time
    taps: dict[Identifier, TreeTapMember]


class TreeAnswerMessage(Body):
    """The durable answer to a tree, signed by the cloud."""

    v: Literal[1]
    site: Identifier
    rev: int
    hash: Hash
    result: Literal["created", "exists"]
