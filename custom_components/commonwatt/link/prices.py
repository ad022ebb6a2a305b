"""Prices the cloud promised: fetched ahead, kept word for word, and held against what it says later."""

from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
import logging
import time
from typing import Protocol
from urllib.parse import urlencode

from ..errors import BadSignature
from ..wire import time_text
from ..wire.prices import Prices, parse_prices
from .client import CloudClient
from .outbox import Outbox
from .papers import Paper

_LOGGER = logging.getLogger(__name__)

PRICES = "prices"
HOUR_S = 3600
BACK_S = 12 * HOUR_S  # told again each time, to hear whether the cloud changes what it had promised
AHEAD_S = 36 * HOUR_S
REACH_S = BACK_S + AHEAD_S  # of one paper, at most
REST_S = 5 * HOUR_S  # errands run hourly, so prices are never older than six hours while the cloud can be reached
ANSWERS_MAX = 100  # in one errand: where intervals are short and owners many, one answer does not hold all


class Runner(Protocol):
    """Runs a blocking call of the outbox in the one thread that owns it."""

    def __call__[*Args, T](self, call: Callable[[*Args], T], /, *args: *Args) -> Awaitable[T]:
        """Return the call's outcome."""


@dataclass(frozen=True, slots=True)
class OwnerPrice:
    """What an owner pays and is paid in one interval, in micro-points per Wh; no local price is no local market."""

    local_micro_per_wh: int | None
    grid_buy_micro_per_wh: int
    grid_sell_micro_per_wh: int


@dataclass(frozen=True, slots=True)
class Word:
    """Prices as the cloud signed them, and when (s) this site kept them."""

    kept_at: int
    prices: Prices


@dataclass(frozen=True, slots=True)
class PriceFinding:
    """Two prices for one interval of an owner: what stands, and what was told after the interval had begun."""

    owner: str
    start: int
    stands: OwnerPrice
    told: OwnerPrice


@dataclass(frozen=True, slots=True)
class PriceWindow:
    """What the cloud has said of some time, in the order in which it was kept.

    Of an interval the last word before it began stands: by that an owner decided what to use. Where nothing was said
    before, the first word after does.
    """

    words: tuple[Word, ...] = ()

    def price_at(self, owner: str, start: int) -> OwnerPrice | None:
        """Return the price that stands for the interval from `start` (s) on, None where none was ever told."""
        stands = None
        for kept_at, price in self._told(owner, start):
            if stands is not None and kept_at > start:
                break
            stands = price
        return stands

    def findings(self) -> list[PriceFinding]:
        """Return every price that was told otherwise after its interval had begun, each once."""
        found: dict[PriceFinding, None] = {}
        for word in self.words:
            for start in range(word.prices.start, min(word.prices.end, word.kept_at), word.prices.seconds):
                for owner in word.prices.owners:
                    stands, told = self.price_at(owner, start), _price(word.prices, owner, start)
                    if stands is not None and told is not None and told != stands:
                        found[PriceFinding(owner, start, stands, told)] = None
        return list(found)

    def _told(self, owner: str, start: int) -> Iterator[tuple[int, OwnerPrice]]:
        for word in self.words:
            if (price := _price(word.prices, owner, start)) is not None:
                yield word.kept_at, price


def _price(prices: Prices, owner: str, start: int) -> OwnerPrice | None:
    own = prices.owners.get(owner)
    place, off = divmod(start - prices.start, prices.seconds)
    if own is None or off or not 0 <= place < prices.count:
        return None
    buy, sell = own.grid_buy_micro_per_wh[place], own.grid_sell_micro_per_wh[place]
    return None if buy is None or sell is None else OwnerPrice(prices.local_micro_per_wh[place], buy, sell)


def window_of(outbox: Outbox, first: int, last: int) -> PriceWindow:
    """Return all that was kept of the intervals that begin between two times (s), both included."""
    found: dict[str, Paper] = {}
    for begin in range(max(0, first - REACH_S), last + 1, REACH_S):  # as many at once as one look is given
        until = min(last, begin + REACH_S - 1)
        found |= {paper.name: paper for paper in outbox.papers(PRICES, time_text(begin), f"{time_text(until)}~")}
    words = [Word(paper.kept_at, parse_prices(paper.raw)) for paper in found.values()]
    return PriceWindow(tuple(sorted(words, key=lambda word: word.kept_at)))


class PriceKeeper:
    """An errand to the cloud: keeps the prices of this site's owners, 36 h ahead, and the recent ones at hand."""

    def __init__(
        self,
        outbox: Outbox,
        run: Runner,
        told: Callable[[Sequence[PriceFinding]], None],
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.window = PriceWindow()
        self._outbox = outbox
        self._run = run
        self._told = told
        self._clock = clock
        self._rested_until = 0.0
        self._known: set[PriceFinding] = set()

    def hurry(self) -> None:
        """Fetch with the next errand, however short ago the last one was."""
        self._rested_until = 0.0

    async def load(self) -> None:
        """Take what was kept into memory: with the network cut, prices are known all the same."""
        now = int(self._clock())
        self.window = await self._run(window_of, self._outbox, now - BACK_S, now + AHEAD_S)

    async def prices(self, owner: str, starts: Sequence[int]) -> Mapping[int, OwnerPrice]:
        """Return an owner's price of each of these intervals that one was told for, however long ago."""
        if not starts:
            return {}
        window = await self._run(window_of, self._outbox, min(starts), max(starts))
        found = {start: window.price_at(owner, start) for start in starts}
        return {start: price for start, price in found.items() if price is not None}

    async def __call__(self, client: CloudClient) -> None:
        """Fetch and keep what the cloud promises now; done twice, it changes nothing."""
        now = self._clock()
        if now < self._rested_until:
            return
        start, end = int(now) - BACK_S, int(now) + AHEAD_S
        for _ in range(ANSWERS_MAX):
            start = await self._fetch(client, start, -(-(end - start) // HOUR_S))
            if start > end - HOUR_S:  # an interval is never longer
                break
        self._rested_until = now + REST_S
        await self.load()
        new = [finding for finding in await self._run(self.window.findings) if finding not in self._known]
        for finding in new:
            _LOGGER.warning(
                "The cloud told another price of %s for %s after it had begun", finding.owner, time_text(finding.start)
            )
        if new:
            self._known.update(new)
            self._told(new)

    async def _fetch(self, client: CloudClient, start: int, hours: int) -> int:
        """Fetch and keep one answer; return where it ends."""
        query = urlencode({"from": time_text(start), "hours": hours})
        raw, signature = await client.get_signed(f"/v1/sites/{client.site}/prices?{query}")
        prices = parse_prices(raw)
        if prices.site != client.site or not prices.start <= start < prices.end:
            raise BadSignature("prices meant for something else")
        await self._run(self._keep, time_text(prices.start), raw, signature)
        return prices.end

    def _keep(self, name: str, raw: bytes, signature: str) -> None:
        """Keep a word beside the others that begin with the same interval, unless it is the last of them again."""
        before = sorted(self._outbox.papers(PRICES, name, f"{name}~"), key=lambda paper: (paper.kept_at, paper.name))
        if before and before[-1].raw == raw:
            return
        place = f" {len(before):04}" if before else ""
        self._outbox.keep_paper(Paper(PRICES, f"{name}{place}", raw, signature, int(self._clock())))
