"""What the endpoints of a client's reach read and answer, as OpenAPI shows it."""

from typing import Annotated, Self, get_args

from pydantic import Field, model_validator

from cloud.endpoint import Body
from cloud.hub.devices.device import DeviceKind as Kind
from cloud.hub.quantity import Quantity
from cloud.sites.bodies import Identifier, Time

from .area import Area, Box, area_text, box_of, circle_of
from .reach import Reach

SITES_MAX = 1000  # a reach is read with each page of an extraction
AREAS_MAX = 20

KINDS = get_args(Kind.__value__)

type AreaText = Annotated[str, Field(max_length=80)]


class ReachBody(Body):
    """What a client may read: all that is named must hold; a member that is left out restricts nothing."""

    kinds: Annotated[list[Kind], Field(max_length=len(KINDS))] | None = None
    quantities: Annotated[list[str], Field(max_length=len(Quantity), examples=[["power"]])] | None = None
    sites: Annotated[list[Identifier], Field(max_length=SITES_MAX)] | None = None
    boxes: (
        Annotated[
            list[AreaText],
            Field(max_length=AREAS_MAX, description="south,west,north,east", examples=[["52.3,13.0,52.7,13.8"]]),
        ]
        | None
    ) = None
    circles: (
        Annotated[
            list[AreaText],
            Field(max_length=AREAS_MAX, description="latitude,longitude,metres", examples=[["52.52,13.405,2000"]]),
        ]
        | None
    ) = None

    @model_validator(mode="after")
    def _fits(self) -> Self:
        unknown = set(self.quantities or ()) - {quantity.value for quantity in Quantity}
        if unknown:
            raise ValueError("quantities names one that is not known")
        self.reach()
        return self

    def reach(self) -> Reach:
        """Return this reach; the boxes and the circles are one list of areas, of which one must hold."""
        areas: list[Area] = [*map(box_of, self.boxes or ()), *map(circle_of, self.circles or ())]
        named = self.boxes is not None or self.circles is not None
        return Reach(
            kinds=None if self.kinds is None else frozenset(self.kinds),
            quantities=None if self.quantities is None else frozenset(self.quantities),
            sites=None if self.sites is None else frozenset(self.sites),
            areas=tuple(areas) if named else None,
        )


class ReachAnswer(ReachBody):
    """How far a client sees in a community; what is null restricts nothing."""

    community: Identifier
    client: Identifier
    set_by: Identifier
    set_at: Time


def members_of(reach: Reach) -> dict[str, list[str] | None]:
    """Return a reach as it is told."""
    areas = reach.areas
    named: dict[str, list[str] | None] = {
        "kinds": None if reach.kinds is None else sorted(reach.kinds),
        "quantities": None if reach.quantities is None else sorted(reach.quantities),
        "sites": None if reach.sites is None else sorted(reach.sites),
        "boxes": None if areas is None else [area_text(area) for area in areas if isinstance(area, Box)],
        "circles": None if areas is None else [area_text(area) for area in areas if not isinstance(area, Box)],
    }
    return named
