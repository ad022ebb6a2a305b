"""What the endpoints of the list of devices read and answer."""

from typing import Annotated, Self, get_args

from pydantic import Field, model_validator

from cloud.endpoint import Body, PageQuery
from cloud.hub.devices.device import Device, DeviceKind, DeviceState
from cloud.hub.logins.secret import INITIAL_CHARACTERS_MAX, INITIAL_CHARACTERS_MIN
from cloud.hub.logins.store import Login
from cloud.sites.bodies import Identifier, Name, Time
from cloud.wire import time_text

KINDS: tuple[str, ...] = get_args(DeviceKind.__value__)
STATES: tuple[str, ...] = get_args(DeviceState.__value__)

type LatitudeE6 = Annotated[int, Field(ge=-90_000_000, le=90_000_000, description="millionths of a degree")]
type LongitudeE6 = Annotated[int, Field(ge=-180_000_000, le=180_000_000, description="millionths of a degree")]
type PriceCurrency = Annotated[str, Field(pattern=r"^[A-Z]{3}$")]
type InitialPassword = Annotated[str, Field(min_length=INITIAL_CHARACTERS_MIN, max_length=INITIAL_CHARACTERS_MAX)]


class DeviceMembers(Body):
    """What is known of a device besides its id; a place is whole or not there."""

    maker: Name | None = None
    model: Name | None = None
    latitude_e6: LatitudeE6 | None = None
    longitude_e6: LongitudeE6 | None = None
    site: Identifier | None = None
    source: Annotated[
        Identifier | None, Field(description="the maker's cloud or gateway it is read through: it has no login then")
    ] = None
    format: Annotated[Identifier | None, Field(description="the format of data that name none")] = None
    currency: Annotated[PriceCurrency | None, Field(description="of its prices")] = None

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if (self.latitude_e6 is None) != (self.longitude_e6 is None):
            raise ValueError("a place has a latitude and a longitude")
        return self


class DeviceBody(DeviceMembers):
    """A device for the list. Without `name` it is called by its id; without `initial_password` one is drawn."""

    device: Identifier
    kind: DeviceKind
    name: Name | None = None
    initial_password: InitialPassword | None = None

    @model_validator(mode="after")
    def _secret(self) -> Self:
        if self.initial_password is not None:
            if self.source is not None:
                raise ValueError("a device that is read through a source has no password of its own")
            if self.device.lower() in self.initial_password.lower():
                raise ValueError("the initial password holds the device's id, which is no secret")
        return self

    def device_of(self, community: str) -> Device:
        """Return the device; one that is read through a source needs not register."""
        members = self.model_dump(exclude={"initial_password", "name"})
        state: DeviceState = "active" if self.source is not None else "awaited"
        return Device(community=community, name=self.name or self.device, state=state, **members)


class DeviceChangeBody(DeviceMembers):
    """What shall be different: members that are left out stay, null takes away what may be missing."""

    kind: DeviceKind | None = None
    name: Name | None = None


class DeviceItem(DeviceMembers):
    """A device as it stands."""

    device: Identifier
    kind: DeviceKind
    name: Name
    state: DeviceState


class DeviceAnswer(DeviceItem):
    """A device, and how it logs in: when it registered first, or by when it may, with its initial password."""

    registered_at: Time | None
    initial_until: Time | None
    locked_until: Annotated[Time | None, Field(description="its initial password was guessed at too often")]


class DeviceAddedAnswer(DeviceItem):
    """A new device; its initial password is shown this once, null where it needs none."""

    initial_password: str | None
    initial_until: Time | None


class DevicesAnswer(Body):
    """A page of devices by id; `next` is the last one where there may be more."""

    devices: list[DeviceItem]
    next: Identifier | None


class DevicesQuery(PageQuery):
    """Which devices."""

    kind: Annotated[str | None, Field(pattern=f"^({'|'.join(KINDS)})$")] = None
    state: Annotated[str | None, Field(pattern=f"^({'|'.join(STATES)})$")] = None
    source: Annotated[str | None, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$")] = None


class DrawnPassword(Body):
    """An initial password that was drawn."""

    device: Identifier
    initial_password: str


class DevicesImportedAnswer(Body):
    """What became of a list: how many are new and how many stood so already. Drawn passwords are shown this once."""

    created: int
    existed: int
    initial_until: Time
    passwords: list[DrawnPassword]


def item_of(device: Device) -> DeviceItem:
    """Return a device as it is told."""
    return DeviceItem(**{name: getattr(device, name) for name in DeviceItem.model_fields})


def answer_of(device: Device, login: Login | None) -> DeviceAnswer:
    """Return a device as it is told, with its login."""
    until = login.initial_until if login else None
    locked = login.lock.locked_until if login else 0
    return DeviceAnswer(
        **item_of(device).model_dump(),
        registered_at=_time(login.registered_at) if login else None,
        initial_until=_time(until),
        locked_until=_time(locked or None),
    )


def _time(at: int | None) -> str | None:
    return None if at is None else time_text(at)
