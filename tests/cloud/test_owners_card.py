"""What looks like a card's number is found wherever it is typed, and what people really write is left alone."""

from hypothesis import given, strategies as st
import pytest

from cloud.sites.owners.card import holds_card, phone_is_card
from cloud.sites.owners.country import COUNTRIES

# numbers that card networks publish for tests
CARDS = [
    "4111111111111111",
    "5555555555554444",
    "378282246310005",
    "30569309025904",
    "3530111333300000",
    "6304000000000000",
    "4222222222222",
    "6011000990139424",
]


@pytest.mark.parametrize("card", CARDS)
@pytest.mark.parametrize("write", ["{}", "Visa {}!", "x{}y", "pay\u00a0{}", "12 {} 34"])
@pytest.mark.parametrize("gap", ["", " ", "-", ".", "\u00a0", "\u2013", " -"])
def test_a_card_is_found_however_it_is_written(card: str, write: str, gap: str) -> None:
    """In one piece or in fours, with words or other numbers around it."""
    grouped = gap.join(card[place : place + 4] for place in range(0, len(card), 4))
    assert holds_card(write.format(grouped))


def test_a_card_is_found_wherever_it_stands() -> None:
    """In a list, under a name, as a name, as a number, and in the wide digits of a Japanese keyboard."""
    assert holds_card({"address": {"lines": ["Elm Street 1", "4111 1111 1111 1111"]}})
    assert holds_card({"4111111111111111": None})
    assert holds_card({"token": 4111111111111111})
    assert holds_card("4111 1111 1111 1111".translate({ord("0") + digit: 0xFF10 + digit for digit in range(10)}))
    assert holds_card({"phone": "+4111111111111111"})


@pytest.mark.parametrize(
    "text",
    [
        *(
            "4111111111111112",
            "41111111111",
            "0000000000000000",
            "2026-11-21T05:30:00Z",
            "Elm Street 1234, 10115 Berlin",
        ),
        *("pm_1NxyzABC", "+4930123456", "anna@example.org", "DE", "", "411111-1111, then nothing, 111111"),
    ],
)
def test_other_texts_are_no_cards(text: str) -> None:
    """A wrong check digit, too few digits, dates, addresses, tokens."""
    assert not holds_card(text)


@given(st.integers(10**11, 10**14 - 1).map(lambda number: f"+{number}"))
def test_a_phone_number_may_have_a_sound_check_digit(phone: str) -> None:
    """Every tenth has; in its own place it is refused only where a card's number and no phone's looks so."""
    assert not holds_card({"phone": phone})
    if len(phone) not in (15, 16):
        assert not phone_is_card(phone)


@pytest.mark.parametrize("card", ["378282246310005", "371449635398431", "30569309025904", "38520000023237"])
def test_a_short_card_is_no_phone(card: str) -> None:
    """A plus before it does not make it one."""
    assert phone_is_card(f"+{card}")
    assert not phone_is_card(f"+{card[:-1]}{(int(card[-1]) + 1) % 10}")


def test_there_are_as_many_countries_as_iso_has() -> None:
    """ISO 3166-1 has 249 officially assigned codes of two letters."""
    assert len(COUNTRIES) == 249
    assert all(len(code) == 2 and code.isupper() for code in COUNTRIES)
    assert {"DE", "JP", "GB", "XK", "EU", "UK"} & COUNTRIES == {"DE", "JP", "GB"}
