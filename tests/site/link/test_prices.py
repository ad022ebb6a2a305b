"""What the cloud promised is kept word for word; what it says otherwise afterwards is found, not taken over."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from custom_components.commonwatt.errors import BadSignature
from custom_components.commonwatt.link import (
    Outbox,
    OwnerPrice,
    PriceFinding,
    PriceKeeper,
    PriceWindow,
    Runner,
)
from custom_components.commonwatt.link.prices import PRICES, REST_S, Word
from custom_components.commonwatt.wire import parse_time, time_text, to_bytes
from custom_components.commonwatt.wire.prices import OwnerPrices, Prices

from .material import SITE

START = 1_795_262_400  # 2026-11-21T12:00:00Z
HALF_HOUR = 1800
HOUR = 3600


def prices(start: int, *buys: int | None, owner: str = "anna", site: str = SITE) -> Prices:
    """Make the prices of some half hours: the grid buys at a third, and owners trade at a half of what it sells at."""
    sells = tuple(None if buy is None else buy // 3 for buy in buys)
    local = tuple(None if buy is None else buy // 2 for buy in buys)
    return Prices(site, "lane", start, HALF_HOUR, len(buys), local, {owner: OwnerPrices(buys, sells)})


def price(buy: int) -> OwnerPrice:
    """Make the price of one interval."""
    return OwnerPrice(buy // 2, buy, buy // 3)


def window(*words: tuple[int, Prices]) -> PriceWindow:
    """Make a window of words, each kept so many seconds after START."""
    return PriceWindow(tuple(Word(START + kept, said) for kept, said in words))


def test_the_last_word_before_an_interval_began_stands() -> None:
    """An owner decided by it what to use; a later word on it is a finding."""
    said = window(
        (0, prices(START, 30, 60, 90)),
        (60, prices(START, 30, 66, 99)),
        (HALF_HOUR + 1, prices(START, 30, 66, 120)),
        (2 * HALF_HOUR + 1, prices(START, 33, 66, 60)),
    )
    assert [said.price_at("anna", START + place * HALF_HOUR) for place in range(4)] == [
        price(30),
        price(66),
        price(120),
        None,
    ]
    assert said.findings() == [
        PriceFinding("anna", START, price(30), price(33)),
        PriceFinding("anna", START + 2 * HALF_HOUR, price(120), price(60)),
    ]


def test_what_was_not_said_before_stands_when_it_is_said_first() -> None:
    """A series' price that comes late, a site that was paired late; nothing said is no word."""
    said = window((0, prices(START, None, 60)), (HALF_HOUR + 1, prices(START, 90, None)), (HOUR, prices(START, 93, 60)))
    assert said.price_at("anna", START) == price(90)
    assert said.price_at("anna", START + HALF_HOUR) == price(60)
    assert said.findings() == [PriceFinding("anna", START, price(90), price(93))]


def test_prices_are_an_owners_and_an_intervals() -> None:
    """Nobody else's, and of no other instant."""
    said = window((0, prices(START, 30)))
    assert said.price_at("ben", START) is None
    assert said.price_at("anna", START + 1) is None
    assert said.price_at("anna", START - HALF_HOUR) is None
    assert PriceWindow().price_at("anna", START) is None


class SignedPrices:
    """A client of a cloud that signs what a test wants it to say; the signature itself is the real client's matter."""

    def __init__(self, buy: int = 30, most: int = 1000, site: str = SITE) -> None:
        self.site = SITE
        self.buy = buy
        self.asked: list[Mapping[str, list[str]]] = []
        self._most = most
        self._said_of = site

    async def get_signed(self, path: str) -> tuple[bytes, str]:
        """Say one price for all of the time that was asked for, as far as it fits."""
        assert path.startswith(f"/v1/sites/{SITE}/prices?")
        query = parse_qs(urlsplit(path).query)
        self.asked.append(query)
        start = parse_time(query["from"][0], "from")
        start -= start % HALF_HOUR
        count = min(self._most, int(query["hours"][0]) * 2)
        return to_bytes(prices(start, *[self.buy] * count, site=self._said_of)), "signed"


