"""What the endpoints of this room answer."""

from typing import Annotated

from pydantic import Field

from cloud.endpoint import Body


class NoticesAnswer(Body):
    """Notices not acknowledged yet, oldest first, each a compact JWS signed by the cloud."""

    notices: Annotated[list[str], Field(max_length=100)]
