"""What the endpoints of this room read and answer, as OpenAPI shows it."""

from typing import Annotated, Literal

from pydantic import Field

from cloud.endpoint import Body, Query
from cloud.sites.bodies import Identifier, Time


class UpstreamBody(Body):
    """Below which tap of which other site a site's root taps hang, from an interval boundary on."""

    upstream_site: Identifier
    upstream_tap: Identifier
    valid_from: Time


class UpstreamQuery(Query):
    """From which interval boundary on a site hangs on the grid again."""

    valid_from: Annotated[str, Field(max_length=20, examples=["2026-11-21T05:30:00Z"])]


class UpstreamItem(Body):
    """What a site hangs below from a time on; both null: on the grid."""

    valid_from: Time
    upstream_site: Identifier | None
    upstream_tap: Identifier | None


class UpstreamAnswer(UpstreamItem):
    """What is kept now."""

    site: Identifier
    result: Literal["created", "exists", "replaced"]


class UpstreamsAnswer(Body):
    """What a site hung and hangs below, in order of time; before the first it hangs on the grid."""

    site: Identifier
    upstreams: list[UpstreamItem]
