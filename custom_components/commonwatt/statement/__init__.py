"""Statement: what the settled intervals of an owner come to, by day and by hour. Pure."""

from .page import Page, read_page
from .tally import Day, Hour, Moved, Settled, Tally, day, roll

__all__ = ["Day", "Hour", "Moved", "Page", "Settled", "Tally", "day", "read_page", "roll"]
