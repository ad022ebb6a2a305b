"""What the endpoints for corrections read and answer."""

from typing import Annotated, Literal

from pydantic import Field

from cloud.endpoint import PAGE_MAX, Body, Query
from cloud.outbound import URL_LETTERS_MAX
from cloud.sites.bodies import Identifier, Time

NUMBER_MAX = 2**53


class CorrectionsQuery(Query):
    """The corrections of a community numbered above `after`; a client of one community need not name it."""

    community: Annotated[str | None, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$")] = None
    after: Annotated[int, Field(ge=0, le=NUMBER_MAX)] = 0
    limit: Annotated[int, Field(ge=1, le=PAGE_MAX)] = 100


class CorrectionItem(Body):
    """A supply point (site) and an interval: the meter as read, the cables' energy each way, and what is the host's.

    Import is towards the house, and towards the cars. `host_net_wh` is import less export without the cables; null, as
    the meter, where no reading has come. Another revision of the same interval takes the place of the one before.
    `number` counts without gaps in its community.
    """

    community: Identifier
    number: int
    site: Identifier
    start: Time
    seconds: int
    state: Literal["final", "corrected"]
    revision: int
    meter_import_wh: int | None
    meter_export_wh: int | None
    cable_import_wh: int
    cable_export_wh: int
    host_net_wh: int | None
    cables: list[Identifier]
    made_at: Time


class CorrectionsAnswer(Body):
    """A page of corrections in order; `next` is the `after` of the next page, null while there is none."""

    corrections: list[CorrectionItem]
    next: int | None


class SubscriptionBody(Body):
    """Where corrections are to be sent."""

    url: Annotated[str, Field(min_length=1, max_length=URL_LETTERS_MAX, examples=["https://grid.example.org/hook"])]


class SubscriptionMade(Body):
    """A subscription with its secret, which is shown this once.

    Every delivery bears `Commonwatt-Webhook-Signature: t=<seconds>,v1=<hex>`: the HMAC-SHA-256, by the secret as it
    is written here, over `<seconds>.` and the raw body.
    """

    url: str
    subscription: str
    secret: str
    made_at: Time


class DeliveryItem(Body):
    """How far a community's corrections were received, and how the last tries went."""

    community: Identifier
    through: int
    failures: int
    next_at: Time | None
    tried_at: Time | None
    delivered_at: Time | None
    problem: str | None


class SubscriptionAnswer(Body):
    """A subscription and its deliveries, by community; `next` is the `after` of the next page."""

    url: str
    subscription: str
    made_at: Time
    deliveries: list[DeliveryItem]
    next: str | None
