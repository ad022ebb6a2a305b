"""The pure rules of payments: minor units, fees, signatures, and a purchase in whatever order its news come."""

from dataclasses import replace
from fractions import Fraction
import json
from random import Random

from hypothesis import given, settings, strategies as st
import pytest

from cloud.config import Config, from_environment
from cloud.errors import ConfigError
from cloud.ledger.cause import (
    PREFIXES,
    kind_of,
    purchase_cause,
    redemption_cause,
    redemption_failed_cause,
    reference_of,
    refund_cause,
    transfer_cause,
    voucher_cause,
)
from cloud.payment.documents import blind
from cloud.payment.money import POINT_MICRO, Price, decimals_of, price_of_amount, price_of_points, step_minor
from cloud.payment.purchases.provider import Event, EventKind
from cloud.payment.purchases.purchase import Purchase, judge, place_of
from cloud.payment.purchases.stripe import Stripe, signature_time
from cloud.payment.redemptions.rule import Payout, Rule, basis_points, payout, percent_text

from .payment_ground import SECRET, refund, session, signature

CURRENCIES = ("EUR", "JPY", "KWD", "ISK", "UGX", "CHF")
PURCHASE = Purchase("lane", "anna", "p1", "stripe", "EUR", 1000, 333_333_333, 0)
KINDS: tuple[EventKind, ...] = ("processing", "paid", "failed")


@pytest.mark.parametrize(
    ("currency", "decimals", "step"), [("EUR", 2, 1), ("JPY", 0, 1), ("KWD", 3, 10), ("ISK", 2, 100)]
)
def test_currencies_have_their_decimals(currency: str, decimals: int, step: int) -> None:
    """And the steps that payments in them go by."""
    assert (decimals_of(currency), step_minor(currency)) == (decimals, step)


@given(st.sampled_from(CURRENCIES), st.integers(1, 1000), st.integers(1, 5000))
def test_a_number_of_points_costs_the_least_amount_that_buys_them(currency: str, rate: int, points: int) -> None:
    """What is bought is exactly what the amount is worth: at least the points asked for, and less than a step more."""
    price = price_of_points(currency, rate, points)
    assert isinstance(price, Price)
    worth = Fraction(price.amount_minor, 10 ** decimals_of(currency)) * rate * POINT_MICRO
    one_step = Fraction(step_minor(currency), 10 ** decimals_of(currency)) * rate * POINT_MICRO
    assert price.points_micro == worth
    assert 0 <= price.points_micro - points * POINT_MICRO < one_step
    assert price_of_amount(currency, rate, price.amount_minor) == price


@pytest.mark.parametrize(
    ("currency", "rate", "amount", "verdict"),
    [
        ("ISK", 1, 150, "off-step"),
        ("KWD", 1, 15, "off-step"),
        ("EUR", 1, 10**8, "too-much"),
        ("JPY", 10**6, 101, "too-much"),
    ],
)
def test_an_amount_that_cannot_be_paid_is_none(currency: str, rate: int, amount: int, verdict: str) -> None:
    """Beside the step, and beyond what a charge or a posting holds."""
    assert price_of_amount(currency, rate, amount) == verdict


@given(
    st.sampled_from(CURRENCIES),
    st.integers(1, 100_000),
    st.integers(1, 1000),
    st.one_of(st.tuples(st.integers(0, 500), st.just(0)), st.tuples(st.just(0), st.integers(0, 10_000))),
)
def test_a_redemption_adds_up_to_the_micro_point(currency: str, points: int, rate: int, fees: tuple[int, int]) -> None:
    """Cash at the rate, and the exact fee: no more leaves than was asked for, and less than a step of cash stays."""
    rule = Rule(True, 1, rate, *fees)
    fee = fees[0] * POINT_MICRO + Fraction(points * POINT_MICRO * fees[1], 10_000)
    one_step = Fraction(step_minor(currency), 10 ** decimals_of(currency)) * rate * POINT_MICRO
    found = payout(rule, currency, points)
    if not isinstance(found, Payout):
        assert found == "nothing-left"
        assert points * POINT_MICRO - fee < one_step
        return
    assert found.fee_micro == fee
    cash = Fraction(found.amount_minor, 10 ** decimals_of(currency)) * rate * POINT_MICRO
    assert found.points_micro == cash + fee
    assert 0 <= points * POINT_MICRO - found.points_micro < one_step
    assert found.amount_minor % step_minor(currency) == 0


@pytest.mark.parametrize(
    ("rule", "points", "verdict"),
    [
        (Rule(False, 1, 1), 5, "disabled"),
        (Rule(True, 6, 1), 5, "below-minimum"),
        (Rule(True, 1, 1, fee_points=5), 5, "nothing-left"),
        (Rule(True, 1, 1), 1_000_000, "too-much"),
    ],
)
def test_a_rule_says_why_not(rule: Rule, points: int, verdict: str) -> None:
    """Each no is a word of its own."""
    assert payout(rule, "EUR", points) == verdict


@given(st.integers(0, 10_000))
def test_percentages_are_written_as_they_are_read(parts: int) -> None:
    """To a hundredth of a percent."""
    assert basis_points(percent_text(parts)) == parts


@given(st.binary(max_size=200), st.integers(0, 10**10), st.text(min_size=1, max_size=40))
def test_a_signature_holds_for_its_bytes_time_and_secret_only(raw: bytes, at: int, secret: str) -> None:
    """Whatever of the three is another, it does not."""
    header = signature(raw, at, secret)
    assert signature_time(header, raw, secret) == at
    assert signature_time(header, raw + b" ", secret) is None
    assert signature_time(header, raw, secret + "x") is None
    assert signature_time(header.replace(f"t={at}", f"t={at + 1}"), raw, secret) is None


