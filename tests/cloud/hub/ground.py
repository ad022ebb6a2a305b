"""Connected systems for tests: registered as their makers' firmware would, with the headers they push with."""

from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tests.cloud.conftest import COMMUNITY, Cloud, Reply


@dataclass(frozen=True)
class Login:
    """A registered device: its id, its unique password, and the headers that let it in."""

    device: str
    password: str

    @property
    def headers(self) -> dict[str, str]:
        """HTTP Basic, as most firmware sends it."""
        return basic(self.device, self.password)


def basic(device: str, password: str) -> dict[str, str]:
    """Return the header that shows a device's password."""
    return {"Authorization": f"Basic {b64encode(f'{device}:{password}'.encode()).decode()}"}


async def listed(cloud: Cloud, device: str, *, kind: str = "meter", community: str = COMMUNITY, **more: Any) -> Reply:
    """Put a device on the list of a community, as the operator does; the answer shows its initial password."""
    reply = await cloud.operator("POST", f"{community}/devices", {"device": device, "kind": kind} | more)
    assert reply.status == 201, reply.json
    return reply


async def first_contact(cloud: Cloud, device: str, initial: str, *, address: str | None = None, **more: Any) -> Reply:
    """Send what a device sends first."""
    headers: Mapping[str, str] = {} if address is None else {"X-Forwarded-For": address}
    body = {"device": device, "initial_password": initial} | more
    return await cloud.call("POST", "/v1/hub/devices", json=body, headers=headers)


async def registered(
    cloud: Cloud, device: str, *, kind: str = "meter", community: str = COMMUNITY, **more: Any
) -> Login:
    """Put a device on the list and let it register."""
    added = await listed(cloud, device, kind=kind, community=community, **more)
    reply = await first_contact(cloud, device, added.json["initial_password"])
    assert reply.status == 201, reply.json
    return Login(device, reply.json["password"])
