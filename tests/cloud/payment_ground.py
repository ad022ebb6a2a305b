"""What tests of payments build on: a cloud that Stripe pays, its signed events, and owners who have points."""

from collections.abc import Mapping
from dataclasses import dataclass
import hashlib
import hmac
import itertools
import json
from typing import Any

from cloud.ledger import store as ledger
from cloud.ledger.chain import Head, verify
from cloud.ledger.sums.store import sums
from cloud.principal import Scope

from .conftest import COMMUNITY, Cloud, Reply
from .people import Caller

SECRET = "whsec_of_tests_0123456789"
POINT = 1_000_000
WEBHOOK = "/v1/payments/stripe/webhook"
EVENTS = itertools.count(1)


def signature(raw: bytes, at: int, *secrets: str) -> str:
    """Sign as Stripe does: a time, and a signature for each secret."""
    made = [hmac.new(secret.encode(), f"{at}.".encode() + raw, hashlib.sha256).hexdigest() for secret in secrets]
    return ",".join([f"t={at}", *(f"v1={each}" for each in made)])


def session(
    purchase: Mapping[str, Any], kind: str = "completed", *, paid: bool = True, event: str | None = None, **changes: Any
) -> dict[str, Any]:
    """Make an event about a checkout, as a provider that carried the reference tells it."""
    about = {
        "id": "cs_test_1",
        "object": "checkout.session",
        "client_reference_id": purchase["reference"],
        "metadata": {},
        "currency": purchase["currency"].lower(),
        "amount_total": purchase["amount_minor"],
        "payment_status": "paid" if paid else "unpaid",
    }
    return _event(f"checkout.session.{kind}", about | changes, event)


def refund(
    purchase: Mapping[str, Any], refunded_minor: int, *, event: str | None = None, **changes: Any
) -> dict[str, Any]:
    """Make an event about money given back: all of it so far, of a charge that inherited the reference."""
    about = {
        "object": "charge",
        "metadata": {"commonwatt_reference": purchase["reference"]},
        "currency": purchase["currency"].lower(),
        "amount": purchase["amount_minor"],
        "amount_refunded": refunded_minor,
    }
    return _event("charge.refunded", about | changes, event)


def _event(kind: str, about: Mapping[str, Any], event: str | None) -> dict[str, Any]:
    name = event or f"evt_{next(EVENTS)}"
    return {"id": name, "object": "event", "type": kind, "created": 1_795_262_000, "data": {"object": about}}


@dataclass
class Till:
    """A cloud whose owners can pay."""

    cloud: Cloud

    async def open(self, currency: str | None = "EUR", points_per_unit: int | None = 100) -> None:
        """Found a community with a currency."""
        await self.cloud.found()
        settings = {"name": "Riverside", "time_zone": "Europe/Berlin"}
        settings |= {"currency": currency, "points_per_unit": points_per_unit}  # type: ignore[dict-item]
        assert (await self.cloud.operator("PUT", COMMUNITY, settings)).status == 200

    async def owner(self, owner: str, method: str, what: str, json: Any = None) -> Reply:
        """Do something through an owner's own client."""
        caller = Caller(Scope.OWNER, COMMUNITY, owner)
        return await caller.call(self.cloud, method, f"owners/{owner}/{what}", json)

    async def buy(self, owner: str = "anna", **what: Any) -> dict[str, Any]:
        """Begin a purchase."""
        reply = await self.owner(owner, "POST", "purchases", {"provider": "stripe"} | (what or {"points": 500}))
        assert reply.status == 201, reply.json
        made: dict[str, Any] = reply.json
        return made

    async def tell(self, event: Mapping[str, Any], *, at: int | None = None, **headers: str) -> Reply:
        """Send an event, signed now unless told otherwise."""
        raw = json.dumps(event).encode()
        signed = signature(raw, self.cloud.clock() // 1000 if at is None else at, SECRET)
        return await self.cloud.call("POST", WEBHOOK, data=raw, headers={"Stripe-Signature": signed} | headers)

    async def give(self, owner: str, points: int) -> None:
        """Let an owner have points by a voucher."""
        made = await self.cloud.operator("POST", f"{COMMUNITY}/vouchers", {"points": points})
        code = made.json["vouchers"][0]["code"]
        assert (await self.owner(owner, "POST", "vouchers", {"code": code})).status == 201

    async def balance(self, owner: str = "anna") -> int:
        """Return an owner's balance in micro-points."""
        balances = await self.cloud.database.read(ledger.balances, COMMUNITY)
        return balances.get(f"owner:{owner}", 0)

    async def sound(self) -> int:
        """Hold the whole ledger to what must be true of it, and return how many entries it has."""
        database = self.cloud.database
        found, links = await database.read(sums, COMMUNITY), await database.read(ledger.links, COMMUNITY, 0)
        assert (found.postings_micro, found.balances_micro, found.accounts_off) == (0, 0, 0)
        head = verify(links)
        assert isinstance(head, Head)
        assert head == await database.read(ledger.head_of, COMMUNITY)
        return found.entries
