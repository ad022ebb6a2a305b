"""Who may make and stop whose clients."""

from dataclasses import dataclass

from cloud.principal import Scope


@dataclass(frozen=True, slots=True)
class Listed:
    """A client as staff sees it; a None community is every one."""

    client_id: str
    scope: Scope
    community: str | None
    owner: str | None
    name: str
    created_at: int


GRANTS = {
    Scope.OPERATOR: (Scope.MANAGER, Scope.UPPER, Scope.OWNER, Scope.PROVIDER),
    Scope.MANAGER: (Scope.UPPER, Scope.OWNER),  # never staff: nobody makes its own equal
}
"""By role, the scopes of the clients of a community it may make and stop."""


def may_grant(role: Scope, scope: Scope) -> bool:
    """Tell whether a caller of this role may make or stop a client of this scope in a community it runs."""
    return scope in GRANTS.get(role, ())
