"""The two signature forms, without the signing: detached over raw bytes (RFC 7797) and compact (RFC 7515).

Both are EdDSA. A detached one travels in the header `Commonwatt-Signature` as `<header>..<signature>`, so that a body
stays the raw JSON that was signed. A compact one carries its payload and suits pushed messages.
"""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from functools import lru_cache
from hashlib import sha256

from .strict import WireError, load, text, to_bytes

SIGNATURE_HEADER = "Commonwatt-Signature"
SENT_HEADER = "Commonwatt-Sent-Ms"  # when the sender's clock said it sent the request; echoed in signed answers
SIGNATURE_TEXT_MAX = 400
HEADERS_KNOWN = 4096  # a signer's header is always the same


def base64url(raw: bytes) -> str:
    """Encode as JOSE does: base64url without padding (RFC 7515, appendix C)."""
    return urlsafe_b64encode(raw).rstrip(b"=").decode()


def from_base64url(encoded: str, where: str) -> bytes:
    """Decode JOSE's base64url; anything else, padding and non-canonical endings included, raises WireError."""
    try:
        raw = urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4))
    except ValueError:
        raise WireError(where, "is not base64url") from None
    if base64url(raw) != encoded:
        raise WireError(where, "is not canonical base64url")
    return raw


def thumbprint(public_key: str) -> str:
    """Return the JWK thumbprint (RFC 7638) of an Ed25519 public key given as base64url: the `kid` of its signatures."""
    jwk = to_bytes({"crv": "Ed25519", "kty": "OKP", "x": public_key})
    return base64url(sha256(jwk).digest())


def detached_header(kid: str) -> str:
    """Return the protected header of a detached signature, encoded; what is signed is `header + b"." + raw body`."""
    return base64url(to_bytes({"alg": "EdDSA", "b64": False, "crit": ["b64"], "kid": kid}))


def compact_header(kid: str) -> str:
    """Return the protected header of a compact signature, encoded; what is signed is `header.base64url(payload)`."""
    return base64url(to_bytes({"alg": "EdDSA", "kid": kid}))


def detached_parts(signature: str, payload: bytes) -> tuple[str, bytes, bytes]:
    """Take a detached signature apart: the `kid` it claims, the bytes that were signed, the signature over them."""
    where = "signature"
    pieces = signature.split(".")
    if len(signature) > SIGNATURE_TEXT_MAX or len(pieces) != 3 or pieces[1]:
        raise WireError(where, "is not of the form <header>..<signature>")
    kid = _detached_kid(pieces[0], where)
    return kid, pieces[0].encode() + b"." + payload, from_base64url(pieces[2], where)


@lru_cache(maxsize=HEADERS_KNOWN)
def _detached_kid(header: str, where: str) -> str:
    kid = _kid(header, where)
    if header != detached_header(kid):
        raise WireError(where, "has a header other than EdDSA with b64 false")
    return kid


def compact_parts(message: str) -> tuple[str, bytes, bytes, bytes]:
    """Take a compact JWS apart: the `kid` it claims, its payload, the bytes that were signed, the signature."""
    where = "notice"
    pieces = message.split(".")
    if len(pieces) != 3:
        raise WireError(where, "is not of the form <header>.<payload>.<signature>")
    kid = _kid(pieces[0], where)
    if pieces[0] != compact_header(kid):
        raise WireError(where, "has a header other than EdDSA")
    signed = f"{pieces[0]}.{pieces[1]}".encode()
    return kid, from_base64url(pieces[1], where), signed, from_base64url(pieces[2], where)


def _kid(header: str, where: str) -> str:
    return text(load(from_base64url(header, where), where), "kid", where, 64)
