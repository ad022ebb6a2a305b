"""The passwords of connected systems: how they are drawn, shown at the door, and kept. Pure.

A unique password, and an initial one that we draw, is random and long: a keyed hash is all it takes to keep it. An
initial one that somebody chose may be guessed by whoever steals the store, so it is kept as Argon2id.
"""

from base64 import b64decode
from dataclasses import dataclass, field
import hashlib
import hmac
import re

from cloud.sites.transfer.passcodes import argon
from cloud.wire import base64url
from cloud.wire.strict import IDENTIFIER

PURPOSE = "hub device"  # of the derived key
SECRET_BYTES = 32
INITIAL_BYTES = 16  # short enough to be typed once
INITIAL_CHARACTERS_MIN = 8
INITIAL_CHARACTERS_MAX = 128
INITIAL_SECONDS = 30 * 86_400  # from the list to the wall
HEADER_CHARACTERS_MAX = 1000  # an id, a password and what base64 adds
BEARER = re.compile(r"([A-Za-z0-9][A-Za-z0-9_.-]{0,63})\.([A-Za-z0-9_-]{43})")
ARGON = "$argon2id$"


@dataclass(frozen=True, slots=True)
class Shown:
    """What a system showed at the door."""

    device: str
    password: str = field(repr=False)


def secret_text(random: bytes) -> str:
    """Return the unique password for 32 random bytes."""
    assert len(random) == SECRET_BYTES
    return base64url(random)


def initial_text(random: bytes) -> str:
    """Return the initial password for 16 random bytes."""
    assert len(random) == INITIAL_BYTES
    return base64url(random)


def secret_hmac(key: bytes, device: str, secret: str) -> str:
    """Return what is kept of a unique password: it opens nothing under another device's id."""
    return _hmac(key, "unique", device, secret)


def initial_hmac(key: bytes, device: str, initial: str) -> str:
    """Return what is kept of an initial password that we drew."""
    return _hmac(key, "initial", device, initial)


def _hmac(key: bytes, kind: str, device: str, secret: str) -> str:
    return hmac.new(key, f"{kind}:{device}:{secret}".encode(errors="replace"), hashlib.sha256).hexdigest()


def secret_opens(kept: str | None, key: bytes, device: str, secret: str) -> bool:
    """Tell whether this is the unique password; where none is kept it is not, and saying so takes as long."""
    return hmac.compare_digest(kept or "-" * 64, secret_hmac(key, device, secret)) and kept is not None


def initial_opens(kept: str | None, key: bytes, device: str, initial: str) -> bool:
    """Tell whether this is the initial password; it takes as long (an Argon2id) whatever is kept, or nothing."""
    chosen = kept if kept is not None and kept.startswith(ARGON) else None
    by_argon = argon.opens(chosen, initial)
    drawn = kept if chosen is None else None
    by_hmac = hmac.compare_digest(drawn or "-" * 64, initial_hmac(key, device, initial)) and drawn is not None
    return by_argon or by_hmac


def shown(header: str) -> Shown | None:
    """Return what an Authorization header shows: `Basic base64(device:password)` or `Bearer device.password`.

    None: it cannot be a device's. A bearer's password has one form, since access tokens come by the same header.
    """
    kind, _, rest = header.partition(" ")
    if len(header) > HEADER_CHARACTERS_MAX:
        return None
    if kind.lower() == "bearer":
        parts = BEARER.fullmatch(rest.strip())
        return Shown(*parts.groups()) if parts else None
    return _from_basic(rest.strip()) if kind.lower() == "basic" else None


def _from_basic(encoded: str) -> Shown | None:
    try:
        device, colon, password = b64decode(encoded, validate=True).decode().partition(":")
    except ValueError:
        return None
    return Shown(device, password) if colon and password and IDENTIFIER.fullmatch(device) else None
