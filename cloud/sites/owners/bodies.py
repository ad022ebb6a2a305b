"""What the endpoints of owners read and answer; every text of a body is looked through for card numbers first."""

import re
from typing import Annotated, Any, Self

from pydantic import AfterValidator, Field, model_validator

from cloud.endpoint import Body
from cloud.sites.bodies import Identifier, Name, Time, printed
from cloud.wire import time_text

from .card import PHONE, holds_card, phone_is_card
from .country import COUNTRIES
from .record import PAYMENT_SHOWN, Change, Language, Owner

RECORD_BYTES_MAX = 16 * 1024  # a long name, address and token many times over
CARD_WORDS = "holds what looks like a payment card's number; keep cards with a provider and send the provider's token"
# one @, a name before it and at least two labels after it; whether anybody reads there only a letter would tell
MAIL = re.compile(r"[^@\s<>()\[\],;:\\\"]{1,64}@(?:[^@\s<>()\[\],;:\\\".]+\.)+[^@\s<>()\[\],;:\\\".]{2,63}")


def _mail(text: str) -> str:
    if not MAIL.fullmatch(text):
        raise ValueError("is not a mail address like anna@example.org")
    return text


def _phone(text: str) -> str:
    if not PHONE.fullmatch(text):
        raise ValueError("is not a phone number like +4930123456 (E.164: plus, country, number, no spaces)")
    if phone_is_card(text):
        raise ValueError(CARD_WORDS)
    return text


def _country(text: str) -> str:
    if text not in COUNTRIES:
        raise ValueError("is not a country of ISO 3166-1 like DE or JP")
    return text


def _token(text: str) -> str:
    if not text.isascii() or not text.isprintable() or " " in text:
        raise ValueError("is not a token: letters, digits and signs without spaces")
    return text


type Mail = Annotated[
    str, Field(max_length=254, examples=["anna@example.org"]), AfterValidator(printed), AfterValidator(_mail)
]
type Phone = Annotated[str, Field(max_length=16, examples=["+4930123456"]), AfterValidator(_phone)]
type Country = Annotated[str, Field(max_length=2, examples=["DE"]), AfterValidator(_country)]
type Line = Annotated[str, Field(min_length=1, max_length=100), AfterValidator(printed)]


class AddressBody(Body):
    """Where an owner receives letters."""

    lines: Annotated[list[Line], Field(min_length=1, max_length=4, examples=[["Elm Street 1"]])]
    postal_code: Annotated[str, Field(min_length=1, max_length=16), AfterValidator(printed)] | None = None
    city: Line
    country: Country


class PaymentBody(Body):
    """A means of payment by its provider's name for it; never a card's number."""

    provider: Identifier
    token: Annotated[str, Field(min_length=4, max_length=200, examples=["pm_1NxyzABC"]), AfterValidator(_token)]


class RecordBody(Body):
    """The members of an owner's record; a member that is not sent stays as it stands, and `null` takes it away."""

    name: Name | None = None
    mail: Mail | None = None
    phone: Phone | None = None
    language: Language | None = None
    address: AddressBody | None = None
    payment: PaymentBody | None = None
    prepaid: bool | None = None

    @model_validator(mode="before")
    @classmethod
    def _no_card(cls, data: Any) -> Any:
        if holds_card({name: value for name, value in data.items() if name != "code"}):  # ours, of letters and digits
            raise ValueError(CARD_WORDS)
        return data

    @model_validator(mode="after")
    def _stays(self) -> Self:
        for member in ("name", "prepaid"):
            if member in self.model_fields_set and getattr(self, member) is None:
                raise ValueError(f"{member} cannot be taken away")
        return self

    def members(self) -> dict[str, Any]:
        """Return the members of the record that were sent, as plain data."""
        return self.model_dump(include=self.model_fields_set & RecordBody.model_fields.keys())


class OwnerBody(RecordBody):
    """An owner to be created, or the members of one that stands."""

    name: Name


class OwnerChangeBody(RecordBody):
    """What changes in an owner's record."""


class PaymentAnswer(Body):
    """A means of payment, so far that its owner knows it again."""

    provider: Identifier
    ends: Annotated[str, Field(description=f"the last {PAYMENT_SHOWN} characters of the token")]


class OwnerAnswer(Body):
    """An owner's record as it stands."""

    community: Identifier
    owner: Identifier
    name: Name
    mail: str | None
    phone: str | None
    language: Language | None
    address: AddressBody | None
    payment: PaymentAnswer | None
    prepaid: bool
    created_at: Time
    changed_at: Time | None


class OwnersAnswer(Body):
    """A page of a community's owners; `next` is the last one's id where there may be more."""

    owners: list[OwnerAnswer]
    next: Identifier | None


class RecordChangeItem(Body):
    """That a record was changed: when, by which client in which role, and which of its members."""

    change: Identifier
    changed_at: Time
    changed_by: str
    role: str
    members: list[str]


class RecordChangesAnswer(Body):
    """A page of an owner's history, oldest first."""

    changes: list[RecordChangeItem]
    next: Identifier | None


class TapItem(Body):
    """A tap of an owner: where it hangs, and since when it is this owner's."""

    site: Identifier
    site_name: Name
    tap: Identifier
    name: str | None
    since: Time


class TapsAnswer(Body):
    """A page of an owner's taps, by site; `next` is the last site where there may be more."""

    taps: list[TapItem]
    next: Identifier | None


class SecretAnswer(Body):
    """A client's new secret, shown this once."""

    client_id: str
    client_secret: str


def answer_of(owner: Owner) -> OwnerAnswer:
    """Return a record as it is answered."""
    address = owner.address
    return OwnerAnswer(
        community=owner.community,
        owner=owner.owner,
        name=owner.name,
        mail=owner.mail,
        phone=owner.phone,
        language="ja" if owner.language == "ja" else "en" if owner.language == "en" else None,
        address=None
        if address is None
        else AddressBody.model_construct(
            lines=[*address.lines], postal_code=address.postal_code, city=address.city, country=address.country
        ),
        payment=None
        if owner.payment is None
        else PaymentAnswer(provider=owner.payment.provider, ends=owner.payment.token[-PAYMENT_SHOWN:]),
        prepaid=owner.prepaid,
        created_at=time_text(owner.created_at),
        changed_at=None if owner.changed_at is None else time_text(owner.changed_at),
    )


def item_of(change: Change) -> RecordChangeItem:
    """Return a change as it is answered."""
    return RecordChangeItem(
        change=change.change,
        changed_at=time_text(change.changed_at),
        changed_by=change.changed_by,
        role=change.role,
        members=[*change.members],
    )
