"""What the endpoints of registration read and answer."""

from base64 import b64decode
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from cloud.endpoint import Body
from cloud.hub.devices.listing.bodies import DeviceItem, LatitudeE6, LongitudeE6
from cloud.hub.logins.secret import INITIAL_CHARACTERS_MAX
from cloud.hub.messages.message import Taken
from cloud.sites.bodies import Identifier, Name

MESSAGE_CHARACTERS_MAX = 900_000  # what fits into one request beside the rest
FAULTS_TOLD = 20


class FirstMessage(Body):
    """The first data, exactly as they would be pushed: as a text, or bytes in base64."""

    format: Annotated[Identifier | None, Field(description="the format's code, where the data do not tell")] = None
    text: Annotated[str | None, Field(max_length=MESSAGE_CHARACTERS_MAX)] = None
    base64: Annotated[str | None, Field(max_length=MESSAGE_CHARACTERS_MAX)] = None

    @model_validator(mode="after")
    def _one(self) -> Self:
        if (self.text is None) == (self.base64 is None):
            raise ValueError("a message has either text or base64")
        self.raw()
        return self

    def raw(self) -> bytes:
        """Return the bytes of the message."""
        if self.base64 is not None:
            return b64decode(self.base64, validate=True)
        return (self.text or "").encode()


class FirstContactBody(Body):
    """A device shows its initial password. What it says of itself counts where staff has left it open."""

    device: Identifier
    initial_password: Annotated[str, Field(min_length=1, max_length=INITIAL_CHARACTERS_MAX)]
    name: Name | None = None
    maker: Name | None = None
    model: Name | None = None
    latitude_e6: LatitudeE6 | None = None
    longitude_e6: LongitudeE6 | None = None
    message: FirstMessage | None = None

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if (self.latitude_e6 is None) != (self.longitude_e6 is None):
            raise ValueError("a place has a latitude and a longitude")
        return self


class FirstFault(Body):
    """A row, counted from 0, or a whole message that could not be taken, and why."""

    row: int | None
    reason: str
    where: str
    why: str


class FirstTaken(Body):
    """What became of the first message. `unavailable`: it could not be kept just now, push it again."""

    result: Literal["taken", "unreadable", "unavailable"]
    message: str | None = None
    stored: int = 0
    faults: list[FirstFault] = Field(default_factory=list)


class RegisteredDeviceAnswer(Body):
    """The device's unique password, shown this once: `Authorization: Basic base64(device:password)` from now on."""

    community: Identifier
    device: Identifier
    password: str
    message: FirstTaken | None


class OwnDeviceAnswer(DeviceItem):
    """What the hub knows of the device that asks. `rotating`: a new password waits to be used the first time."""

    community: Identifier
    rotating: bool


def first_taken(taken: Taken) -> FirstTaken:
    """Return what became of the first message as it is told."""
    faults = [
        FirstFault(row=one.row, reason=one.reason, where=one.where, why=one.why) for one in taken.faults[:FAULTS_TOLD]
    ]
    unreadable = any(one.row is None for one in taken.faults)
    return FirstTaken(
        result="unreadable" if unreadable else "taken", message=taken.message, stored=taken.stored, faults=faults
    )
