"""Public keys of sites: which ones are taken, and which of them made a signature."""

from collections.abc import Mapping

from nacl.bindings import crypto_core_ed25519_is_valid_point, crypto_sign_open
from nacl.exceptions import BadSignatureError

from cloud.wire import WireError, detached_parts, from_base64url

KEY_BYTES = 32
MARK_BYTES = 64


def sound(public_key: str) -> bool:
    """Tell whether a base64url text is an Ed25519 public key that can hold anybody to their word.

    `cryptography` loads the small-order points too, under which one signature fits every message; libsodium does not.
    """
    try:
        raw = from_base64url(public_key, "public_key")
    except WireError:
        return False
    return len(raw) == KEY_BYTES and crypto_core_ed25519_is_valid_point(raw)


def signer(signature: str | None, raw: bytes, keys: Mapping[str, str]) -> str | None:
    """Return which of the keys (public key by `kid`) made this detached signature over raw bytes, None if none did."""
    if signature is None:
        return None
    try:
        kid, signed, mark = detached_parts(signature, raw)
    except WireError:
        return None
    if kid not in keys:
        return None
    if len(mark) != MARK_BYTES:
        return None
    try:
        crypto_sign_open(mark + signed, from_base64url(keys[kid], "public_key"))  # twice as fast as `cryptography`
    except BadSignatureError:
        return None
    return kid
