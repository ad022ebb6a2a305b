"""A format as an operator describes it, in JSON: how to find it, how to take it apart, what its values mean."""

from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from cloud.endpoint import Body
from cloud.hub.quantity import MEASURES, Quantity
from cloud.hub.reading import INTERVAL_SECONDS_MAX
from cloud.sites.bodies import Name, printed
from cloud.wire.strict import INTEGER_MAX

from .document import Encoding
from .path import PATH_LETTERS_MAX

RULES_MAX = 8  # ways to find one format
VALUES_MAX = 64  # of one row: a three-phase meter with its registers tells about 40
COLUMNS_MAX = 200  # of a table or a binary record
TEXT_LETTERS_MAX = 200  # of a name or a text to compare with
BINARY_BYTES_MAX = 4096  # of one binary record or header

Path = Annotated[str, Field(min_length=1, max_length=PATH_LETTERS_MAX), AfterValidator(printed)]
Text = Annotated[str, Field(max_length=TEXT_LETTERS_MAX), AfterValidator(printed)]
Whole = Annotated[int, Field(ge=-INTEGER_MAX, le=INTEGER_MAX)]
Of = Literal["row", "outer", "message"]
Plain = Text | Whole | bool
Factor = Annotated[str, Field(pattern=r"^-?\d{1,15}(\.\d{1,15})?$", examples=["0.1"])]
Seconds = Annotated[int, Field(ge=1, le=INTERVAL_SECONDS_MAX)]


class FindRule(Body):
    """What messages of this format have in common. What stands in one rule must hold together; any rule suffices.

    `path` is a JMESPath on the JSON message and `equals` what it leads to (left out: anything but null and false).
    `columns` are in the header of the table. `magic` are bytes, in hex, that stand at `offset`.
    """

    path: Path | None = None
    equals: Plain | None = None
    columns: Annotated[list[Path] | None, Field(min_length=1, max_length=COLUMNS_MAX)] = None
    magic: Annotated[str | None, Field(pattern=r"^([0-9a-fA-F]{2}){1,32}$")] = None
    offset: Annotated[int, Field(ge=0, le=BINARY_BYTES_MAX)] = 0

    @model_validator(mode="after")
    def _one_kind(self) -> Self:
        if sum(kind is not None for kind in (self.path, self.columns, self.magic)) != 1:
            raise ValueError("a rule has one of path, columns and magic")
        if self.equals is not None and self.path is None:
            raise ValueError("equals belongs to path")
        return self


class JsonParse(Body):
    """JSON: `rows` leads to the rows, `inner` from each of them to rows within it; or `zip` names lists side by side.

    An object where a list may stand is one row. With `inner`, the row is the inner one and `outer` what it stands in.
    """

    kind: Literal["json"]
    rows: Path = "@"
    inner: Path | None = None
    zip: Annotated[dict[Path, Path] | None, Field(min_length=1, max_length=COLUMNS_MAX)] = None

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if self.zip is not None and (self.rows != "@" or self.inner is not None):
            raise ValueError("zip makes the rows itself: leave rows and inner out")
        return self


class CsvParse(Body):
    """A table as text. Columns go by their names, or by their numbers from "1" on where there is no header."""

    kind: Literal["csv"]
    delimiter: Annotated[str, Field(min_length=1, max_length=1)] = ","
    decimal: Literal[".", ","] = "."
    thousands: Literal["", ".", ",", " ", "'"] = ""
    encodings: Annotated[list[Encoding], Field(min_length=1, max_length=4)] = Field(default=["utf-8"])
    skip: Annotated[int, Field(ge=0, le=100, description="lines before the header, or the first row")] = 0
    header: bool = True

    @model_validator(mode="after")
    def _told_apart(self) -> Self:
        if self.delimiter in '"\r\n\0' or self.decimal in (self.delimiter, self.thousands):
            raise ValueError("delimiter, decimal and thousands must be told apart")
        return self


class Part(Body):
    """A part of a binary message: Python's `struct` text with its byte order first, and a name for each field."""

    struct: Annotated[str, Field(pattern=r"^[<>!=][0-9a-zA-Z? ]{1,199}$", examples=[">IhH"])]
    names: Annotated[list[Path], Field(max_length=COLUMNS_MAX)]


