"""The doors: pairing codes for the operator, pairing for a new site, access tokens for whoever has a client."""

import secrets
from typing import Literal
from urllib.parse import parse_qsl

from aiohttp import hdrs, web

from cloud.endpoint import DATABASE, PUBLIC_URL, Endpoint, address_of, answer, body_of, now, raw_body
from cloud.errors import MALFORMED, NOT_AUTHORISED, NOT_FOUND, SIGNATURE_REFUSED, TOO_MANY_TRIES, Refused
from cloud.principal import CLOUD_KEY, STAFF, CloudKey
from cloud.sites.bodies import (
    CodeAnswer,
    CodeBody,
    PairedMessage,
    PairingMessage,
    TokenAnswer,
    TokenForm,
)
from cloud.sites.key import signer, sound
from cloud.sites.problems import CODE_REFUSED, KEY_REFUSED, OTHER_COMMUNITY, UNKNOWN_OWNER
from cloud.wire import SIGNATURE_HEADER, Paired, PairingRequest, parse_pairing_request, thumbprint, time_text
from cloud.wire.strict import IDENTIFIER

from . import store
from .credentials import SECRET_BYTES, TOKEN_SECONDS, from_basic, issue, opens, secret_hmac, secret_text
from .pairing import CODE_BYTES, CODE_SECONDS, Code, code_hmac, code_text, counted_address
from .stopped import Stopped

BEARER: Literal["Bearer"] = "Bearer"
FORM_TYPE = "application/x-www-form-urlencoded"
FORM_FIELDS_MAX = 20
STOPPED = web.AppKey("stopped", Stopped)  # whoever stops a client tells it


async def post_code(request: web.Request) -> web.Response:
    """Make a pairing code for a site of this community."""
    community, body, at = request.match_info["community"], await body_of(request, CodeBody), now(request)
    text = code_text(secrets.token_bytes(CODE_BYTES))
    code = Code(community, body.main_owner, body.time_scale, at + CODE_SECONDS, used_by=None)
    kept = await request.app[DATABASE].write(store.add_code, code_hmac(_code_key(request), text), code, at)
    if not kept:
        raise Refused(UNKNOWN_OWNER, f"community {community} has no owner {body.main_owner}")
    return answer(CodeAnswer(code=text, expires_at=time_text(code.expires_at)), 201)


async def post_site(request: web.Request) -> web.Response:
    """Let a site join: its code, its key, and its signature with that key."""
    raw = await raw_body(request)
    wanted = parse_pairing_request(raw)
    if not sound(wanted.public_key):
        raise Refused(KEY_REFUSED, "public_key must be 32 bytes in base64url, a point of large order")
    keys = {thumbprint(wanted.public_key): wanted.public_key}
    if signer(request.headers.get(SIGNATURE_HEADER), raw, keys) is None:
        raise Refused(SIGNATURE_REFUSED, "the request must be signed with the key it shows")
    secret = secret_text(secrets.token_bytes(SECRET_BYTES))
    outcome = await _pair(request, wanted, secret)
    cloud_key = request.app[CLOUD_KEY].public_key
    paired = Paired(outcome.site, outcome.community, outcome.site, secret, cloud_key)
    return answer(paired, 201 if outcome.first else 200)


async def _pair(request: web.Request, wanted: PairingRequest, secret: str) -> store.Pairing:
    outcome = await request.app[DATABASE].write(
        store.pair,
        wanted,
        code_hmac=code_hmac(_code_key(request), wanted.code),
        secret_hmac=secret_hmac(secret_key(request.app[CLOUD_KEY]), secret),
        address=counted_address(address_of(request)),
        now=now(request),
    )
    match outcome:
        case store.Pairing():
            return outcome
        case store.Refusal("too-many-tries", wait_s):
            raise Refused(TOO_MANY_TRIES, "too many wrong pairing codes, wait", retry_after_s=wait_s)
        case store.Refusal("other-community"):
            raise Refused(OTHER_COMMUNITY, "the code is of another community than the one this site belongs to")
        case store.Refusal():
            raise Refused(CODE_REFUSED, "the code is wrong, used or expired; ask your operator for a new one")


def _code_key(request: web.Request) -> bytes:
    return request.app[CLOUD_KEY].derive("pairing code")


def secret_key(key: CloudKey) -> bytes:
    """Return the key under which client secrets are stored."""
    return key.derive("client secret")


async def post_token(request: web.Request) -> web.Response:
    """Exchange a client's id and secret for an access token (RFC 6749, section 4.4)."""
    client_id, secret = await _client_credentials(request)
    named = IDENTIFIER.fullmatch(client_id) is not None  # anything else is no client's, and not every database takes it
    client = await request.app[DATABASE].read(store.client_of, client_id) if named else None
    key = request.app[CLOUD_KEY]
    if not opens(client, secret_key(key), secret) or client is None:
        raise Refused(NOT_AUTHORISED, "no client has this id and secret", error="invalid_client")
    token = issue(key, client, request.app[PUBLIC_URL], now(request))
    return answer(TokenAnswer(access_token=token, token_type=BEARER, expires_in=TOKEN_SECONDS, scope=client.scope))


async def _client_credentials(request: web.Request) -> tuple[str, str]:
    if request.content_type != FORM_TYPE:
        raise Refused(MALFORMED, f"send a form ({FORM_TYPE})", error="invalid_request")
    try:
        form = dict(parse_qsl((await raw_body(request)).decode(), max_num_fields=FORM_FIELDS_MAX))
    except ValueError:
        raise Refused(MALFORMED, "the form cannot be read", error="invalid_request") from None
    if form.get("grant_type") != "client_credentials":
        raise Refused(MALFORMED, "grant_type must be client_credentials", error="unsupported_grant_type")
    if (basic := request.headers.get(hdrs.AUTHORIZATION)) is not None:
        if (given := from_basic(basic)) is None:
            raise Refused(NOT_AUTHORISED, "the Authorization header is not HTTP Basic", error="invalid_client")
        return given
    return form.get("client_id", ""), form.get("client_secret", "")


async def revoke_key(request: web.Request) -> web.Response:
    """Take a key from a site: what it signs from now on is refused, what it signed stands."""
    community, site, kid = (request.match_info[name] for name in ("community", "site", "kid"))
    if not await request.app[DATABASE].write(store.revoke_key, community, site, kid, now(request)):
        raise Refused(NOT_FOUND, "this site has no such key")
    return web.Response(status=204)


ENDPOINTS = (
    Endpoint(
        "POST",
        "/v1/token",
        "Exchange client credentials for an access token",
        post_token,
        body=TokenForm,
        body_type=FORM_TYPE,
        answers={200: TokenAnswer},
        problems=(NOT_AUTHORISED,),
    ),
    Endpoint(
        "POST",
        "/v1/sites",
        "Pair a site: 201 the first time, 200 when it joins again",
        post_site,
        body=PairingMessage,
        signed_body=True,
        answers={201: PairedMessage, 200: PairedMessage},
        problems=(CODE_REFUSED, OTHER_COMMUNITY, KEY_REFUSED, TOO_MANY_TRIES),
    ),
    Endpoint(
        "POST",
        "/v1/communities/{community}/pairing-codes",
        "Make a pairing code",
        post_code,
        scope=STAFF,
        body=CodeBody,
        answers={201: CodeAnswer},
        problems=(UNKNOWN_OWNER,),
    ),
    Endpoint(
        "POST",
        "/v1/communities/{community}/sites/{site}/keys/{kid}/revoke",
        "Take a key from a site",
        revoke_key,
        scope=STAFF,
        answers={204: None},
        problems=(NOT_FOUND,),
    ),
)
