"""What the cloud tells a site: notices, each with an id, an end of validity and the cloud's signature around it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .strict import (
    VERSION,
    check_version,
    identifier,
    load,
    members,
    parse_time,
    plain_members,
    take,
    time_text,
    whole,
)

NOTICE_MEMBERS_MAX = 100


@dataclass(frozen=True, slots=True)
class Notice:
    """One message to a site. Delivered twice it is done once; after `expires_at` it is refused."""

    id: str
    site: str
    kind: str
    issued_at: int
    expires_at: int
    body: Mapping[str, Any]

    def plain(self) -> dict[str, Any]:
        """Return the JSON data of this notice."""
        times = {"issued_at": time_text(self.issued_at), "expires_at": time_text(self.expires_at)}
        return plain_members(self) | times | {"v": VERSION, "body": dict(self.body)}


def parse_notice(raw: bytes) -> Notice:
    """Read a notice; its body is read by the parser of its kind."""
    where = "notice"
    data = load(raw, where)
    check_version(data, where)
    return Notice(
        id=identifier(take(data, "id", where), f"{where}.id"),
        site=identifier(take(data, "site", where), f"{where}.site"),
        kind=identifier(take(data, "kind", where), f"{where}.kind"),
        issued_at=parse_time(take(data, "issued_at", where), f"{where}.issued_at"),
        expires_at=parse_time(take(data, "expires_at", where), f"{where}.expires_at"),
        body=members(data, "body", where, NOTICE_MEMBERS_MAX),
    )


@dataclass(frozen=True, slots=True)
class Balance:
    """Notice `balance`: the points of the site's main owner, and the end of the last interval settled."""

    owner: str
    balance_micro: int
    settled_through: int

    def plain(self) -> dict[str, Any]:
        """Return the JSON data of this notice's body."""
        return plain_members(self) | {"settled_through": time_text(self.settled_through)}


def parse_balance(body: Mapping[str, Any]) -> Balance:
    """Read the body of a `balance` notice."""
    where = "notice.body"
    return Balance(
        owner=identifier(take(body, "owner", where), f"{where}.owner"),
        balance_micro=whole(take(body, "balance_micro", where), f"{where}.balance_micro"),
        settled_through=parse_time(take(body, "settled_through", where), f"{where}.settled_through"),
    )
