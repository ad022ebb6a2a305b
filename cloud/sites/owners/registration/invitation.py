"""An invitation as a value, and what becomes of whoever shows its code."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from cloud.principal import Scope
from cloud.sites.owners.record import not_allowed

INVITATION_SECONDS = 14 * 86_400  # a letter travels, and people take their time
USES_MAX = 1000  # as many owners as a community has at most


@dataclass(frozen=True, slots=True)
class Invitation:
    """Who may come in: one owner once, or so many new owners of a community; only the code itself is secret."""

    invitation: str
    community: str
    owner: str | None
    uses_max: int
    uses: int
    made_by: str
    created_at: int
    expires_at: int
    withdrawn_at: int | None


@dataclass(frozen=True, slots=True)
class Registered:
    """An owner has come in."""

    community: str
    owner: str
    client_id: str


type Reason = Literal[
    "too-many-tries",
    "refused",
    "other-owner",
    "owner-missing",
    "owner-taken",
    "not-allowed",
    "too-many-owners",
    "too-many-clients",
]


@dataclass(frozen=True, slots=True)
class Refusal:
    """Nobody has come in, why, and how long to wait if codes were tried too often."""

    reason: Reason
    wait_s: int | None = None


def opens(invitation: Invitation | None, now: int) -> bool:
    """Tell whether the code of this invitation still lets somebody in."""
    return (
        invitation is not None
        and invitation.withdrawn_at is None
        and now < invitation.expires_at
        and invitation.uses < invitation.uses_max
    )


def judge(invitation: Invitation, wanted: str | None, members: Mapping[str, Any], *, taken: bool) -> Reason | None:
    """Return why this person cannot come in with this id and these members of its record; None if it can.

    `taken` tells whether there is an owner of that id already.
    """
    if invitation.owner is not None:
        if wanted not in (None, invitation.owner):
            return "other-owner"
        return "not-allowed" if not_allowed(members, Scope.OWNER) else None
    if wanted is None or "name" not in members:
        return "owner-missing"
    return "owner-taken" if taken else None
