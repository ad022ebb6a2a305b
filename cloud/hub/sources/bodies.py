"""What the endpoints for makers' clouds read and answer."""

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field

from cloud.endpoint import Body
from cloud.hub.devices.device import DeviceKind as Kind
from cloud.hub.pull.driver import Reason
from cloud.sites.bodies import Identifier, Name, Time, printed

from .source import DEVICES_MAX, EVERY_SECONDS_MAX, EVERY_SECONDS_MIN, SourceState

SECRET_LETTERS_MAX = 8000

SecretName = Annotated[str, Field(pattern=r"^[a-z_]{1,32}$")]
Secret = Annotated[str, Field(min_length=1, max_length=SECRET_LETTERS_MAX, pattern=r"^[ -~]*$")]
MakersName = Annotated[str, Field(min_length=1, max_length=200), AfterValidator(printed)]


class SourceBody(Body):
    """A maker's cloud that is read every so many seconds, by a driver with its description.

    `secrets` are never answered again; left out, those that are set stay. `devices` says which device is meant by a
    name of the maker's; for other names devices of kind `new_devices` are made, or the rows are refused where it is
    left out. `restart` forgets how far it was read.
    """

    name: Name
    driver: Identifier
    description: dict[str, Any]
    every_seconds: Annotated[int, Field(ge=EVERY_SECONDS_MIN, le=EVERY_SECONDS_MAX)] = 900
    secrets: Annotated[dict[SecretName, Secret], Field(max_length=10)] | None = None
    devices: Annotated[dict[MakersName, Identifier], Field(max_length=DEVICES_MAX, default_factory=dict)]
    new_devices: Kind | None = None
    restart: bool = False


class SourceItem(Body):
    """A maker's cloud and how it goes; `secrets` names those that are set, `problem` says why it is failing."""

    source: Identifier
    name: str
    driver: Identifier
    every_seconds: int
    new_devices: str | None
    secrets: list[str]
    state: SourceState
    last_at: Time | None
    next_at: Time | None
    failing_since: Time | None
    reason: Reason | None
    problem: str | None


class SourceAnswer(SourceItem):
    """A maker's cloud with everything that is said of it."""

    description: dict[str, Any]
    devices: dict[str, Identifier]


class SourcesAnswer(Body):
    """A page of a community's makers' clouds; `next` is the last one where there may be more."""

    sources: list[SourceItem]
    next: Identifier | None


class DriverItem(Body):
    """A driver, and the form of its descriptions as a JSON Schema."""

    driver: Identifier
    about: str
    description: dict[str, Any]


class DriversAnswer(Body):
    """The drivers of this cloud; `broken` names the files that are none, and why."""

    drivers: list[DriverItem]
    broken: dict[str, str]


class TriedReading(Body):
    """A reading that would be kept; `device` is the hub's id of it."""

    device: str
    point: str
    quantity: str
    measured_at: str
    measured_ms: int
    seconds: int
    value: int
    unit: str
    timed: Literal["given", "received"]


class TriedFault(Body):
    """A row, or with null a whole answer, that would not be kept, and why."""

    row: int | None
    reason: str
    where: str
    why: str


class TriedMessage(Body):
    """One answer of the maker's cloud: how much would be kept, and the first readings and faults."""

    bytes: int
    begins: str
    format: str | None
    offset_ms: int | None
    readings: int
    faults: int
    first_readings: list[TriedReading]
    first_faults: list[TriedFault]
    new_devices: list[str]


class TriedAnswer(Body):
    """What one pull would have kept; nothing was. `reason` and `problem` say why it ended early, if it did."""

    requests: int
    messages: list[TriedMessage]
    ended: Literal["whole", "enough", "failed"]
    reason: Reason | None
    problem: str | None
