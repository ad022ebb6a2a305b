"""Finds what looks like a payment card's number in a text: none is ever kept here, whoever typed it where."""

from collections.abc import Iterator, Mapping
import re
from typing import Any
import unicodedata

CARD_DIGITS_MIN = 12
CARD_DIGITS_MAX = 19  # ISO/IEC 7812-1

RUN = re.compile(r"\d+(?:[ ._/\u2010-\u2015-]{1,2}\d+)*")  # digits in groups, as they are printed on a card
GROUP = re.compile(r"\d+")
PHONE = re.compile(r"\+[1-9][0-9]{6,14}")
# A card's number with a plus before it would pass as a phone's where it is short enough: Diners Club, American Express
# and JCB. No country gives out numbers of these lengths there, while every tenth real number has a sound check digit.
CARD_AS_PHONE = re.compile(r"\+(?:3(?:0[0-5]|[689][0-9])[0-9]{11}|3[47][0-9]{13}|(?:2131|1800)[0-9]{11})")


def holds_card(data: Any) -> bool:
    """Tell whether a text, a number, or any name or value inside lists and mappings looks like a card's number."""
    return any(_card_in(text) for text in _texts(data))


def phone_is_card(phone: str) -> bool:
    """Tell whether an E.164 number is rather a card's number."""
    return CARD_AS_PHONE.fullmatch(phone) is not None and _luhn(phone[1:])


def _texts(data: Any) -> Iterator[str]:
    match data:
        case str():
            yield data
        case int():
            yield str(data)
        case Mapping():
            for name, value in data.items():
                yield str(name)
                if name != "phone" or not isinstance(value, str) or not PHONE.fullmatch(value):
                    yield from _texts(value)
        case list():
            for value in data:
                yield from _texts(value)
        case _:
            return


def _card_in(text: str) -> bool:
    for run in RUN.findall(unicodedata.normalize("NFKC", text)):
        groups = GROUP.findall(run)
        for first in range(len(groups)):
            digits = ""
            for group in groups[first:]:
                digits += group
                if len(digits) > CARD_DIGITS_MAX:
                    break
                if len(digits) >= CARD_DIGITS_MIN and _luhn(digits):
                    return True
    return False


def _luhn(digits: str) -> bool:
    """Tell whether the last digit checks the others (ISO/IEC 7812-1, annex B); no card's number begins with zero."""
    values = [int(digit) for digit in reversed(digits)]
    doubled = sum(sum(divmod(2 * value, 10)) for value in values[1::2])
    return values[-1] != 0 and (sum(values[::2]) + doubled) % 10 == 0
