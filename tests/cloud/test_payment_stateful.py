"""Whatever owners, staff and providers do in whatever order: the books balance, and nobody gives what is not there."""

from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from hypothesis import HealthCheck, settings, strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, multiple, rule
from sqlalchemy import Connection

from cloud.database import Database
from cloud.ledger import store as ledger
from cloud.ledger.account import GRID, owner_account
from cloud.ledger.chain import Head, verify
from cloud.ledger.covered.store import Uncovered
from cloud.ledger.posting import Entry, postings_of
from cloud.ledger.sums.store import sums
from cloud.payment.purchases import store as purchases
from cloud.payment.purchases.provider import Event, EventKind
from cloud.payment.purchases.purchase import Purchase
from cloud.payment.redemptions import store as redemptions
from cloud.payment.redemptions.rule import Rule
from cloud.payment.transfers import store as transfers
from cloud.payment.vouchers import store as vouchers
from cloud.settlement.proof.store import movements
from cloud.sites.owners.record import CLOUD
from cloud.sites.owners.store import put_record
from cloud.sites.store import Community, put_community
from cloud.wire import digest

from .ground import HALF_HOUR, NOON, make_tables

OWNERS = ("anna", "ben", "sun")
POINT = 1_000_000
KINDS: tuple[EventKind, ...] = ("processing", "paid", "failed", "refunded")
owners = st.sampled_from(OWNERS)
points = st.integers(1, 40)


