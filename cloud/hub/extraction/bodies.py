"""What may be asked of the record, and how it is answered, as OpenAPI shows it."""

from collections.abc import Callable, Iterable
from datetime import datetime
import re
from typing import Annotated, Any, Literal, Self

from pydantic import Field, field_validator, model_validator

from cloud.endpoint import Body, Query
from cloud.hub.quantity import MEASURES, Quantity
from cloud.hub.reach.area import Area, box_of, circle_of
from cloud.hub.reach.bodies import KINDS
from cloud.hub.reading import Timed
from cloud.wire.strict import IDENTIFIER, INTEGER_MAX, TIME_MAX

from .cursor import LETTERS_MAX as CURSOR_LETTERS_MAX
from .question import Question

LIST_LETTERS_MAX = 16_000  # a line of a request is no longer
DEVICES_MAX = 200  # in one question
POINT_LETTERS_MAX = 64
PAGE_ROWS_MAX = 10_000  # two megabytes of JSON, made in some ten milliseconds
STREAM_ROWS_MAX = 20_000_000  # rows of one stream, some four gigabytes of text; behind, `next` goes on

type As = Literal["json", "ndjson", "csv", "parquet"]

TIME_WITH_OFFSET = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d(:\d\d(\.\d{1,3})?)?([Zz]|[+-]\d\d:\d\d)", re.ASCII)
TIME_TEXT = "RFC 3339 with Z or an offset, to the millisecond"


def time_ms(text: str) -> int:
    """Read a time that says its offset; raises ValueError. A local time would be two times when clocks are set back."""
    text = text[:11] + text[11:].replace(" ", "+")  # what an unquoted + becomes in a query
    if not TIME_WITH_OFFSET.fullmatch(text):
        raise ValueError("is not a time with Z or an offset, like 2026-10-25T02:30:00+02:00")
    try:
        at = datetime.fromisoformat(text.upper())
        found = int(at.timestamp()) * 1000 + at.microsecond // 1000
    except ValueError, OverflowError:
        raise ValueError("is not a date of the calendar") from None
    if not 0 <= found <= TIME_MAX * 1000:
        raise ValueError("is not from 1970 on")
    return found


def listed(
    text: str | None, most: int, known: Callable[[str], Any], words: Iterable[str] = ()
) -> frozenset[str] | None:
    """Read names with commas between them; raises ValueError, with the known `words`, where one is not known."""
    if text is None:
        return None
    names = text.split(",")
    if len(names) > most:
        raise ValueError(f"names more than {most}")
    if not all(map(known, names)):
        told = f"; known are {', '.join(words)}" if words else ""
        raise ValueError(f"holds a name that is none{told}")
    return frozenset(names)


class SelectionQuery(Query):
    """Which systems are meant; what is left out restricts nothing, lists have commas between their names."""

    community: Annotated[str | None, Field(pattern=f"^{IDENTIFIER.pattern}$", description="if the client has none")] = (
        None
    )
    device: Annotated[str | None, Field(max_length=LIST_LETTERS_MAX, description="ids")] = None
    kind: Annotated[str | None, Field(max_length=200, description=", ".join(KINDS))] = None
    site: Annotated[str | None, Field(pattern=f"^{IDENTIFIER.pattern}$")] = None
    quantity: Annotated[str | None, Field(max_length=500, description=", ".join(Quantity))] = None
    box: Annotated[str | None, Field(max_length=80, description="south,west,north,east in degrees")] = None
    radius: Annotated[str | None, Field(max_length=80, description="latitude,longitude,metres")] = None

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.box is not None and self.radius is not None:
            raise ValueError("box and radius cannot both be asked for")
        self.parts()
        return self

    def parts(self) -> dict[str, Any]:
        """Return what these members say, by the names of a question; raises ValueError with the member's name."""
        area: Area | None = None
        if self.box is not None:
            area = named("box", box_of, self.box)
        if self.radius is not None:
            area = named("radius", circle_of, self.radius)
        return {
            "devices": named("device", lambda text: listed(text, DEVICES_MAX, IDENTIFIER.fullmatch), self.device),
            "kinds": named("kind", lambda text: listed(text, len(KINDS), KINDS.__contains__, KINDS), self.kind),
            "quantities": named("quantity", _quantities, self.quantity),
            "site": self.site,
            "area": area,
        }


