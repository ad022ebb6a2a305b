"""What the endpoints of clients read and answer."""

from typing import Literal, Self

from pydantic import model_validator

from cloud.endpoint import Body
from cloud.sites.bodies import Identifier, Name, Time

type Granted = Literal["manager", "upper", "owner", "provider"]


class ClientBody(Body):
    """For whom a client is: a manager, an upper system that reads, the power provider, or an owner."""

    scope: Granted
    name: Name
    owner: Identifier | None = None

    @model_validator(mode="after")
    def _bound(self) -> Self:
        if (self.scope == "owner") != (self.owner is not None):
            raise ValueError("owner is named for scope owner, and for no other")
        return self


class ClientItem(Body):
    """A client, without its secret."""

    client_id: str
    scope: Granted
    community: Identifier
    owner: Identifier | None
    name: Name
    created_at: Time


class ClientAnswer(ClientItem):
    """A new client with its secret, shown this once."""

    client_secret: str


class ClientsAnswer(Body):
    """A page of a community's clients; `next` is the last one where there may be more."""

    clients: list[ClientItem]
    next: str | None
