"""Stripe's webhooks, and the parameters of its checkout: by its own scheme, without its library or a call to it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
import hashlib
import hmac
import json
import re
from typing import Any, Final

from cloud.payment.money import POINT_MICRO
from cloud.wire.strict import TIME_MAX

from .provider import Event, EventKind, NoEvent, Order

TOLERANCE_SECONDS = 300  # how far a signature's time may be from ours: what is older is a replay
SIGNATURES_MAX = 10  # a secret that is being rolled gives two
REFERENCE_KEY = "commonwatt_reference"
TIMESTAMP = re.compile(r"[0-9]{1,12}")
NAME = re.compile(r"[\x21-\x7e]{1,255}")
CURRENCY = re.compile(r"[a-z]{3}")
INTEGER_MAX = 2**53 - 1

SESSION_KINDS: Final[dict[str, EventKind]] = {
    "checkout.session.async_payment_succeeded": "paid",
    "checkout.session.async_payment_failed": "failed",
    "checkout.session.expired": "failed",
}


@dataclass(frozen=True, slots=True)
class Stripe:
    """Stripe with the secret of one webhook endpoint."""

    webhook_secret: str = field(repr=False)
    signature_header: str = "Stripe-Signature"

    def checkout(self, order: Order) -> Mapping[str, str]:
        """Return the parameters of `POST /v1/checkout/sessions`; whoever holds the API key adds where to go after."""
        item = "line_items[0]"
        return {
            "mode": "payment",
            "client_reference_id": order.reference,
            f"{item}[quantity]": "1",
            f"{item}[price_data][currency]": order.currency.lower(),
            f"{item}[price_data][unit_amount]": str(order.amount_minor),
            f"{item}[price_data][product_data][name]": f"{Decimal(order.points_micro) / POINT_MICRO:f} points",
            f"metadata[{REFERENCE_KEY}]": order.reference,
            f"payment_intent_data[metadata][{REFERENCE_KEY}]": order.reference,  # charges, and so refunds, inherit it
        }

    def read(self, raw: bytes, signature: str, now: int) -> Event | NoEvent:
        """Return what an event says, once one of its signatures holds over the raw bytes."""
        signed_at = signature_time(signature, raw, self.webhook_secret)
        if signed_at is None:
            return "forged"
        if abs(now - signed_at) > TOLERANCE_SECONDS:
            return "stale"
        try:
            data = json.loads(raw)
        except ValueError, RecursionError:
            return "malformed"
        return _event(data)


def signature_time(header: str, raw: bytes, secret: str) -> int | None:
    """Return when raw bytes were signed, if one of the header's `v1` signatures is this secret's; None if none is."""
    pairs = [part.strip().partition("=")[::2] for part in header.split(",")]
    times = [value for name, value in pairs if name == "t"]
    signatures = [value for name, value in pairs if name == "v1"]
    if len(times) != 1 or not TIMESTAMP.fullmatch(times[0]) or len(signatures) > SIGNATURES_MAX:
        return None
    expected = hmac.new(secret.encode(), times[0].encode() + b"." + raw, hashlib.sha256).hexdigest().encode()
    # each is compared whole, whatever the ones before it were
    holds = [hmac.compare_digest(expected, given.encode("utf-8", "replace")) for given in signatures]
    return int(times[0]) if any(holds) else None


def _event(data: Any) -> Event | NoEvent:
    match data:
        case {"id": str(event), "type": str(kind), "created": int(at), "data": {"object": dict(about)}}:
            named = NAME.fullmatch(event) is not None and type(at) is int and 0 <= at <= TIME_MAX
            return _event_about(event, kind, at, about) if named else "malformed"
        case _:
            return "malformed"


def _event_about(event: str, kind: str, at: int, about: Mapping[str, Any]) -> Event | NoEvent:
    if kind == "charge.refunded":
        amount_minor, refunded_minor = _amount(about, "amount"), _amount(about, "amount_refunded")
        meant: EventKind = "refunded"
    elif kind == "checkout.session.completed" or kind in SESSION_KINDS:
        amount_minor, refunded_minor = _amount(about, "amount_total"), 0
        completed: EventKind = "paid" if about.get("payment_status") == "paid" else "processing"
        meant = SESSION_KINDS.get(kind, completed)
    else:
        return "ignored"
    currency = about.get("currency")
    if refunded_minor is None or not isinstance(currency, str) or not CURRENCY.fullmatch(currency):
        return "malformed"
    return Event(event, meant, _reference(about), currency.upper(), amount_minor, at, refunded_minor)


def _amount(about: Mapping[str, Any], name: str) -> int | None:
    value = about.get(name)
    return value if type(value) is int and 0 <= value <= INTEGER_MAX else None


def _reference(about: Mapping[str, Any]) -> str | None:
    metadata = about.get("metadata")
    inherited = metadata.get(REFERENCE_KEY) if isinstance(metadata, dict) else None
    found = about.get("client_reference_id") or inherited
    return found if isinstance(found, str) and NAME.fullmatch(found) else None
