"""A ticket opens one statement for an hour: a browser cannot send an access token, and a page is all it should get."""

from dataclasses import dataclass
from typing import Any, Literal, get_args

import jwt

from cloud.errors import NOT_AUTHORISED, Refused
from cloud.principal import CloudKey

from .words import Language

TICKET_SECONDS = 3600
TICKET_TYPE = "statement+jwt"  # tells a ticket from an access token, which the same key signs
ALGORITHM = "EdDSA"
CLAIMS = ["iss", "aud", "sub", "iat", "exp", "community", "from", "to", "language"]


@dataclass(frozen=True, slots=True)
class Ticket:
    """Whose statement over which time it opens, in which language, and until when."""

    community: str
    owner: str
    start: int
    end: int
    language: Literal["en", "ja"]
    expires_at: int


def issue(key: CloudKey, ticket: Ticket, issuer: str, now: int) -> str:
    """Return the ticket as it stands in a link."""
    claims: dict[str, Any] = {"iss": issuer, "aud": _audience(issuer), "sub": ticket.owner, "iat": now}
    claims |= {"exp": ticket.expires_at, "community": ticket.community, "language": ticket.language}
    claims |= {"from": ticket.start, "to": ticket.end}
    return jwt.encode(claims, key.private_key, ALGORITHM, headers={"kid": key.kid, "typ": TICKET_TYPE})


def read(key: CloudKey, text: str, issuer: str, now: int) -> Ticket:
    """Return what a ticket opens, or refuse it; the time is judged here, since `now` is an argument."""
    try:
        complete = jwt.decode_complete(
            text.encode("ascii"),
            key.private_key.public_key(),
            algorithms=[ALGORITHM],
            audience=_audience(issuer),
            issuer=issuer,
            options={"require": CLAIMS, "strict_aud": True, "verify_exp": False, "verify_iat": False},
        )
    except (jwt.InvalidTokenError, UnicodeEncodeError) as error:
        raise Refused(NOT_AUTHORISED, f"this link is not valid ({type(error).__name__}); ask for a new one") from None
    claims = complete["payload"]
    sound = all(type(claims[name]) is int for name in ("iat", "exp", "from", "to"))
    if (
        complete["header"].get("typ") != TICKET_TYPE
        or not sound
        or claims["language"] not in get_args(Language.__value__)
    ):
        raise Refused(NOT_AUTHORISED, "this is no link to a statement")
    if now >= claims["exp"]:
        raise Refused(NOT_AUTHORISED, "this link has expired; ask for a new one")
    place = {"community": claims["community"], "owner": claims["sub"], "language": claims["language"]}
    return Ticket(**place, start=claims["from"], end=claims["to"], expires_at=claims["exp"])


def _audience(issuer: str) -> str:
    return f"{issuer}/statement"
