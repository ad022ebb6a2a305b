"""What the endpoints of transfers between owners read and answer."""

from typing import Annotated

from pydantic import Field

from cloud.endpoint import Body
from cloud.payment.purchases.bodies import Points
from cloud.sites.bodies import Identifier, Time


class GiftBody(Body):
    """Whole points for another owner; `key` is the caller's own name for it, so that giving again gives once."""

    to_owner: Identifier
    points: Points
    key: Identifier


class GiftItem(Body):
    """Points given (negative) or received; who gives is named to who receives, and nobody else learns of it."""

    id: Identifier
    points_micro: int
    other_owner: Identifier
    blind: Annotated[str, Field(description="what stands for this owner in the entry's document")]
    made_at: Time


class GiftsAnswer(Body):
    """What an owner gave and was given, oldest first."""

    transfers: list[GiftItem]
