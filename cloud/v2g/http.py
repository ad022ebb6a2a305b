"""What the endpoints for sites share: a body counts as the site's word only where its key has signed it."""

from aiohttp import web

from cloud.endpoint import DATABASE, raw_body
from cloud.errors import SIGNATURE_REFUSED, Refused
from cloud.principal import site_of
from cloud.sites.access.store import keys_of
from cloud.sites.key import signer
from cloud.wire import SIGNATURE_HEADER


async def signed_body(request: web.Request) -> bytes:
    """Return the body of a request of a site, or refuse one that it has not signed."""
    raw, signature = await raw_body(request), request.headers.get(SIGNATURE_HEADER, "")
    keys = await request.app[DATABASE].read(keys_of, *site_of(request))
    if signer(signature, raw, keys) is None:
        raise Refused(SIGNATURE_REFUSED, "the request is not signed with a valid key of this site")
    return raw
