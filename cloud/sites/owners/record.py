"""An owner's record as a value, and how what somebody sent of it becomes columns and the history of a change."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from cloud.principal import Scope

type Member = Literal["name", "mail", "phone", "language", "address", "payment", "prepaid"]
type Language = Literal["en", "ja"]

PAYMENT_SHOWN = 4  # characters of a means of payment by which its owner knows it again


@dataclass(frozen=True, slots=True)
class Address:
    """Where an owner receives letters."""

    lines: tuple[str, ...]
    postal_code: str | None
    city: str
    country: str


@dataclass(frozen=True, slots=True)
class Payment:
    """A means of payment as its provider names it: the token opens it only together with the provider's own key."""

    provider: str
    token: str


@dataclass(frozen=True, slots=True)
class Owner:
    """Who pays and is paid at a tap; `prepaid` ones are supplied only while they have points."""

    community: str
    owner: str
    name: str
    mail: str | None
    phone: str | None
    language: str | None
    address: Address | None
    payment: Payment | None
    prepaid: bool
    created_at: int
    changed_at: int | None


@dataclass(frozen=True, slots=True)
class By:
    """Who changes a record: a client, and what it was when it did."""

    client: str
    role: str


CLOUD = By("cloud", "cloud")  # nobody outside asked for it


@dataclass(frozen=True, slots=True)
class Change:
    """That a record was changed. Which members, and not what they held: what an owner takes away must not live on."""

    change: str
    changed_at: int
    changed_by: str
    role: str
    members: tuple[str, ...]


def columns_of(members: Mapping[str, Any]) -> dict[str, Any]:
    """Return the columns that hold these members of a record; an address or a means of payment stands or goes whole."""
    found: dict[str, Any] = {}
    for member, value in members.items():
        match member, value:
            case "address", None:
                found |= dict.fromkeys(("address_lines", "postal_code", "city", "country"))
            case "address", _:
                found |= {"address_lines": "\n".join(value["lines"]), "postal_code": value["postal_code"]}
                found |= {"city": value["city"], "country": value["country"]}
            case "payment", None:
                found |= {"payment_provider": None, "payment_token": None}
            case "payment", _:
                found |= {"payment_provider": value["provider"], "payment_token": value["token"]}
            case "prepaid", _:
                found["prepaid"] = int(value)
            case _:
                found[member] = value
    return found


def differing(members: Mapping[str, Any], stands: Mapping[str, Any]) -> dict[str, Any]:
    """Return the members that are others than those of a row as it stands."""
    return {
        member: value
        for member, value in members.items()
        if any((stands[name] or None) != (wanted or None) for name, wanted in columns_of({member: value}).items())
    }


def not_allowed(members: Mapping[str, Any], role: Scope) -> str | None:
    """Return why the caller may not change this; None if it may.

    An owner may become prepaid by its own will; the way back would be the way out of a debt, so staff goes it.
    """
    if role is Scope.OWNER and members.get("prepaid") is False:
        return "only the community's staff ends prepaid supply"
    return None
