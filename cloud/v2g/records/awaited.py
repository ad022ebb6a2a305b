"""Which numbers of a cable's records are still to come: they count on without a gap for the life of a key."""

from collections.abc import Sequence
from dataclasses import dataclass

SPANS_MAX = 1000  # the highest: a cable holds 1488 records, and only one that makes numbers up misses so many

type Span = tuple[int, int]  # the first and the last number


@dataclass(frozen=True, slots=True)
class Awaited:
    """What has come lies within `low` to `high`, but for what is missing there, in order; nothing has where high < low.

    It begins behind the record that proved the key: earlier ones are awaited only behind one that has come. So behind
    every number that is missing there is one that has come.
    """

    low: int
    high: int
    missing: tuple[Span, ...] = ()

    def came(self, number: int) -> Awaited:
        """Return what is awaited once this number is here too."""
        if self.high < self.low and number < self.low:
            return Awaited(number, number)
        if number > self.high:
            between = ((self.high + 1, number - 1),) if number > self.high + 1 else ()
            return Awaited(self.low, number, (*self.missing, *between)[-SPANS_MAX:])
        if number < self.low:
            between = ((number + 1, self.low - 1),) if number < self.low - 1 else ()
            return Awaited(number, self.high, joined((*between, *self.missing))[-SPANS_MAX:])
        return Awaited(self.low, self.high, without(self.missing, number)[-SPANS_MAX:])


def joined(spans: Sequence[Span]) -> tuple[Span, ...]:
    """Return spans, of which those that touch are made one."""
    found: list[Span] = []
    for first, last in spans:
        if found and found[-1][1] + 1 == first:
            found[-1] = found[-1][0], last
        else:
            found.append((first, last))
    return tuple(found)


def without(spans: Sequence[Span], number: int) -> tuple[Span, ...]:
    """Return spans with a number taken out of them."""
    found: list[Span] = []
    for first, last in spans:
        if not first <= number <= last:
            found.append((first, last))
            continue
        found += [span for span in ((first, number - 1), (number + 1, last)) if span[0] <= span[1]]
    return tuple(found)
