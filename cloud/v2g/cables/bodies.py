"""What the endpoints of cables read and answer."""

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from cloud.endpoint import Body
from cloud.sites.bodies import Identifier, Name, Time, printed
from cloud.wire.cable import KEY_LETTERS_MAX, RECORD_LETTERS_MAX

type CableState = Annotated[
    Literal["active", "stolen", "revoked", "two-places"],
    Field(description="`two-places`: its key signed for two sites at once, so there are two of it"),
]
type KeyText = Annotated[
    str, Field(pattern=r"^(?:[0-9A-Fa-f]{2})+$", max_length=KEY_LETTERS_MAX, description="DER in hexadecimal")
]
type RecordText = Annotated[
    str, Field(min_length=1, max_length=RECORD_LETTERS_MAX, examples=["OCMF|{…}|{…}"]), AfterValidator(printed)
]
type CableNote = Annotated[str, Field(min_length=1, max_length=500), AfterValidator(printed)]


class RegisterCableBody(Body):
    """A cable to register; the record is one that it signed, and proves the key to be its own."""

    cable: Annotated[Identifier, Field(description="its serial number")]
    public_key: KeyText
    name: Name
    ocmf: RecordText


class CableNoteBody(Body):
    """What there is to say about it."""

    note: CableNote | None = None


class RecoveredCableBody(Body):
    """Why the cable may be used again: it was found, or there is only one of it after all."""

    note: CableNote


class CableAnswer(Body):
    """A registered cable. `last_number`: up to which number all its signed records are here."""

    cable: Identifier
    community: Identifier
    owner: Identifier
    name: Name
    public_key: KeyText
    state: CableState
    since: Time
    registered_at: Time
    last_number: int


class CableChangeItem(Body):
    """One line of a cable's history."""

    at: Time
    state: CableState
    by: str
    role: str
    note: str | None


class CableHistoryAnswer(CableAnswer):
    """A registered cable with its history, the newest first."""

    history: list[CableChangeItem]


class CablesAnswer(Body):
    """A page of an owner's cables, by id."""

    cables: list[CableAnswer]
    next: Identifier | None
