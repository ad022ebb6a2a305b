"""What is asked and answered about the clocks of connected systems."""

from typing import Self

from pydantic import Field, model_validator

from cloud.endpoint import PAGE_MAX, Body, Query

from .clock import FAR_MS, LIMIT_MS, ClockState, Order, SystemKind

DAY_MS = 86_400_000
LIMIT_MS_MIN = 100  # less than a message may be on its way


class NoticeItem(Body):
    """What a system is told of its clock, which was ahead by `offset_ms` when it sent this message.

    `order` says what to do by `by_ms`; null: nothing, or we cannot say and `why` tells.
    """

    offset_ms: int
    state: ClockState
    order: Order | None
    by_ms: int
    why: str | None


class ClocksQuery(Query):
    """A page of clocks, after the `kind.system` of the last one; of one state, or of all."""

    after: str = Field(default="", pattern=r"^([a-z]+\.[A-Za-z0-9_.-]{1,64})?$")
    limit: int = Field(default=100, ge=1, le=PAGE_MAX)
    state: ClockState | None = None


class ClockItem(Body):
    """The clock of a system: how far it is ahead by the median of its last messages, and since when in this state."""

    kind: SystemKind
    system: str
    offset_ms: int
    state: ClockState
    at: str
    since: str


class ClocksAnswer(Body):
    """A page of clocks."""

    clocks: list[ClockItem]
    next: str | None


class LimitsBody(Body):
    """From which offset on, to either side, a clock is off, and from which it is far off."""

    limit_ms: int = Field(default=LIMIT_MS, ge=LIMIT_MS_MIN, le=DAY_MS)
    far_ms: int = Field(default=FAR_MS, ge=LIMIT_MS_MIN, le=DAY_MS)

    @model_validator(mode="after")
    def _far_is_further(self) -> Self:
        if self.far_ms < self.limit_ms:
            raise ValueError("far_ms is less than limit_ms")
        return self
