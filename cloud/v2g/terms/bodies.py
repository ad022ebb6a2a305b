"""What the endpoints of V2G terms read and answer, as OpenAPI shows it."""

from dataclasses import asdict
from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from cloud.endpoint import Body
from cloud.sites.bodies import Time
from cloud.wire import time_text

from .terms import (
    DEMAND_PERCENT,
    DISTANCE_M,
    LOOK_BACK,
    MISMATCHES,
    PENDING_CAP_MICRO,
    SOC_FLOOR_PERCENT,
    TOLERANCE_PERCENT,
    TOLERANCE_WH,
    KeptTerms,
    Terms,
)

MICRO_MAX = 10**12  # a million points
PRICE_MAX = 10**7  # ten thousand points a kWh
LOOK_BACK_MAX = 48


class TermsBody(Body):
    """What V2G pays and asks for. What is left out is as where nobody has set anything."""

    base_micro: Annotated[int, Field(ge=0, le=MICRO_MAX, description="for each connected period, also an idle one")] = 0
    price_micro_per_wh: Annotated[
        int, Field(ge=-PRICE_MAX, le=PRICE_MAX, description="earned by energy from the car, paid for energy to it")
    ] = 0
    tolerance_wh: Annotated[int, Field(ge=0, le=10_000)] = TOLERANCE_WH
    tolerance_percent: Annotated[int, Field(ge=0, le=100)] = TOLERANCE_PERCENT
    look_back: Annotated[
        int, Field(ge=1, le=LOOK_BACK_MAX, description="periods without a mismatch that make one final")
    ] = LOOK_BACK
    mismatches: Annotated[
        int, Field(ge=1, le=LOOK_BACK_MAX, description="among so many periods as `look_back` that flag a site")
    ] = MISMATCHES
    soc_floor_percent: Annotated[int, Field(ge=0, le=100, description="a denied cable may charge below it")] = (
        SOC_FLOOR_PERCENT
    )
    distance_m: Annotated[int, Field(ge=1, le=1_000_000)] = DISTANCE_M
    demand_percent: Annotated[int, Field(ge=1, le=1000)] = DEMAND_PERCENT
    pending_cap_micro: Annotated[int, Field(ge=0, le=MICRO_MAX)] = PENDING_CAP_MICRO
    flag_permission: Annotated[Literal["charge_only", "denied"], Field(description="what a flagged site may still")] = (
        "denied"
    )

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.mismatches > self.look_back:
            raise ValueError("mismatches is more than look_back, so that no site would ever be flagged")
        return self

    def terms(self) -> Terms:
        """Return these terms."""
        return Terms(**self.model_dump())


class TermsItem(TermsBody):
    """Terms as somebody set them: for periods that begin at `valid_from` or later. Nobody: nobody has set any."""

    valid_from: Time | None
    set_by: str | None
    set_at: Time | None


class TermsAnswer(Body):
    """The terms that were set last, and before that the earlier ones, the newest first."""

    terms: TermsItem
    history: list[TermsItem]


class TermsPutAnswer(Body):
    """The terms as they stand."""

    terms: TermsItem
    result: Literal["created", "exists"]


class SiteTermsAnswer(Body):
    """The terms that were set last, as a site needs them."""

    v: Literal[1]
    terms: TermsBody


def item_of(kept: KeptTerms | None) -> TermsItem:
    """Return terms as they are told."""
    if kept is None:
        return TermsItem(**asdict(Terms()), valid_from=None, set_by=None, set_at=None)
    times: dict[str, Any] = {"valid_from": time_text(kept.valid_from), "set_at": time_text(kept.set_at)}
    return TermsItem(**asdict(kept.terms), **times, set_by=kept.set_by)
