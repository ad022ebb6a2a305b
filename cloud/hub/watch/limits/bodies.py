"""What the endpoints of limits read and answer, as OpenAPI shows it."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from cloud.endpoint import Body
from cloud.hub.quantity import VALUE_MAX, Quantity
from cloud.hub.watch.limit import LIMITS_MAX, Limit
from cloud.sites.bodies import Identifier

PERCENT_MAX = 1000
POINT_LETTERS_MAX = 64

type Bound = Annotated[int, Field(ge=-VALUE_MAX, le=VALUE_MAX)]
type PercentOff = Annotated[int, Field(ge=0, le=PERCENT_MAX)]
type Limited = Literal[
    "voltage", "current", "power", "reactive_power", "apparent_power", "power_factor"
]  # mV, mA, mW, mvar, mVA, thousandths


class WatchLimitBody(Body):
    """Between what a quantity is in tolerance, in mV, mA, mW, mvar, mVA or thousandths of a power factor.

    Either `lowest` and `highest`, of which one may be left out, or `nominal` and how many percent below and above it.
    Without `point` it holds at every point. Of currents and power factors the size counts, whichever way they go.
    """

    quantity: Limited
    point: Annotated[str, Field(max_length=POINT_LETTERS_MAX, pattern=r"^[^*]*$")] | None = None
    lowest: Bound | None = None
    highest: Bound | None = None
    nominal: Annotated[int, Field(ge=1, le=VALUE_MAX)] | None = None
    below_percent: PercentOff | None = None
    above_percent: PercentOff | None = None

    @model_validator(mode="after")
    def _fits(self) -> Self:
        percents = (self.below_percent, self.above_percent)
        if self.nominal is None and percents != (None, None):
            raise ValueError("percents are of a nominal value, which is missing")
        if self.nominal is not None and (percents == (None, None) or (self.lowest, self.highest) != (None, None)):
            raise ValueError("with a nominal value goes how many percent below or above it, and nothing else")
        limit = self.limit()
        if limit.least is None and limit.most is None:
            raise ValueError("limits nothing: say lowest or highest")
        if limit.least is not None and limit.most is not None and limit.least > limit.most:
            raise ValueError("lowest lies above highest")
        return self

    def limit(self) -> Limit:
        """Return this limit."""
        named = {name: getattr(self, name) for name in type(self).model_fields if name != "quantity"}
        return Limit(Quantity(self.quantity), **named)


class WatchLimitsBody(Body):
    """The limits that hold, and no others; an empty list takes them away."""

    limits: Annotated[list[WatchLimitBody], Field(max_length=LIMITS_MAX)]

    @model_validator(mode="after")
    def _once(self) -> Self:
        if len({(limit.quantity, limit.point) for limit in self.limits}) != len(self.limits):
            raise ValueError("limits names a quantity of a point twice")
        return self


class WatchLimitsOf(WatchLimitsBody):
    """The limits of the community (`name` is null), of a piece of equipment or of a connected system."""

    about: Literal["community", "equipment", "device"]
    name: Identifier | None


class WatchLimitsAnswer(Body):
    """All the limits of a community; the nearest holds: of the point, its system, its equipment, the community."""

    limits: list[WatchLimitsOf]


def body_of_limit(limit: Limit) -> WatchLimitBody:
    """Return a limit as it is told."""
    return WatchLimitBody(
        quantity=limit.quantity.value,  # type: ignore[arg-type]  # only such are kept
        **{name: getattr(limit, name) for name in WatchLimitBody.model_fields if name != "quantity"},
    )
