"""What the endpoints of formats read and answer, as OpenAPI shows it."""

from base64 import b64decode
import binascii
from typing import Annotated, Any, Self

from pydantic import Field, model_validator

from cloud.endpoint import Body
from cloud.hub.events.table import moment_text
from cloud.hub.messages.bodies import FaultItem
from cloud.hub.messages.message import Fault
from cloud.hub.quantity import MEASURES
from cloud.hub.reading import Reading, Timed
from cloud.sites.bodies import Identifier, Time
from cloud.wire import time_text
from cloud.wire.strict import INTEGER_MAX

from .book import Format
from .definition import Definition
from .store import Kept

SHOWN_MAX = 1000  # readings that a dry run shows; it counts them all

Encoded = Annotated[str, Field(max_length=1_500_000)]


class FormatItem(Body):
    """A format: its newest version, and who registered that; the hub's own have neither time nor maker."""

    format: Identifier
    version: int
    name: str
    built_in: bool
    made_at: Time | None
    made_by: str | None
    retired_at: Time | None


class FormatsAnswer(Body):
    """A page of formats by code; `next` is the last one where there may be more."""

    formats: list[FormatItem]
    next: Identifier | None


class VersionItem(FormatItem):
    """One version of a format for ever; null where a program of the hub's own reads it."""

    definition: Definition | None


class VersionsAnswer(Body):
    """Every version of a format, the oldest first."""

    versions: list[VersionItem]


class DryRunBody(Body):
    """Bytes as text or as base64, and what to read them by: a new definition, a format's code, or what they tell."""

    definition: Definition | None = None
    format: Identifier | None = None
    text: Encoded | None = None
    base64: Encoded | None = None
    received_at: Annotated[Time | None, Field(description="of receipt; left out, now")] = None

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if (self.text is None) == (self.base64 is None):
            raise ValueError("a dry run has either text or base64")
        try:
            self.raw()
        except binascii.Error, UnicodeEncodeError, ValueError:
            raise ValueError("text is no text, or base64 is no base64") from None
        return self

    def raw(self) -> bytes:
        """Return the bytes; raises ValueError."""
        if self.text is not None:
            return self.text.encode()
        return b64decode(self.base64 or "", validate=True)


class DryReading(Body):
    """A reading as it would be kept; `value` is in `unit`, `row` where it stands in the message."""

    row: int | None
    device: str
    point: str
    quantity: str
    unit: str
    value: Annotated[int, Field(ge=-INTEGER_MAX, le=INTEGER_MAX)]
    measured_at: str
    measured_ms: int
    seconds: int
    timed: Timed


class DryRunAnswer(Body):
    """What a message says.

    `found` are the formats whose rules it fits: one, and it is taken without naming its format. `readings` are the
    first 1000 of `count`.
    """

    found: list[str]
    format: str | None
    version: int | None
    sent_ms: int | None
    count: int
    readings: list[DryReading]
    faults: list[FaultItem]


def kept_item(kept: Kept) -> FormatItem:
    """Return a registered format as it is told."""
    return FormatItem(**_members(kept))


def version_item(kept: Kept) -> VersionItem:
    """Return a version of a registered format as it is told."""
    return VersionItem(**_members(kept), definition=kept.definition)


def _members(kept: Kept) -> dict[str, Any]:
    return {
        "format": kept.format,
        "version": kept.version,
        "name": kept.definition.name,
        "built_in": False,
        "made_at": time_text(kept.made_at),
        "made_by": kept.made_by,
        "retired_at": None if kept.retired_at is None else time_text(kept.retired_at),
    }


def own_item(own: Format) -> VersionItem:
    """Return one of the hub's own formats as it is told."""
    return VersionItem(
        format=own.code,
        version=own.version,
        name=own.name,
        built_in=True,
        made_at=None,
        made_by=None,
        retired_at=None,
        definition=own.definition,
    )


def dry_reading(reading: Reading, row: int | None) -> DryReading:
    """Return a reading as a dry run shows it."""
    return DryReading(
        row=row,
        device=reading.device,
        point=reading.point,
        quantity=reading.quantity.value,
        unit=MEASURES[reading.quantity].unit,
        value=reading.value,
        measured_at=moment_text(reading.measured_ms),
        measured_ms=reading.measured_ms,
        seconds=reading.seconds,
        timed=reading.timed,
    )


def fault_item(fault: Fault) -> FaultItem:
    """Return a fault as it is told."""
    return FaultItem(row=fault.row, reason=fault.reason, where=fault.where, why=fault.why)
