"""OAuth2 client credentials: secrets that are stored as HMAC, and the access tokens they are exchanged for."""

from base64 import b64decode
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
import hashlib
import hmac
from typing import Any, assert_never
from urllib.parse import unquote_plus

import jwt

from cloud.errors import NOT_AUTHORISED, Refused
from cloud.principal import CloudKey, Principal, Scope
from cloud.wire import base64url

SECRET_BYTES = 32  # so random that a fast HMAC guards it; slow hashes are for what people choose
TOKEN_SECONDS = 3600
TOKENS_KNOWN = 16_384  # read ones that are kept at hand, about 2 KB each: a caller shows the same for an hour
LEEWAY_SECONDS = 60  # the clocks of two of our own machines
TOKEN_TYPE = "at+jwt"  # noqa: S105 - RFC 9068; tells a token from a notice, which the same key signs
ALGORITHM = "EdDSA"
CLAIMS = ["iss", "aud", "sub", "iat", "exp", "scope"]


@dataclass(frozen=True, slots=True)
class Client:
    """Who may ask for tokens: a site, whose id is the client's, an owner, or a program of staff or another system."""

    client_id: str
    scope: Scope
    community: str | None
    secret_hmac: str
    owner: str | None = None
    generation: int = 0  # how often its secret was renewed; tokens from before hold no longer


def reach_fits(scope: Scope, community: object, owner: object) -> bool:
    """Tell whether a client of this scope may reach so far; one that misses its bounds would reach everywhere."""
    match scope:
        case Scope.OPERATOR:
            return community is None and owner is None
        case Scope.UPPER | Scope.PROVIDER:
            return owner is None
        case Scope.MANAGER | Scope.SITE:
            return community is not None and owner is None
        case Scope.OWNER:
            return community is not None and owner is not None
        case Scope.DEVICE:
            return False  # it shows its password, never a token
        case _:
            assert_never(scope)


def secret_text(random: bytes) -> str:
    """Return a client secret for 32 random bytes."""
    assert len(random) == SECRET_BYTES
    return base64url(random)


def secret_hmac(key: bytes, secret: str) -> str:
    """Return what is stored of a secret."""
    return hmac.new(key, secret.encode(), hashlib.sha256).hexdigest()


def opens(client: Client | None, key: bytes, secret: str) -> bool:
    """Tell whether a secret is this client's; it takes as long when there is no such client."""
    stored = client.secret_hmac if client is not None else ""
    return hmac.compare_digest(stored, secret_hmac(key, secret)) and client is not None


def from_basic(header: str) -> tuple[str, str] | None:
    """Return id and secret from an HTTP Basic header, form-encoded within as RFC 6749 (2.3.1) has it."""
    kind, _, encoded = header.partition(" ")
    if kind.lower() != "basic":
        return None
    try:
        client_id, colon, secret = b64decode(encoded, validate=True).decode().partition(":")
    except ValueError:
        return None
    return (unquote_plus(client_id), unquote_plus(secret)) if colon else None


def issue(key: CloudKey, client: Client, issuer: str, now: int) -> str:
    """Return an access token for a client, valid for an hour."""
    claims: dict[str, Any] = {"iss": issuer, "aud": issuer, "sub": client.client_id, "scope": client.scope.value}
    claims |= {"iat": now, "exp": now + TOKEN_SECONDS, "gen": client.generation}
    if client.community is not None:
        claims["community"] = client.community
    if client.owner is not None:
        claims["owner"] = client.owner
    return jwt.encode(claims, key.private_key, ALGORITHM, headers={"kid": key.kid, "typ": TOKEN_TYPE})


def principal(key: CloudKey, token: str, issuer: str, now: int) -> Principal:
    """Return whom an access token names, or refuse it. The time is judged here, since `now` is an argument."""
    if not token.isascii():  # the library would fail, not refuse
        raise Refused(NOT_AUTHORISED, "this is not an access token")
    complete = _read(key, token, issuer)
    claims = complete["payload"]
    issued, expires, generation = claims["iat"], claims["exp"], claims.get("gen", 0)
    community, owner = claims.get("community"), claims.get("owner")
    if complete["header"].get("typ") != TOKEN_TYPE or claims["scope"] not in set(Scope):
        raise Refused(NOT_AUTHORISED, "this is not an access token")
    if type(issued) is not int or type(expires) is not int or not issued - LEEWAY_SECONDS <= now < expires:
        raise Refused(NOT_AUTHORISED, "the access token has expired")
    if type(generation) is not int or not reach_fits(Scope(claims["scope"]), community, owner):
        raise Refused(NOT_AUTHORISED, "the access token does not say how far it reaches")
    return Principal(claims["sub"], Scope(claims["scope"]), community, expires, owner, generation)


@lru_cache(maxsize=TOKENS_KNOWN)
def _read(key: CloudKey, token: str, issuer: str) -> Mapping[str, Any]:
    """Return what a token says that this key signed, which never changes; whether it holds now is for the caller."""
    try:
        return jwt.decode_complete(
            token,
            key.private_key.public_key(),
            algorithms=[ALGORITHM],
            audience=issuer,
            issuer=issuer,
            options={
                "require": CLAIMS,
                "strict_aud": True,
                "verify_exp": False,
                "verify_iat": False,
                "verify_nbf": False,
            },
        )
    except jwt.InvalidTokenError as error:
        raise Refused(NOT_AUTHORISED, f"the access token is not valid ({type(error).__name__})") from None
