"""What can go wrong in the cloud: one small tree of exceptions, and the closed list of problems a caller can be told.

A room's pure files answer with values. Its `http.py` turns a "no" into `Refused(KIND, detail)`, which the rim writes as
`application/problem+json`. A room declares the kinds it alone uses beside its endpoints.
"""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class ProblemKind:
    """One kind of problem: its name (the `type` on the wire), HTTP status and a title that is the same every time."""

    name: str
    status: int
    title: str


MALFORMED = ProblemKind("malformed", 400, "The request does not say what it must")
NOT_AUTHORISED = ProblemKind("not-authorised", 401, "A valid access token is needed")
SIGNATURE_REFUSED = ProblemKind("signature-refused", 403, "The signature does not hold")
FORBIDDEN = ProblemKind("forbidden", 403, "This access token does not open this door")
NOT_FOUND = ProblemKind("not-found", 404, "There is no such thing here")
METHOD_NOT_ALLOWED = ProblemKind("method-not-allowed", 405, "This is not done here")
TOO_SLOW = ProblemKind("too-slow", 408, "The request took too long to arrive")
CONFLICT = ProblemKind("conflict", 409, "This contradicts what stands already")
BODY_TOO_LARGE = ProblemKind("body-too-large", 413, "The body is larger than what is read here")
ENCODING_REFUSED = ProblemKind("encoding-refused", 415, "Bodies are read as they are, without Content-Encoding")
UNPROCESSABLE = ProblemKind("unprocessable", 422, "The request is well formed and cannot be done")
TOO_MANY_TRIES = ProblemKind("too-many-tries", 429, "Too many tries, wait")
INTERNAL = ProblemKind("internal", 500, "The cloud made a mistake")
UNAVAILABLE = ProblemKind("unavailable", 503, "The cloud cannot answer now, try again")


class CommonwattError(Exception):
    """Root of everything this cloud raises on purpose."""


class Refused(CommonwattError):  # noqa: N818 - an answer, not an error of ours
    """A caller is told no; `detail` is read by people and never holds a secret."""

    def __init__(self, kind: ProblemKind, detail: str, *, retry_after_s: int | None = None, **members: Any) -> None:
        """Keep what the answer is made of."""
        super().__init__(f"{kind.name}: {detail}")
        self.kind = kind
        self.detail = detail
        self.retry_after_s = retry_after_s
        self.members = members


class Unavailable(CommonwattError):  # noqa: N818 - as above
    """The world below (database, disk) fails for now; nothing was kept, the caller may come again."""


class ConfigError(CommonwattError):
    """A setting is missing or makes no sense; the message names it and says what would."""


class IdentityError(CommonwattError):
    """The cloud's key file is missing, broken or another one than the database knows; the message says what to do."""


class SchemaError(CommonwattError):
    """The database's schema is not the one this program was written for; the message says what to do."""
