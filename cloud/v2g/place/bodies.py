"""What the endpoints of registered places read and answer, as OpenAPI shows it."""

from typing import Annotated, Literal

from pydantic import Field

from cloud.endpoint import Body
from cloud.sites.bodies import Identifier, Time

type Latitude = Annotated[int, Field(ge=-90_000_000, le=90_000_000, description="millionths of a degree, north")]
type Longitude = Annotated[int, Field(ge=-180_000_000, le=180_000_000, description="millionths of a degree, east")]


class PlaceBody(Body):
    """Where a site is."""

    latitude_e6: Latitude
    longitude_e6: Longitude


class PlaceAnswer(PlaceBody):
    """Where a site is registered to be, and who said so: the site itself at pairing, or staff since."""

    site: Identifier
    set_by: str
    set_at: Time


class PlacePutAnswer(PlaceAnswer):
    """The place as it stands."""

    result: Literal["created", "exists"]