def test_a_signature_that_others_made_holds() -> None:
    """HMAC-SHA-256 of `1492774577.{"id":"evt_1"}` by OpenSSL, not by this program."""
    made = "7656fc2882a7ca0a651666b36bf2f2f22ee204f54f608f227498a2419f2890b2"
    assert signature_time(f"t=1492774577,v1={made},v0=ignored", b'{"id":"evt_1"}', "whsec_test") == 1492774577


@given(st.text(max_size=80))
def test_no_header_breaks_the_check(header: str) -> None:
    """Whatever it holds, it signs nothing."""
    assert signature_time(header, b"{}", SECRET) is None


json_values = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=20)),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=9), inner, max_size=3)),
    max_leaves=6,
)


@given(st.data(), json_values)
@settings(max_examples=300)
def test_no_signed_event_breaks_the_reader(data: st.DataObject, value: object) -> None:
    """A good event with anything at one of its places is an event or none, and never a mistake of ours."""
    purchase = {"reference": "lane:p1", "currency": "EUR", "amount_minor": 100}
    event = data.draw(st.sampled_from([session(purchase), refund(purchase, 50)]))
    about = event["data"]["object"]
    place, member = data.draw(st.sampled_from([(event, key) for key in event] + [(about, key) for key in about]))
    place[member] = value
    raw = json.dumps(event).encode()
    found = Stripe(SECRET).read(raw, signature(raw, 0, SECRET), 0)
    assert isinstance(found, Event) or found in ("malformed", "ignored")
    if isinstance(found, Event):
        assert found.amount_minor is None or type(found.amount_minor) is int
        assert type(found.occurred_at) is int


def told(kind: EventKind, refunded_minor: int = 0) -> Event:
    """Make an event about PURCHASE."""
    return Event("e", kind, PURCHASE.reference, "EUR", 1000, 0, refunded_minor)


news = st.lists(
    st.one_of(st.sampled_from(KINDS).map(told), st.integers(0, 1000).map(lambda minor: told("refunded", minor))),
    max_size=7,
)


@given(news, st.randoms(use_true_random=False))
def test_the_order_and_number_of_news_makes_no_difference(events: list[Event], random: Random) -> None:
    """Shuffled and doubled at will, a purchase ends in one state, and its points are the same."""

    def end(items: list[Event]) -> Purchase:
        purchase = PURCHASE
        for item in items:
            after = judge(purchase, "stripe", item)
            assert isinstance(after, Purchase)
            assert after.credited_micro >= purchase.credited_micro
            assert 0 <= after.returned_micro <= after.credited_micro
            purchase = after
        return purchase

    shuffled = events * 2
    random.shuffle(shuffled)
    assert end(shuffled) == end(events)


def test_a_whole_refund_takes_every_point() -> None:
    """In parts it never takes more than its share."""
    paid = replace(PURCHASE, state="paid")
    assert replace(paid, refunded_minor=1000).returned_micro == PURCHASE.points_micro
    assert replace(paid, refunded_minor=1).returned_micro == 333_333


@pytest.mark.parametrize(
    ("purchase", "provider", "event", "verdict"),
    [
        (None, "stripe", told("paid"), "unknown-reference"),
        (PURCHASE, "other", told("paid"), "other-provider"),
        (PURCHASE, "stripe", replace(told("paid"), currency="USD"), "other-currency"),
        (PURCHASE, "stripe", replace(told("paid"), amount_minor=1001), "other-amount"),
        (PURCHASE, "stripe", told("refunded", 1001), "other-amount"),
    ],
)
def test_an_event_about_something_else_changes_nothing(
    purchase: Purchase | None, provider: str, event: Event, verdict: str
) -> None:
    """Each mismatch has its name."""
    assert judge(purchase, provider, event) == verdict


@pytest.mark.parametrize("reference", [None, "", ":", "lane", "lane:", ":p1", "la ne:p1", "lane:p1:x", "lane:\x00"])
def test_a_reference_that_is_none_leads_nowhere(reference: str | None) -> None:
    """It does not even come to the database."""
    assert place_of(reference) is None
    assert place_of(PURCHASE.reference) == ("lane", "p1")


def test_causes_tell_their_kind_and_reference() -> None:
    """Every kind there is; an entry for energy is none of them."""
    causes = [
        *(purchase_cause("r"), refund_cause("r", 5), voucher_cause("r"), redemption_cause("r")),
        *(redemption_failed_cause("r"), transfer_cause("r")),
    ]
    assert [kind_of(cause) for cause in causes] == list(PREFIXES.values())
    assert {reference_of(cause) for cause in causes} == {"r"}
    assert kind_of("energy:2026-11-21T12:00:00Z") is None


def test_who_knows_no_secret_cannot_tell_who_is_behind_a_blind() -> None:
    """The same owner is another one in every transfer."""
    assert len({blind("00" * 32, "anna"), blind("00" * 32, "ben"), blind("01" * 32, "anna")}) == 3


def test_the_webhook_secret_comes_from_the_environment_and_is_never_shown() -> None:
    """Neither in what a process says of its settings nor in what it says of a bad one."""
    config = from_environment({"COMMONWATT_STRIPE_WEBHOOK_SECRET": SECRET})
    assert config.stripe_webhook_secret == SECRET
    assert SECRET not in repr(config) + repr(Stripe(SECRET))
    assert Config().stripe_webhook_secret == ""
    for bad in ("short", "é" * 20, "x" * 256, "with\na line of its own"):
        with pytest.raises(ConfigError, match="STRIPE_WEBHOOK_SECRET") as raised:
            from_environment({"COMMONWATT_STRIPE_WEBHOOK_SECRET": bad})
        assert bad not in str(raised.value)