class BinaryParse(Body):
    """Bytes: a header (which is the message's), then records of one kind to the end, or as many as a field says."""

    kind: Literal["binary"]
    header: Part | None = None
    record: Part
    count: Annotated[Path | None, Field(description="the header's field that says how many records follow")] = None
    trailer_bytes: Annotated[int, Field(ge=0, le=64, description="a checksum, which is not looked at")] = 0

    @model_validator(mode="after")
    def _count_known(self) -> Self:
        if self.count is not None and (self.header is None or self.count not in self.header.names):
            raise ValueError("count is no field of the header")
        return self


Parse = Annotated[JsonParse | CsvParse | BinaryParse, Field(discriminator="kind")]


class Member(Body):
    """Where a text or number comes from: a path, the same always, or the part of a column's name that `*` stands for.

    `names` gives what is found another name; `default` stands in where nothing is found.
    """

    path: Path | None = None
    of: Of = "row"
    constant: Plain | None = None
    part_of_column: bool = False
    names: Annotated[dict[Text, Text] | None, Field(max_length=COLUMNS_MAX)] = None
    default: Plain | None = None

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if (self.path is not None) + (self.constant is not None) + self.part_of_column != 1:
            raise ValueError("a member has one of path, constant and part_of_column")
        return self


class Period(Body):
    """The number of a period of the local day, which has 23, 24 or 25 hours: market data are told so."""

    path: Path
    minutes: Annotated[int, Field(ge=1, le=1440)]
    first: Literal[0, 1] = 1


class TimeRule(Body):
    """When it was measured.

    `form` is `rfc3339`, `epoch_s`, `epoch_ms` or a `strptime` text. A time without an offset is one of `zone`, or is
    `offset_path` seconds ahead of UTC. An hour that the clocks repeat is told by `ambiguous`; `in-order` believes that
    the rows of a device, point and quantity follow one another. `label` says whether the time of what is about an
    interval is its start or its end. `optional`: where a row has no time, it is that of receipt.
    """

    path: Path
    then: Annotated[Path | None, Field(description="a second part, put behind the first and a space")] = None
    of: Of = "row"
    form: Annotated[Text, Field(min_length=1, max_length=60)] = "rfc3339"
    zone: Annotated[Text | None, Field(max_length=64, examples=["Europe/London"])] = None
    offset_path: Annotated[Path | None, Field(description="of the message")] = None
    ambiguous: Literal["earlier", "later", "refuse", "in-order"] = "refuse"
    label: Literal["start", "end"] = "start"
    period: Period | None = None
    optional: bool = False


class ValueRule(Body):
    """One quantity of a row: where its number stands, in which unit, and which direction counts positive.

    `columns` is a name with one `*`: every column of such a name is a value. `unit`, `seconds` and `scale` (a power of
    ten) may stand in the data. `where` picks rows by what their members are, as texts.
    """

    quantity: Annotated[Quantity, Field(strict=False)]
    path: Path | None = None
    columns: Annotated[Path | None, Field(pattern=r"^[^*]*\*[^*]*$")] = None
    of: Of = "row"
    unit: Annotated[Text, Field(max_length=20)] | Member
    sign: Literal["import_positive", "export_positive"] = "import_positive"
    factor: Factor = "1"
    scale: Member | None = None
    missing: Annotated[list[Plain], Field(max_length=20)] = Field(default=[""])
    where: Annotated[dict[Path, Text] | None, Field(max_length=8)] = None
    seconds: Seconds | Member | None = None
    device: Member | None = None
    point: Member | None = None
    time: TimeRule | None = None

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if (self.path is None) == (self.columns is None):
            raise ValueError("a value has either path or columns")
        shape = MEASURES[self.quantity].shape
        if self.seconds is not None and shape != "interval":
            raise ValueError(f"{self.quantity} is read at an instant and has no seconds")
        if self.sign == "export_positive" and self.quantity not in DIRECTED:
            raise ValueError(f"{self.quantity} has no direction")
        return self


DIRECTED = frozenset({Quantity.POWER, Quantity.REACTIVE_POWER, Quantity.CURRENT, Quantity.POWER_FACTOR})


class Definition(Body):
    """A format: any maker's way to say what was measured. Numbers with a point are texts, as everywhere."""

    name: Name
    find: Annotated[list[FindRule], Field(max_length=RULES_MAX)] = Field(default=[])
    parse: Parse
    device: Member | None = None
    point: Member | None = None
    time: TimeRule | None = None
    sent: Annotated[TimeRule | None, Field(description="the sender's own clock when it sent; of the message")] = None
    values: Annotated[list[ValueRule], Field(min_length=1, max_length=VALUES_MAX)]
    ahead: Annotated[bool, Field(description="tells of times to come: prices, forecasts")] = False
