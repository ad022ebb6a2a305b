"""How long the event log and the bytes of messages are kept, as a value. Pure."""

from dataclasses import dataclass

DAYS_MIN = 30  # less would let the trace of a break-in go before anybody has looked
DAYS_MAX = 3650
EVENTS_DAYS = 400  # a year and what is needed to compare it with the one before
MESSAGES_DAYS = 90  # readings stay; the bytes are for whoever disputes or mends a format


@dataclass(frozen=True, slots=True)
class Policy:
    """For how many days a community keeps its event log, and the raw bytes of messages. Readings are kept for ever."""

    events_days: int = EVENTS_DAYS
    messages_days: int = MESSAGES_DAYS
