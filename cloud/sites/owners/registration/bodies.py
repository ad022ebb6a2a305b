"""What the endpoints of registration read and answer."""

from typing import Annotated

from pydantic import Field

from cloud.endpoint import Body
from cloud.sites.bodies import Identifier, Time
from cloud.sites.owners.bodies import RecordBody

from .invitation import USES_MAX


class InvitationBody(Body):
    """An open invitation: how many new owners may come in with it."""

    uses_max: Annotated[int, Field(ge=1, le=USES_MAX)]


class InvitationItem(Body):
    """An invitation, without its code; `owner` null is an open one."""

    invitation: Identifier
    owner: Identifier | None
    uses_max: int
    uses: int
    made_by: str
    created_at: Time
    expires_at: Time
    withdrawn_at: Time | None


class InvitationAnswer(InvitationItem):
    """A new invitation with its code, shown this once."""

    code: Annotated[str, Field(examples=["7K3M-9QXT-2B4D-HN8V"])]


class InvitationsAnswer(Body):
    """A page of a community's invitations, oldest first; `next` is the last one where there may be more."""

    invitations: list[InvitationItem]
    next: Identifier | None


class RegistrationBody(RecordBody):
    """Somebody comes in with a code. With an open invitation `owner` (the wanted id) and `name` are needed."""

    code: Annotated[str, Field(max_length=100)]
    owner: Identifier | None = None


class RegisteredAnswer(Body):
    """The owner's id for ever, and its OAuth2 client; the secret is shown this once."""

    community: Identifier
    owner: Identifier
    client_id: str
    client_secret: str