def _quantities(text: str | None) -> frozenset[str] | None:
    return listed(text, len(Quantity), MEASURES.__contains__, MEASURES)


def named[T, R](name: str, read: Callable[[T], R], text: T) -> R:
    """Read a member, and say its name where it is wrong."""
    try:
        return read(text)
    except ValueError as error:
        raise ValueError(f"{name} {error}") from None


class ReadingsQuery(SelectionQuery):
    """Which readings, of what time, and how they are to come."""

    from_: Annotated[str | None, Field(alias="from", max_length=32, description=f"required; {TIME_TEXT}")] = None
    to: Annotated[str | None, Field(max_length=32, description=f"required, itself left out; {TIME_TEXT}")] = None
    point: Annotated[str | None, Field(max_length=POINT_LETTERS_MAX, description="a phase, an outlet")] = None
    above: Annotated[int | None, Field(ge=-INTEGER_MAX, le=INTEGER_MAX, description="with one quantity")] = None
    below: Annotated[int | None, Field(ge=-INTEGER_MAX, le=INTEGER_MAX, description="with one quantity")] = None
    timed: Timed | None = None
    resample: Annotated[str | None, Field(pattern="^(1|5|15|30|60)$", description="minutes")] = None
    as_: Annotated[As | None, Field(alias="as", description="else by Accept")] = None
    after: Annotated[str, Field(max_length=CURSOR_LETTERS_MAX, description="`next` of what came before")] = ""
    limit: Annotated[
        int | None,
        Field(ge=1, le=STREAM_ROWS_MAX, description=f"rows; in a JSON page at most {PAGE_ROWS_MAX}"),
    ] = None

    @field_validator("point")
    @classmethod
    def _printable(cls, value: str | None) -> str | None:
        if value is not None and not value.isprintable():
            raise ValueError("holds a character that cannot be printed")
        return value

    @model_validator(mode="after")
    def _bounds(self) -> Self:
        named_once = self.quantity is not None and "," not in self.quantity
        if not named_once and (self.above, self.below) != (None, None):
            raise ValueError("above and below go with one quantity, whose unit they are in")
        for name, text in (("from", self.from_), ("to", self.to)):
            if text is not None:
                named(name, time_ms, text)
        return self

    def question(self, community: str) -> Question:
        """Return the question; both times are there."""
        assert self.from_ is not None
        assert self.to is not None
        return Question(
            community=community,
            from_ms=time_ms(self.from_),
            to_ms=time_ms(self.to),
            point=self.point,
            above=self.above,
            below=self.below,
            timed=self.timed,
            window_ms=None if self.resample is None else int(self.resample) * 60_000,
            **self.parts(),
        )


type Unit = Annotated[str, Field(examples=["mW"])]
type TimeMs = Annotated[str, Field(pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$")]


class SeriesMember(Body):
    """Whose reading it is and what of; `point` is "" where a system has but one."""

    community: str
    site: str | None
    device: str
    kind: str
    point: str
    quantity: str
    unit: Unit
    measured_at: TimeMs
    seconds: int
    value: int


class ReadingItem(SeriesMember):
    """A reading under the time it was measured; `revision` counts how often its value was corrected."""

    timed: Timed
    revision: int


class WindowItem(SeriesMember):
    """A window that begins at `measured_at`: of instants the mean, of energy the sum, of registers the end."""

    min: int | None
    max: int | None
    count: int
    change: int | None
    estimated: bool


class HubReadingsAnswer(Body):
    """A page of readings, or of windows; `next` is null on the last one, also an empty page may have one."""

    readings: list[ReadingItem | WindowItem]
    next: str | None
