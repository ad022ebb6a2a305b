"""The site's key and every signature of the link: made over raw bytes here, believed only after verifying here."""

import os
from pathlib import Path
from typing import Self

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from ..errors import BadSignature, KeyFileError
from ..wire import WireError, base64url, compact_parts, detached_header, detached_parts, from_base64url, thumbprint

KEY_FILES = ("site.key", "site.key.copy")
FORM = "commonwatt-key-1"
OWNER_ONLY = 0o600


class SiteKey:
    """The Ed25519 key that is the site's identity. Its seed never leaves the two files it lies in."""

    def __init__(self, seed: bytes) -> None:
        self._private = Ed25519PrivateKey.from_private_bytes(seed)
        self.public_key = base64url(self._private.public_key().public_bytes_raw())
        self.kid = thumbprint(self.public_key)

    @classmethod
    def create(cls, folder: Path) -> Self:
        """Make a new identity in two files, on the disk when this returns. One that is there is never replaced."""
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            if present := [name for name in KEY_FILES if (folder / name).exists()]:
                raise KeyFileError(f"{present[0]} is there already")
            key = cls(Ed25519PrivateKey.generate().private_bytes_raw())
            for name in KEY_FILES:
                _write(folder / name, key._line())
        except OSError as error:
            raise KeyFileError(f"cannot be written: {error.strerror}") from error
        return key

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read the identity; one file that is torn or gone is healed from the other."""
        seeds = {name: _seed(folder / name) for name in KEY_FILES}
        sound = {seed for seed in seeds.values() if seed is not None}
        if not sound:
            raise KeyFileError("no file holds the key whole")
        if len(sound) > 1:
            raise KeyFileError("the two files hold different keys")
        key = cls(sound.pop())
        try:
            for name in (name for name, seed in seeds.items() if seed is None):
                _write(folder / name, key._line())
        except OSError as error:
            raise KeyFileError(f"cannot be healed: {error.strerror}") from error
        return key

    def sign(self, raw: bytes) -> str:
        """Return the detached signature of raw bytes, as it travels in the signature header."""
        header = detached_header(self.kid)
        return f"{header}..{base64url(self._private.sign(header.encode() + b'.' + raw))}"

    def _line(self) -> bytes:
        return f"{FORM} {base64url(self._private.private_bytes_raw())} {self.kid}\n".encode()


def verify_detached(public_key: str, signature: str, raw: bytes) -> None:
    """Raise BadSignature unless `signature` is the key's own over exactly these bytes."""
    try:
        kid, signed, proof = detached_parts(signature, raw)
        _verify(public_key, kid, signed, proof)
    except WireError as error:
        raise BadSignature(str(error)) from None


def verify_compact(public_key: str, token: str) -> bytes:
    """Return the payload of a compact JWS that the key signed; raises BadSignature."""
    try:
        kid, payload, signed, proof = compact_parts(token)
        _verify(public_key, kid, signed, proof)
    except WireError as error:
        raise BadSignature(str(error)) from None
    return payload


def _verify(public_key: str, kid: str, signed: bytes, proof: bytes) -> None:
    if kid != thumbprint(public_key):
        raise BadSignature("signed with another key")
    try:
        Ed25519PublicKey.from_public_bytes(from_base64url(public_key, "key")).verify(proof, signed)
    except InvalidSignature, ValueError:
        raise BadSignature("the signature does not fit the bytes") from None


def _seed(path: Path) -> bytes | None:
    """Return the seed in a key file, None unless the file is whole: the line's thumbprint proves every bit of it."""
    try:
        form, encoded, kid = path.read_text("ascii").split(" ")
        seed = from_base64url(encoded, "key")
        whole = form == FORM and kid == f"{SiteKey(seed).kid}\n"
        path.chmod(OWNER_ONLY)
    except FileNotFoundError, ValueError:
        return None
    except OSError as error:
        raise KeyFileError(f"cannot be read: {error.strerror}") from error
    return seed if whole else None


def _write(path: Path, line: bytes) -> None:
    """Put a file in place as a whole: written beside it, flushed, renamed, and the folder flushed."""
    fresh = path.with_name(f"{path.name}.new")
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, OWNER_ONLY)
    with os.fdopen(descriptor, "wb") as file:
        file.write(line)
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
