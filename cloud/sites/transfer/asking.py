"""Who asks for a transfer, what for, and what can be said against it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from cloud.principal import Principal, Scope

from .effect import Owned, Transfer

type No = Literal[
    "not-found",
    "transfer-conflict",
    "transfer-pending",
    "same-owner",
    "unknown-owner",
    "passcode-not-set",
    "passcode-refused",
    "passcode-set",
    "forbidden",
]


@dataclass(frozen=True, slots=True)
class Asker:
    """Who asks: a site, an owner (whichever of their clients it is), or staff."""

    scope: Scope
    name: str
    owner: str | None

    @property
    def key(self) -> str:
        """What this asker is known by in records."""
        return f"{self.scope.value}:{self.name}"

    def knows(self, tap_owner: str) -> bool:
        """Tell whether they may hear how a tap stands without its passcode: its owner, its site, staff."""
        return self.scope is not Scope.OWNER or self.owner == tap_owner


def asker_of(principal: Principal) -> Asker:
    """Return who sends a request."""
    name = principal.owner if principal.scope is Scope.OWNER and principal.owner is not None else principal.subject
    return Asker(principal.scope, name, principal.owner)


@dataclass(frozen=True, slots=True)
class Asked:
    """A transfer as it is asked for; `transfer` is the asker's own id of it, so that asking twice is asking once."""

    community: str
    site: str
    tap: str
    transfer: str
    to_owner: str
    by: Asker

    @property
    def place(self) -> tuple[str, str, str]:
        """Where the tap is."""
        return self.community, self.site, self.tap


@dataclass(frozen=True, slots=True)
class Stands:
    """How a tap stands when a transfer of it is asked for."""

    owned: Owned
    pending: Transfer | None
    owners: Mapping[str, str]


def repeated(asked: Asked, known: Transfer) -> Transfer | No:
    """Answer a transfer whose id is known: with itself, if it is the same one."""
    same = (known.site, known.tap, known.to_owner, known.asked_by)
    return known if same == (asked.site, asked.tap, asked.to_owner, asked.by.key) else "transfer-conflict"


def refusal(asked: Asked, stands: Stands) -> No | None:
    """Return what stands against a transfer, the passcode aside."""
    if stands.pending is not None:
        return "transfer-pending"
    if asked.to_owner == stands.owned.owner:
        return "same-owner"
    return None if asked.to_owner in stands.owners else "unknown-owner"