class Books(RuleBasedStateMachine):
    """A community with three owners, and a model of what each must have."""

    begun: Bundle[Purchase] = Bundle("begun")
    codes: Bundle[str] = Bundle("codes")
    asked: Bundle[str] = Bundle("asked")

    def __init__(self) -> None:
        """Make the database."""
        super().__init__()
        self.folder = TemporaryDirectory()
        url = f"sqlite:///{Path(self.folder.name)}/books.db"
        make_tables(url)
        self.database = Database(url)
        self.has = dict.fromkeys(OWNERS, 0)
        self.paid: dict[str, tuple[Purchase, bool, int]] = {}
        self.now, self.number = NOON, 0

    def teardown(self) -> None:
        """Remove the database."""
        self.database.dispose()
        self.folder.cleanup()

    def do[R](self, fn: Callable[..., R], *args: Any, **kwargs: Any) -> R:
        """Run one transaction, a second after the one before."""
        self.now += 1
        with self.database.engine.begin() as conn:
            return fn(conn, *args, **kwargs)

    def name(self) -> str:
        """Return a name nobody has used."""
        self.number += 1
        return f"n{self.number}"

    @initialize()
    def found(self) -> None:
        """Found the community."""

        def make(conn: Connection) -> None:
            settings = Community("lane", "Lane", "UTC", HALF_HOUR, HALF_HOUR, 86_400, "EUR", 7)
            put_community(conn, settings, NOON)
            for owner in OWNERS:
                members = {"name": owner, "payment": {"provider": "sepa", "token": "token"}}
                put_record(conn, "lane", owner, members, by=CLOUD, now=NOON)
            redemptions.put_rule(conn, "lane", Rule(True, 3, 11, fee_basis_points=125), NOON)

        self.do(make)

    @rule(target=begun, owner=owners, points=points)
    def buy(self, owner: str, points: int) -> Any:
        """Begin a purchase, unless there are too many."""
        made = self.do(purchases.begin, "lane", owner, "stripe", points=points, amount_minor=None, now=self.now)
        if made == "too-many-pending":
            return multiple()
        assert isinstance(made, Purchase)
        self.paid[made.purchase] = (made, False, 0)
        return made

    @rule(purchase=begun, kind=st.sampled_from(KINDS), share=st.integers(0, 4), times=st.integers(1, 3))
    def hear(self, purchase: Purchase, kind: EventKind, share: int, times: int) -> None:
        """Take a provider's news, once or more often."""
        refunded = purchase.amount_minor * share // 4 if kind == "refunded" else 0
        event = Event(
            self.name(), kind, purchase.reference, "EUR", purchase.amount_minor, NOON, refunded_minor=refunded
        )
        for _ in range(times):
            assert self.do(purchases.take_event, "stripe", event, self.now, [])[0] == "applied"
        _, was_paid, was_refunded = self.paid[purchase.purchase]
        before = self._worth(purchase.purchase)
        self.paid[purchase.purchase] = (purchase, was_paid or kind == "paid", max(was_refunded, refunded))
        self.has[purchase.owner] += self._worth(purchase.purchase) - before

    def _worth(self, name: str) -> int:
        purchase, paid, refunded = self.paid[name]
        return purchase.points_micro - purchase.points_micro * refunded // purchase.amount_minor if paid else 0

    @rule(purchase=begun, currency=st.sampled_from(["EUR", "USD"]), more=st.integers(1, 9))
    def hear_of_something_else(self, purchase: Purchase, currency: str, more: int) -> None:
        """Take a payment nobody asked for: it credits nobody."""
        event = Event(self.name(), "paid", purchase.reference, currency, purchase.amount_minor + more, NOON)
        assert self.do(purchases.take_event, "stripe", event, self.now, [])[0] != "applied"

    @rule(target=codes, points=points)
    def issue(self, points: int) -> str:
        """Make a voucher."""
        code = self.name()
        assert self.do(vouchers.issue, "lane", [code], points=points, expires_at=None, by="staff", now=self.now)
        return f"{code}:{points}"

    @rule(code=codes, owner=owners)
    def show(self, code: str, owner: str) -> None:
        """Show a code, perhaps one that is used."""
        hmac, worth = code.split(":")
        given = self.do(vouchers.redeem, "lane", owner, hmac, address=self.name(), now=self.now, hooks=[])
        if isinstance(given, vouchers.Given) and given.first:
            self.has[owner] += int(worth) * POINT

    @rule(giver=owners, taker=owners, points=points)
    def give(self, giver: str, taker: str, points: int) -> None:
        """Give points, twice by one key."""
        gift = transfers.Gift("lane", giver, taker, points, self.name())
        for first in (True, False):
            made = self.do(transfers.give, gift, self.now, [])
            match made:
                case transfers.Made():
                    assert made.first == first
                    if first:
                        self.has[giver] -= points * POINT
                        self.has[taker] += points * POINT
                    assert self.has[giver] >= 0
                case Uncovered(_, balance_micro):
                    assert balance_micro == self.has[giver] < points * POINT
                case _:
                    assert made == "too-many" or giver == taker

    @rule(target=asked, owner=owners, points=points)
    def redeem(self, owner: str, points: int) -> Any:
        """Ask for cash."""
        asked = self.do(redemptions.ask, redemptions.Wish("lane", owner, points, self.name()), self.now, [])
        if not isinstance(asked, redemptions.Asked):
            assert asked in ("below-minimum", "too-many") or asked == Uncovered(owner, self.has[owner])
            return multiple()
        self.has[owner] -= asked.redemption.points_micro
        assert self.has[owner] >= 0
        assert asked.redemption.points_micro <= points * POINT
        return asked.redemption.redemption

    @rule(redemption=asked, state=st.sampled_from(["paid", "failed"]))
    def decide(self, redemption: str, state: Any) -> None:
        """Say how it went, perhaps again, perhaps otherwise."""
        before = self.do(redemptions.redemption_of, "lane", redemption)
        assert before is not None
        after = self.do(redemptions.decide, "lane", redemption, state, note="n", by="s", now=self.now, hooks=[])
        if before.state == "requested" and state == "failed":
            self.has[before.owner] += before.points_micro
        assert (after == "decided") == (before.state not in ("requested", state))

    @rule(owner=owners, points=points)
    def settle(self, owner: str, points: int) -> None:
        """Energy is paid for, also by who has nothing left."""

        def post(conn: Connection) -> None:
            account = owner_account(owner)
            ledger.open_accounts(conn, "lane", [account, GRID], self.now)
            legs = postings_of({account.id: -points * POINT, GRID.id: points * POINT})
            entry = Entry("lane", f"energy:{self.name()}", self.now, self.now, digest(b"{}"), legs)
            ledger.post(conn, entry, b"{}")

        self.do(post)
        self.has[owner] -= points * POINT

    @invariant()
    def the_books_balance(self) -> None:
        """Every sum is zero, the chain holds, and everybody has what the model says."""

        def look(conn: Connection) -> None:
            found = sums(conn, "lane")
            assert (found.postings_micro, found.balances_micro, found.accounts_off) == (0, 0, 0)
            assert isinstance(verify(ledger.links(conn, "lane", 0)), Head)
            balances = ledger.balances(conn, "lane")
            assert {owner: balances.get(f"owner:{owner}", 0) for owner in OWNERS} == self.has
            for owner in OWNERS:
                beside_energy = sum(item.points_micro for item in movements(conn, "lane", owner, 0, self.now + 1))
                assert beside_energy >= self.has[owner]

        self.do(look)


TestBooks = Books.TestCase
TestBooks.settings = settings(
    max_examples=25, stateful_step_count=30, deadline=None, suppress_health_check=[HealthCheck.too_slow], database=None
)
