"""What is kept of a passcode: Argon2id with the least that OWASP asks for, slow enough that a stolen store says little.

Hashing takes tens of milliseconds and 19 MiB: it belongs in a thread, a few at a time.
"""

from functools import lru_cache
import unicodedata

from argon2 import PasswordHasher
from argon2.exceptions import VerifyMismatchError

PASSCODE_CHARACTERS_MIN = 6
PASSCODE_CHARACTERS_MAX = 128

HASHER = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1, hash_len=32, salt_len=16)


def hashed(passcode: str) -> str:
    """Return what is stored of a passcode, its salt and costs included."""
    return HASHER.hash(_plain(passcode))


def opens(kept: str | None, passcode: str) -> bool:
    """Tell whether this is the passcode; where none is set it is not, and saying so takes as long."""
    try:
        HASHER.verify(_nobodys() if kept is None else kept, _plain(passcode))
    except VerifyMismatchError:
        return False
    return kept is not None


def _plain(passcode: str) -> bytes:
    """Return the bytes of a passcode: keyboards write the same letter in more than one way."""
    return unicodedata.normalize("NFC", passcode).encode()


@lru_cache(maxsize=1)
def _nobodys() -> str:
    return hashed("nobody's passcode")
