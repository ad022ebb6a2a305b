"""Callers of every role, for tests: tokens as the cloud issues them, and clients as staff makes them."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from cloud.principal import Scope
from cloud.schema.tables import metadata
from cloud.sites.access.credentials import Client, issue

from .conftest import COMMUNITY, Cloud, Reply

HILLSIDE = "hillside"

FILLERS = {
    "kid": "k" * 43,
    "id": "n",
    "client": "c",
    "invitation": "i",
    "valid_from": "2026-12-01T00:00:00Z",
    "tap": "ev",
    "provider": "stripe",
    "day": "2026-11-20",
    "cable": "CWC-1",
    "device": "meter-7",
    "format": "unified",
    "source": "maker-1",
    "message": "m",
    "equipment": "T1",
    "start": "2026-11-21T12:00:00Z",
}
"""What stands for a name in a path besides `community`, `owner` and `site`. A new name is listed here, and where it is
an identifier, in `endpoint.IDENTIFIERS` too."""


@dataclass(frozen=True)
class Caller:
    """Who calls, and how far its token reaches."""

    scope: Scope
    community: str | None = None
    owner: str | None = None
    site: str | None = None
    device: str | None = None  # its id, a dot and its password, which it shows in place of a token

    def __str__(self) -> str:
        """Return what a failing test says."""
        return "/".join(filter(None, (self.scope, self.community, self.owner, self.site)))

    def token(self, cloud: Cloud) -> str:
        """Return a token as the cloud issues it to such a client; a device shows its password."""
        if self.device is not None:
            return self.device
        client = Client(self.site or f"client-{self.scope}", self.scope, self.community, "", self.owner)
        return issue(cloud.key, client, "http://cloud.test", cloud.clock() // 1000)

    async def call(self, cloud: Cloud, method: str, path: str, json: Any = None) -> Reply:
        """Send one request; a path that begins with no slash is one of its community."""
        full = path if path.startswith("/") else f"/v1/communities/{self.community or COMMUNITY}/{path}".rstrip("/")
        return await cloud.call(method, full, token=self.token(cloud), json=json)


OPERATOR = Caller(Scope.OPERATOR)
MANAGER = Caller(Scope.MANAGER, COMMUNITY)
UPPER = Caller(Scope.UPPER)
PROVIDER = Caller(Scope.PROVIDER, COMMUNITY)
ANNA = Caller(Scope.OWNER, COMMUNITY, "anna")
BEN = Caller(Scope.OWNER, COMMUNITY, "ben")


async def made(cloud: Cloud, scope: str, *, community: str = COMMUNITY, owner: str | None = None) -> tuple[str, str]:
    """Make a client as the operator does, and return its id and secret."""
    body = {"scope": scope, "name": f"{scope} of tests"} | ({"owner": owner} if owner else {})
    reply = await cloud.operator("POST", f"{community}/clients", body)
    assert reply.status == 201, reply.json
    return reply.json["client_id"], reply.json["client_secret"]


async def everything(cloud: Cloud) -> list[tuple[str, list[str]]]:
    """Return every row of every table, to see whether anything has changed."""
    return [(table.name, sorted(str(row) for row in await cloud.rows(table))) for table in metadata.sorted_tables]


def texts_of(data: Any) -> Iterator[str]:
    """Yield every text within JSON data."""
    match data:
        case str():
            yield data
        case dict():
            for value in data.values():
                yield from texts_of(value)
        case list():
            for value in data:
                yield from texts_of(value)
