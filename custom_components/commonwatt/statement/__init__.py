"""Statement: what the settled intervals of an owner come to, by day and by hour. Pure."""

from .tally import Day, Hour, Moved, Settled, Tally, day, roll

__all__ = ["Day", "Hour", "Moved", "Settled", "Tally", "day", "roll"]
