"""What the endpoints of transfers and passcodes read and answer."""

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from cloud.endpoint import Body
from cloud.sites.bodies import Identifier, Time, printed
from cloud.wire import time_text

from .effect import Transfer
from .passcodes.argon import PASSCODE_CHARACTERS_MAX, PASSCODE_CHARACTERS_MIN

type NewPasscode = Annotated[
    str,
    Field(
        min_length=PASSCODE_CHARACTERS_MIN, max_length=PASSCODE_CHARACTERS_MAX, json_schema_extra={"writeOnly": True}
    ),
    AfterValidator(printed),
]
type Passcode = Annotated[
    str,
    Field(min_length=1, max_length=PASSCODE_CHARACTERS_MAX, json_schema_extra={"writeOnly": True}),
    AfterValidator(printed),
]


class PasscodeBody(Body):
    """The passcode a tap can be transferred with from now on."""

    passcode: NewPasscode


class TransferBody(Body):
    """A tap is to be another owner's; `id` is the caller's own, so that a request repeated is done once."""

    id: Identifier
    to_owner: Identifier
    passcode: Passcode


class TransferAnswer(Body):
    """A transfer. It is pending until the site's tree carries it out, which is when it has an `effective_from`."""

    transfer: Identifier
    site: Identifier
    tap: Identifier
    from_owner: Identifier
    to_owner: Identifier
    asked_by: str
    asked_at: Time
    not_before: Time
    effective_from: Time | None
    state: Literal["pending", "done"]


class TransfersAnswer(Body):
    """Transfers."""

    transfers: list[TransferAnswer]


class TryItem(Body):
    """A try at a tap's passcode."""

    id: Identifier
    tried_at: Time
    tried_by: str
    outcome: Literal["right", "wrong"]


class TriesAnswer(Body):
    """The tries at a tap's passcode that were looked at, oldest first."""

    tries: list[TryItem]


class OwnerChangeMember(Body):
    """Who a tap passes to, and from which boundary on at the earliest."""

    tap: Identifier
    owner: Identifier
    transfer: Identifier
    not_before: Time


class TapStandingMember(Body):
    """Whose a tap is, and whether it can be transferred with a passcode."""

    owner: Identifier
    passcode: bool
    pending: OwnerChangeMember | None = None


class TapStandingsMessage(Body):
    """How every tap of a site stands, signed by the cloud."""

    v: Literal[1]
    site: Identifier
    taps: dict[Identifier, TapStandingMember]


def answer_of(transfer: Transfer) -> TransferAnswer:
    """Return a transfer as it is answered."""
    effective = transfer.effective_from
    return TransferAnswer(
        transfer=transfer.transfer,
        site=transfer.site,
        tap=transfer.tap,
        from_owner=transfer.from_owner,
        to_owner=transfer.to_owner,
        asked_by=transfer.asked_by,
        asked_at=time_text(transfer.asked_at),
        not_before=time_text(transfer.not_before),
        effective_from=None if effective is None else time_text(effective),
        state="pending" if effective is None else "done",
    )
