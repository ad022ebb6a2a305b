"""Keeps a secret that must be shown again unreadable in the meantime: a password on its way to the broker. Pure."""

from nacl.exceptions import CryptoError
from nacl.secret import SecretBox

from cloud.errors import CommonwattError


class SealError(CommonwattError):
    """What was sealed cannot be opened with this key: another key sealed it, or it was altered."""


def seal(key: bytes, text: str) -> bytes:
    """Return a text so that only who has the key (32 bytes) can read it; twice the same text looks different."""
    return bytes(SecretBox(key).encrypt(text.encode()))


def opened(key: bytes, sealed: bytes) -> str:
    """Return the text that was sealed with this key; raises SealError for any other bytes."""
    try:
        return SecretBox(key).decrypt(sealed).decode()
    except CryptoError, ValueError:  # ValueError: shorter than what a seal adds
        raise SealError("a sealed secret cannot be opened: it was sealed with another key, or altered") from None
