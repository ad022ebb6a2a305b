"""A cable's visits at the cloud: what it may do here, whose it is, and that it was stolen."""

from dataclasses import dataclass
from typing import Any

from ..errors import BadSignature, CloudUnreachable
from ..wire import Standing, Visit, WireError, parse_standing, to_bytes
from ..wire.strict import load
from .client import CloudClient


@dataclass(frozen=True, slots=True)
class OwnCable:
    """A cable as its driver registers it: `ocmf` is a record it signed, the proof that the key is its own."""

    cable: str
    public_key: str
    name: str
    ocmf: str

    def plain(self) -> dict[str, Any]:
        """Return the JSON data of this request."""
        return {"cable": self.cable, "public_key": self.public_key, "name": self.name, "ocmf": self.ocmf}


async def ask_visit(client: CloudClient, visit: Visit) -> Standing:
    """Tell that a cable was plugged in, signed, and return what it may do. Raises what CloudClient does."""
    raw = await client.ask_signed("POST", f"/v1/sites/{client.site}/visits", to_bytes(visit))
    return _standing(client, visit.cable, raw)


async def fetch_standing(client: CloudClient, cable: str) -> Standing:
    """Return what a cable may do that visited before, or is the site's own. Raises what CloudClient does."""
    raw, _ = await client.get_signed(f"/v1/sites/{client.site}/cables/{cable}")
    return _standing(client, cable, raw)


async def register_cable(client: CloudClient, cable: OwnCable) -> None:
    """Register a cable for the site's main owner. Raises what CloudClient does."""
    await client.ask_signed("POST", f"/v1/sites/{client.site}/cables", to_bytes(cable))


async def report_stolen(client: CloudClient, cable: str) -> dict[str, Any]:
    """Report that the site's own cable was stolen; return what the cloud says of it. Raises what CloudClient does."""
    raw = await client.ask_signed("POST", f"/v1/sites/{client.site}/cables/{cable}/stolen", to_bytes({}))
    try:
        return load(raw, "cable")
    except WireError as error:
        raise CloudUnreachable(f"it answers in words not known here: {error}") from error


def _standing(client: CloudClient, cable: str, raw: bytes) -> Standing:
    try:
        standing = parse_standing(raw)
    except WireError as error:
        raise CloudUnreachable(f"it answers in words not known here: {error}") from error
    if (standing.cable, standing.site) != (cable, client.site):
        raise BadSignature("what a cable may do meant for something else")
    return standing
