"""Rewards of a cable and corrections of a host verify from their documents; a lie in either is named."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import pytest

from cloud.ledger.chain import Head, link
from cloud.ledger.posting import Entry, postings_of
from cloud.settlement.evidence import blind_of
from cloud.v2g.reward.evidence import Earned, Leg, Period, Record, leg_document, reward_document
from cloud.v2g.reward.legs import GridPrices
from cloud.v2g.reward.reward import Rate
from cloud.wire import digest, time_text
from custom_components.commonwatt.verify import Report, verify
from custom_components.commonwatt.wire.statement import Movement

from .scribe import DAY, HALF_HOUR, NETS, PRICES, SECRET, Booked, Scribe, kept, own

AT = 1  # the interval in which a visiting car gave 700 Wh at Anna's
START = DAY + AT * HALF_HOUR
BOOKED = DAY + 20 * HALF_HOUR
BLIND = blind_of(SECRET, START, "anna")
VISIT = Period(
    community="lane",
    site="house",
    start=START,
    seconds=HALF_HOUR,
    cable="C7",
    host="anna",
    driver_community="hill",
    driver="dora",
    connected=True,
    energy_wh=-700,
    witness="lookback",
    records=(Record(4, "ab" * 32, 0, 700),),
)
TRIP = replace(VISIT, site="barn", cable="C8", energy_wh=-1500, driver_community="lane", driver="anna")


@dataclass
class CableScribe(Scribe):
    """Also books a visiting car's correction, and a reward for a car of Anna's own; as they must be, or lying."""

    lies: Mapping[str, int] | None = None

    def books(self) -> list[Booked]:
        """Return the day's entries, the last two about cables."""
        booked = super().books()
        for entry, document in (self.host(), self.reward()):
            last = booked[-1].link
            booked.append(Booked(link(entry, Head(last.number, last.hash), "5a" * 16), document))
        return booked

    def lie(self, name: str, truth: int) -> int:
        """Return a number, or what is said instead."""
        return (self.lies or {}).get(name, truth)

    def host(self) -> tuple[Entry, bytes]:
        """Return the entry of Anna's leg."""
        net_wh = self.lie("net_wh", NETS[AT]["anna"])
        prices = GridPrices(PRICES.grid_buy_micro_per_wh, PRICES.grid_sell_micro_per_wh)
        leg = Leg("lane", START, "anna", 0, 0, net_wh, -700, prices, 0)
        document = leg_document(leg, BLIND, [VISIT])
        micro = self.lie("host_micro", leg.posted_micro)
        return self.entry(f"v2g-host:{time_text(START)}:{BLIND}:0", micro, document), document

    def reward(self) -> tuple[Entry, bytes]:
        """Return the entry of Anna's reward."""
        earned = Earned(TRIP, Rate(1_000_000, 20_000), base_due=True)
        document = reward_document("lane", earned)
        micro = self.lie("reward_micro", earned.reward.micro)
        return self.entry(f"v2g-reward:{time_text(START)}:{TRIP.name}", micro, document), document

    def entry(self, cause: str, micro: int, document: bytes) -> Entry:
        """Book points for Anna."""
        legs = postings_of({"owner:anna": micro, "aggregator": -micro})
        return Entry("lane", cause, BOOKED, BOOKED + 60, digest(document), legs)

    def movements(self, by_cause: Mapping[str, Booked]) -> tuple[Movement, ...]:
        """Return what moved Anna's points beside energy."""
        own = [item.link for cause, item in by_cause.items() if cause.startswith("v2g-")]
        told = [
            Movement(
                item.valued_at,
                item.cause.partition(":")[0],
                item.cause,
                {leg.account: leg.amount_micro for leg in item.postings}["owner:anna"],
                0,
                item.number,
            )
            for item in own
        ]
        return (*super().movements(by_cause), *told)


def report(scribe: CableScribe | None = None, **changes: Any) -> Report:
    """Verify a statement."""
    return verify([kept(scribe or CableScribe(), **changes)], own())


def test_honest_rewards_are_verified() -> None:
    """Both documents make the points that moved, and the host's net is the one of the line."""
    found = report()
    assert (found.altered, found.unwitnessed) == ((), ())
    assert found.verified


@pytest.mark.parametrize(
    ("lie", "value", "what"),
    [
        ("reward_micro", 31_000_001, "reward"),
        ("host_micro", -1, "correction"),
        ("net_wh", 1000, "net_wh"),
    ],
)
def test_books_that_lie_from_the_start_are_named(lie: str, value: int, what: str) -> None:
    """Chain, postings and root hold; but not what follows from the document, or the document from the line."""
    found = report(CableScribe(lies={lie: value}))
    assert {item.what.rpartition(", ")[2] for item in found.altered} == {what}


def test_a_reward_by_another_name_is_named() -> None:
    """A kind that its cause does not bear out would be added up elsewhere."""
    page = kept(CableScribe()).page
    renamed = tuple(replace(item, kind="voucher") if item.kind == "v2g-host" else item for item in page.movements)
    assert any(item.what.endswith("kind") for item in report(movements=renamed).altered)


def test_a_movement_without_its_document_has_no_witness() -> None:
    """It is told, and not called altered."""
    page = kept(CableScribe()).page
    bare = tuple(
        replace(item, document=None) if item.public["cause"].startswith("v2g-reward") else item for item in page.entries
    )
    found = report(entries=bare)
    assert found.altered == ()
    assert any("v2g-reward" in item.what for item in found.unwitnessed)
