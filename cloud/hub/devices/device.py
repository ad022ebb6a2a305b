"""A connected system as a value. Pure."""

from dataclasses import dataclass
from typing import Literal

type DeviceKind = Literal["meter", "tap", "cable", "charger", "battery", "solar", "load", "sensor", "context"]
type DeviceState = Literal["awaited", "active", "revoked"]


@dataclass(frozen=True, slots=True)
class Device:
    """A connected system of a community: a device, or a column of context data such as a market's prices.

    Its id is unique in the whole hub, because it logs in with nothing else. `awaited`: it is on the list and has not
    registered. `source` is the maker's cloud it is read from; such a device has no login of its own. `format` is the
    code that holds where its data name none. Places are in millionths of a degree; `currency` is that of its prices.
    """

    community: str
    device: str
    kind: DeviceKind
    name: str
    maker: str | None = None
    model: str | None = None
    latitude_e6: int | None = None
    longitude_e6: int | None = None
    site: str | None = None
    source: str | None = None
    format: str | None = None
    currency: str | None = None
    state: DeviceState = "awaited"
