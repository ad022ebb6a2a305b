"""What the endpoints of the policy read and answer."""

from typing import Annotated

from pydantic import Field

from cloud.endpoint import Body

from .policy import DAYS_MAX, DAYS_MIN, EVENTS_DAYS, MESSAGES_DAYS, Policy


class PolicyBody(Body):
    """For how many days the event log, and the bytes that arrived, are kept. Readings are kept for ever."""

    events_days: Annotated[int, Field(ge=DAYS_MIN, le=DAYS_MAX)] = EVENTS_DAYS
    messages_days: Annotated[int, Field(ge=DAYS_MIN, le=DAYS_MAX)] = MESSAGES_DAYS

    def policy(self) -> Policy:
        """Return the policy."""
        return Policy(self.events_days, self.messages_days)
