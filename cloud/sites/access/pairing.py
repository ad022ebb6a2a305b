"""Pairing: the one-time code an operator hands out, and what a site that shows it becomes."""

from base64 import b32encode
from dataclasses import dataclass
import hashlib
import hmac
import ipaddress
from typing import Literal

CODE_BYTES = 10  # 80 bit: guessing is hopeless even without the limits below
CODE_CHARACTERS = 16
CODE_SECONDS = 72 * 3600
WINDOW_SECONDS = 600
WRONG_PER_ADDRESS_MAX = 10  # a person mistypes a few times
WRONG_EVERYWHERE_MAX = 1000  # many addresses at once are no persons
EVERYWHERE = "*"

STANDARD = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
MISREAD = str.maketrans({"O": "0", "I": "1", "L": "1", "-": None, " ": None})


def code_text(random: bytes) -> str:
    """Return the code for ten random bytes, as it is shown: XXXX-XXXX-XXXX-XXXX in Crockford's base32."""
    assert len(random) == CODE_BYTES
    code = b32encode(random).decode().translate(str.maketrans(STANDARD, CROCKFORD))
    return "-".join(code[place : place + 4] for place in range(0, CODE_CHARACTERS, 4))


def code_hmac(key: bytes, text: str) -> str:
    """Return what is stored of a code. Case, dashes and the letters people misread make no difference."""
    plain = text.upper().translate(MISREAD)
    return hmac.new(key, plain.encode(), hashlib.sha256).hexdigest()


@dataclass(frozen=True, slots=True)
class Code:
    """A code as it stands: for whom it is, how long it holds, and the `kid` of the site key that has used it."""

    community: str
    main_owner: str
    time_scale: int
    expires_at: int
    used_by: str | None


@dataclass(frozen=True, slots=True)
class Joined:
    """The site joins: under a new name, or under the one it is known by."""

    known_site: str | None


type Verdict = Joined | Literal["refused", "other-community"]


def judge(code: Code | None, kid: str, known: tuple[str, str] | None, now: int) -> Verdict:
    """Decide on a code shown by the key `kid`; `known` is the (community, site) this key already belongs to.

    A code used by the same key joins again, because the first answer may have been lost.
    """
    if code is None or code.expires_at <= now or code.used_by not in (None, kid):
        return "refused"
    if known is None:
        return Joined(None)
    community, site = known
    return Joined(site) if community == code.community else "other-community"


def window_of(now: int) -> int:
    """Return the start of the window in which wrong tries are counted together."""
    return now - now % WINDOW_SECONDS


def wait_s(wrong_here: int, wrong_everywhere: int, now: int) -> int | None:
    """Return how long an address must wait after so many wrong tries in this window; None if it may try."""
    if wrong_here < WRONG_PER_ADDRESS_MAX and wrong_everywhere < WRONG_EVERYWHERE_MAX:
        return None
    return window_of(now) + WINDOW_SECONDS - now


def counted_address(address: str) -> str:
    """Return what an address is counted under: an IPv6 customer has a whole /64 to come from."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return "unknown"
    if isinstance(parsed, ipaddress.IPv6Address):
        mapped = parsed.ipv4_mapped
        return str(mapped) if mapped else str(ipaddress.ip_network((parsed, 64), strict=False))
    return str(parsed)
