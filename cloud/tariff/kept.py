"""A tariff's rules as the one text in which they lie in its row, and the way back."""

from collections.abc import Sequence
from dataclasses import asdict
import json
from typing import Any

from cloud.wire import to_bytes

from .price import Prices, PriceTexts
from .terms import Rule


def rules_text(rules: Sequence[Rule]) -> str:
    """Write rules with their prices, both as they were written and as they were rounded then."""
    return to_bytes([_plain(rule) for rule in rules]).decode()


def rules_of(text: str) -> tuple[Rule, ...]:
    """Read rules."""
    return tuple(_rule(data) for data in json.loads(text))


def _plain(rule: Rule) -> dict[str, Any]:
    return asdict(rule) | {"weekdays": list(rule.weekdays)}


def _rule(data: dict[str, Any]) -> Rule:
    prices, texts = Prices(**data["prices"]), PriceTexts(**data["texts"])
    return Rule(tuple(data["weekdays"]), data["from_minute"], data["until_minute"], prices, texts)
