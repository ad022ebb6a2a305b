"""What the endpoints of vouchers read and answer."""

from typing import Annotated

from pydantic import AfterValidator, Field

from cloud.endpoint import Body
from cloud.payment.money import POINTS_MAX
from cloud.sites.bodies import Identifier, Time, printed

VOUCHERS_MAX = 100  # a sheet to print


class VouchersBody(Body):
    """Make vouchers of so many whole points each; without `expires_at` they hold for ever."""

    points: Annotated[int, Field(ge=1, le=POINTS_MAX)]
    count: Annotated[int, Field(ge=1, le=VOUCHERS_MAX)] = 1
    expires_at: Time | None = None


class NewVoucher(Body):
    """A voucher and its code, shown this once."""

    id: Identifier
    code: Annotated[str, Field(examples=["7K3M-9QXT-2B4D-HN8V"])]


class NewVouchersAnswer(Body):
    """Vouchers that were made."""

    points: int
    expires_at: Time | None
    vouchers: list[NewVoucher]


class VoucherItem(Body):
    """A voucher as it stands."""

    id: Identifier
    points_micro: int
    issued_at: Time
    issued_by: str
    expires_at: Time | None
    redeemed_by: Identifier | None
    redeemed_at: Time | None
    revoked_at: Time | None


class VouchersAnswer(Body):
    """The vouchers of a community, oldest first."""

    vouchers: list[VoucherItem]


class VoucherCodeBody(Body):
    """A code as it was handed out; case, dashes and letters that people misread make no difference."""

    code: Annotated[str, Field(min_length=1, max_length=40), AfterValidator(printed)]


class VoucherAnswer(Body):
    """The points that a code was worth."""

    id: Identifier
    points_micro: int
