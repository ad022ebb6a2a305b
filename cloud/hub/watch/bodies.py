"""What the watch is asked and answers, as OpenAPI shows it."""

from typing import Annotated, Any, Literal, Self

from pydantic import Field, ValidationInfo, field_validator, model_validator

from cloud.endpoint import Body, Query
from cloud.hub.events.table import moment_text
from cloud.hub.extraction.bodies import LIST_LETTERS_MAX, TIME_TEXT, listed, time_ms
from cloud.hub.quantity import MEASURES
from cloud.hub.reach.area import Area, box_of, circle_of
from cloud.hub.reach.bodies import KINDS
from cloud.sites.bodies import Identifier
from cloud.wire.strict import IDENTIFIER

from .flow import Flow
from .limit import Out
from .physics import Value
from .store import Asked
from .system import Sight

WITHIN_SECONDS_MAX = 900  # what was measured longer ago says little of an instant
DEVICES_MAX = 200  # named in one question
POINTS_MAX = 2000  # in one answer: half a megabyte

type Moment = Annotated[str, Field(examples=["2026-11-21T12:00:00.000Z"])]


class WatchQuery(Query):
    """What is looked at, when, and how far from then a value may lie. Lists have commas between their names."""

    community: Annotated[str | None, Field(pattern=f"^{IDENTIFIER.pattern}$", description="if the client has none")] = (
        None
    )
    at: Annotated[str | None, Field(max_length=40, description=f"{TIME_TEXT}; now")] = None
    within_s: Annotated[int, Field(ge=1, le=WITHIN_SECONDS_MAX)] = 60
    below: Annotated[str | None, Field(pattern=f"^{IDENTIFIER.pattern}$", description="a piece of equipment")] = None
    device: Annotated[str | None, Field(max_length=LIST_LETTERS_MAX, description="ids")] = None
    kind: Annotated[str | None, Field(max_length=200, description=", ".join(KINDS))] = None
    box: Annotated[str | None, Field(max_length=80, description="south,west,north,east in degrees")] = None
    radius: Annotated[str | None, Field(max_length=80, description="latitude,longitude,metres")] = None
    points: Annotated[Literal["all", "out", "none"], Field(description="which points are shown")] = "all"

    @field_validator("at", "device", "kind", "box", "radius")
    @classmethod
    def _reads(cls, text: str | None, info: ValidationInfo) -> str | None:
        if text is not None:
            READERS_OF[str(info.field_name)](text)
        return text

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.box is not None and self.radius is not None:
            raise ValueError("box and radius cannot both be asked for")
        return self

    def at_ms(self, now_ms: int) -> int:
        """Return the instant that is asked for."""
        return now_ms if self.at is None else time_ms(self.at)

    def asked(self, community: str) -> Asked:
        """Return what is looked at."""
        area: Area | None = None if self.box is None else box_of(self.box)
        if self.radius is not None:
            area = circle_of(self.radius)
        return Asked(community, _devices(self.device), _kinds(self.kind), self.below, area)


def _devices(text: str | None) -> frozenset[str] | None:
    return listed(text, DEVICES_MAX, IDENTIFIER.fullmatch)


def _kinds(text: str | None) -> frozenset[str] | None:
    return listed(text, len(KINDS), KINDS.__contains__, KINDS)


READERS_OF: dict[str, Any] = {
    "at": time_ms,
    "device": _devices,
    "kind": _kinds,
    "box": box_of,
    "radius": circle_of,
}


class ValueItem(Body):
    """A value, when it was measured and how far from the instant (negative before it), whether it is derived.

    `sign_known` false: only how much is known, not whether the current lags or leads.
    """

    value: int
    unit: str
    measured_at: Moment
    distance_ms: int
    derived: bool
    sign_known: bool


class PointItem(Body):
    """A point of a system: `values` by quantity; a tap of a site is named with its site."""

    device: str
    kind: str
    site: Identifier | None
    point: str
    values: dict[str, ValueItem]


class OutItem(Body):
    """A value that is out of tolerance, and by how much (negative: below). `limit_of` is whose limit says so."""

    device: str
    point: str
    quantity: str
    value: ValueItem
    lowest: int | None
    highest: int | None
    by: int
    limit_of: str
    limit_name: str | None


class FlowItem(Body):
    """What flows through a piece of equipment: sums of what is known below it, against what it carries.

    Of `missing` systems and sites no power is known. Where `reactive_sign_known` is false, `reactive_mvar` is the most
    there can be. Unbalances are in thousandths. `overloaded`: more than 100 % of what it carries.
    """

    equipment: Identifier
    counted: int
    missing: int
    power_mw: int
    reactive_mvar: int
    reactive_sign_known: bool
    without_reactive: int
    apparent_mva: int
    carries_mva: int | None
    load_percent: int | None
    overloaded: bool
    phase_ma: list[int]
    without_phase: int
    current_unbalance: int | None
    voltage_mv: int | None
    voltage_unbalance: int | None
    drop_mv: int | None
    drop_from: Identifier | None
    farthest_ms: int


class WatchAnswer(Body):
    """The network at one instant. `silent` systems showed nothing near it."""

    community: Identifier
    at: Moment
    within_s: int
    systems: int
    silent: int
    points: list[PointItem]
    out: list[OutItem]
    equipment: list[FlowItem]


class WatchSettingBody(Body):
    """Whether the load that the watch counts is told as demand rates, where a provider's word does not hold."""

    tells_demand: bool


def value_item(value: Value, quantity: str, at_ms: int) -> ValueItem:
    """Return a value as it is told."""
    return ValueItem(
        value=value.value,
        unit=UNITS[quantity],
        measured_at=moment_text(value.measured_ms),
        distance_ms=value.measured_ms - at_ms,
        derived=value.derived,
        sign_known=value.signed,
    )


UNITS = {quantity.value: measure.unit for quantity, measure in MEASURES.items()}


def point_items(sight: Sight, at_ms: int) -> list[PointItem]:
    """Return the points of a system as they are told."""
    system = sight.system
    return [
        PointItem(
            device=system.device,
            kind=system.kind,
            site=system.site,
            point=point,
            values={name.value: value_item(value, name, at_ms) for name, value in values.items()},
        )
        for point, values in sight.points.items()
    ]


def out_item(out: Out, at_ms: int, *, names: bool) -> OutItem:
    """Return what is out of tolerance as it is told; the equipment's name only to whom the wiring is told."""
    about, name = out.subject
    return OutItem(
        device=out.device,
        point=out.point,
        quantity=out.quantity,
        value=value_item(out.value, out.quantity, at_ms),
        lowest=out.lowest,
        highest=out.highest,
        by=out.by,
        limit_of=about,
        limit_name=name or None if names or about == "device" else None,
    )


SAME = (
    *("equipment", "counted", "missing", "power_mw", "reactive_mvar", "without_reactive", "apparent_mva"),
    *("carries_mva", "load_percent", "without_phase", "current_unbalance", "voltage_mv", "voltage_unbalance"),
    *("drop_mv", "drop_from", "farthest_ms"),
)


def flow_item(flow: Flow) -> FlowItem:
    """Return what flows through a piece as it is told."""
    return FlowItem(
        **{name: getattr(flow, name) for name in SAME},
        reactive_sign_known=flow.reactive_signed,
        overloaded=flow.overloaded,
        phase_ma=list(flow.phase_ma),
    )
