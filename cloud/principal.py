"""Who speaks: the authenticated caller of a request, and the cloud itself with the key it signs everything with."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import StrEnum

from aiohttp import web
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from nacl.bindings import crypto_sign

from .wire import base64url, compact_header, detached_header, thumbprint

MARK_BYTES = 64  # an Ed25519 signature
SEED_BYTES = 32  # an Ed25519 private key


class Scope(StrEnum):
    """What an access token is for."""

    SITE = "site"  # a paired site, for itself
    OWNER = "owner"  # one owner of one community, for what is theirs
    MANAGER = "manager"  # runs one community
    OPERATOR = "operator"  # runs the cloud, so every community
    UPPER = "upper"  # an upper system: reads one community, or all, and countersigns what it has verified
    PROVIDER = "provider"  # a power provider: tells its own readings and how loaded its equipment is
    DEVICE = "device"  # a system connected to the hub, by its own id and password: no access token is of this scope


STAFF = (Scope.OPERATOR, Scope.MANAGER)  # who runs a community
READERS = (Scope.OPERATOR, Scope.MANAGER, Scope.UPPER)  # who may see a whole community
WITH_OWNER = (Scope.OPERATOR, Scope.MANAGER, Scope.OWNER)  # staff, and an owner for what is theirs


@dataclass(frozen=True, slots=True)
class Principal:
    """The caller a valid access token names, and how far it may reach: None is every community, or no one owner."""

    subject: str
    scope: Scope
    community: str | None
    expires_at: int
    owner: str | None = None
    generation: int = 0  # how often the client's secret had been renewed when the token was issued


class CloudKey:
    """The cloud's Ed25519 key: it signs answers, notices and tokens, and other secrets are derived from it."""

    def __init__(self, seed: bytes) -> None:
        """Take the 32 bytes of the key file."""
        assert len(seed) == SEED_BYTES
        self._seed = seed
        self.private_key = Ed25519PrivateKey.from_private_bytes(seed)
        self.public_key = base64url(self.private_key.public_key().public_bytes_raw())
        self.kid = thumbprint(self.public_key)
        self._header = detached_header(self.kid)
        self._pair = seed + self.private_key.public_key().public_bytes_raw()  # as libsodium wants it, which is faster

    def sign(self, raw: bytes) -> str:
        """Return the detached signature of raw bytes, as it travels in the header."""
        signed = self._header.encode() + b"." + raw
        return f"{self._header}..{base64url(crypto_sign(signed, self._pair)[:MARK_BYTES])}"

    def sign_compact(self, payload: bytes) -> str:
        """Return a compact JWS that carries its payload."""
        signed = f"{compact_header(self.kid)}.{base64url(payload)}"
        return f"{signed}.{base64url(self.private_key.sign(signed.encode()))}"

    def derive(self, purpose: str) -> bytes:
        """Return 32 secret bytes for one purpose (HKDF-SHA-256), so that no two purposes share a key."""
        return HKDF(SHA256(), length=32, salt=None, info=f"commonwatt {purpose}".encode()).derive(self._seed)

    def __repr__(self) -> str:
        return f"CloudKey({self.kid})"


type Authenticator = Callable[[str, int], Awaitable[Principal]]  # (access token, now in seconds); raises Refused
# (Authorization header, address it came from, now in milliseconds); raises Refused
type DeviceAuthenticator = Callable[[str, str, int], Awaitable[Principal]]

PRINCIPAL = web.RequestKey("principal", Principal)
CHALLENGE = web.RequestKey("challenge", str)  # what a door asks for that wants something else than a token
AUTHENTICATOR: web.AppKey[Authenticator] = web.AppKey("authenticator")
DEVICE_AUTHENTICATOR: web.AppKey[DeviceAuthenticator] = web.AppKey("device_authenticator")
CLOUD_KEY = web.AppKey("cloud_key", CloudKey)


def principal_of(request: web.Request) -> Principal:
    """Return who sent this request; the endpoint asks for a scope, so there is somebody."""
    return request[PRINCIPAL]


def site_of(request: web.Request) -> tuple[str, str]:
    """Return the community and the site that sent this request, at an endpoint of scope `site`."""
    principal = request[PRINCIPAL]
    assert principal.scope is Scope.SITE
    assert principal.community is not None
    return principal.community, principal.subject
