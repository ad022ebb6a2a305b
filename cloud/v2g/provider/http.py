"""What a power provider's own token opens: which community a request of it is about."""

from aiohttp import web

from cloud.errors import FORBIDDEN, MALFORMED, Refused
from cloud.principal import principal_of


def community_of(request: web.Request, named: str | None) -> str:
    """Return the community a provider speaks of: the one its client is bound to, else the one it names."""
    bound = principal_of(request).community
    if bound is not None and named not in (None, bound):
        raise Refused(FORBIDDEN, "this token belongs to another community")
    if (community := bound or named) is None:
        raise Refused(MALFORMED, "community: this client is bound to none, so name the one this is about")
    return community