class Keeper:
    """A keeper of prices with a clock of its own."""

    def __init__(self, outbox: Outbox, run: Runner) -> None:
        self.now = START + 60
        self.found: list[PriceFinding] = []
        self.keeper = PriceKeeper(outbox, run, self.found.extend, lambda: self.now)

    async def fetch(self, cloud: SignedPrices) -> None:
        """Run the errand as after news."""
        client: Any = cloud
        self.keeper.hurry()
        await self.keeper(client)


async def test_prices_are_fetched_for_a_day_and_a_half_and_kept_as_they_were_signed(
    outbox: Outbox, run: Runner
) -> None:
    """Known again after a start without the cloud, and looked up however long ago."""
    site, cloud = Keeper(outbox, run), SignedPrices()
    await site.fetch(cloud)
    [query] = cloud.asked
    assert query == {"from": [time_text(START + 60 - 12 * HOUR)], "hours": ["48"]}
    [paper] = await run(outbox.papers, PRICES, "", "~")
    assert (paper.name, paper.signature, paper.kept_at) == (time_text(START - 12 * HOUR), "signed", START + 60)
    again = Keeper(outbox, run)
    await again.keeper.load()
    assert again.keeper.window.price_at("anna", START + 35 * HOUR) == price(30)
    assert again.keeper.window.price_at("anna", START + 36 * HOUR) is None
    again.now += 100 * 24 * HOUR
    await again.keeper.load()
    assert again.keeper.window == PriceWindow()
    asked = [START, START + HALF_HOUR, START + 60 * HOUR]
    assert await again.keeper.prices("anna", asked) == dict.fromkeys(asked[:2], price(30))
    assert await again.keeper.prices("anna", []) == {}


async def test_prices_are_fetched_again_after_hours_or_when_told(outbox: Outbox, run: Runner) -> None:
    """Errands run more often than prices change."""
    site, cloud = Keeper(outbox, run), SignedPrices()
    client: Any = cloud
    await site.keeper(client)
    await site.keeper(client)
    assert len(cloud.asked) == 1
    site.now += REST_S
    await site.keeper(client)
    site.keeper.hurry()
    await site.keeper(client)
    assert len(cloud.asked) == 3


async def test_answers_that_do_not_hold_all_are_followed_by_others(outbox: Outbox, run: Runner) -> None:
    """Without a hole between them."""
    site, cloud = Keeper(outbox, run), SignedPrices(most=40)
    await site.fetch(cloud)
    assert len(cloud.asked) == 3
    starts = range(START - 12 * HOUR, START + 35 * HOUR, HALF_HOUR)
    assert len(await site.keeper.prices("anna", starts)) == len(starts)


async def test_a_price_changed_in_time_is_no_finding_and_one_changed_too_late_is(
    outbox: Outbox, run: Runner, caplog: pytest.LogCaptureFixture, expected_logs: list[str]
) -> None:
    """Every word is kept beside the others, also where it begins with the same interval; each finding is told once."""
    expected_logs.append("another price")
    site = Keeper(outbox, run)
    await site.fetch(SignedPrices(30))
    await site.fetch(SignedPrices(30))
    assert len(await run(outbox.papers, PRICES, "", "~")) == 1
    site.now += 60
    await site.fetch(SignedPrices(60))
    site.now += 60
    await site.fetch(SignedPrices(30))
    assert len(await run(outbox.papers, PRICES, "", "~")) == 3
    assert site.keeper.window.price_at("anna", START) == price(30)
    assert site.keeper.window.price_at("anna", START + HALF_HOUR) == price(30)
    assert {finding.start for finding in site.found} == set(range(START - 12 * HOUR, START + 1, HALF_HOUR))
    assert {(finding.stands, finding.told) for finding in site.found} == {(price(30), price(60))}
    told = len(site.found)
    await site.fetch(SignedPrices(30))
    assert len(site.found) == told == caplog.text.count("another price")


async def test_prices_of_another_site_are_not_believed(outbox: Outbox, run: Runner) -> None:
    """However well they are signed."""
    site = Keeper(outbox, run)
    with pytest.raises(BadSignature):
        await site.fetch(SignedPrices(site="other"))
    assert await run(outbox.papers, PRICES, "", "~") == []
