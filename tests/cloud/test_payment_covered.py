"""Nobody gives what is not there: sixteen at once, on both databases, and a control that shows the test can see it."""

from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import pytest

from cloud.database import Database
from cloud.ledger import store as ledger
from cloud.ledger.account import OWNER_MICRO_MAX, VOUCHER, owner_account
from cloud.ledger.chain import Head, verify
from cloud.ledger.covered.store import Overfull, Uncovered, post_covered
from cloud.ledger.posting import Entry, postings_of
from cloud.ledger.store import Posted
from cloud.ledger.sums.store import sums
from cloud.wire import digest

from .ground import OpenDatabase

DOCUMENT = b'{"why":"a test"}'
ANNA, BEN = owner_account("anna"), owner_account("ben")
AT_ONCE = 16

type Result = Posted | Uncovered | Overfull


@pytest.fixture
def database(open_database: OpenDatabase, tmp_path: Path) -> Iterator[Database]:
    """Open an empty database in which anna has a hundred micro-points."""
    opened = open_database(tmp_path)
    with opened.engine.begin() as conn:
        assert isinstance(post_covered(conn, gift("start", 100), DOCUMENT, [ANNA, VOUCHER]), Posted)
    yield opened
    opened.dispose()


def gift(cause: str, amount_micro: int) -> Entry:
    """Make an entry that gives anna points."""
    amounts = {ANNA.id: amount_micro, VOUCHER.id: -amount_micro}
    return Entry("lane", cause, 0, 0, digest(DOCUMENT), postings_of(amounts))


def passing(cause: str, amount_micro: int) -> Entry:
    """Make an entry by which anna passes points on to ben."""
    amounts = {ANNA.id: -amount_micro, BEN.id: amount_micro}
    return Entry("lane", cause, 0, 0, digest(DOCUMENT), postings_of(amounts))


def covered(database: Database, entry: Entry) -> Result:
    """Post in a transaction of its own."""
    with database.engine.begin() as conn:
        return post_covered(conn, entry, DOCUMENT, [ANNA, BEN])


def balances(database: Database) -> dict[str, int]:
    with database.engine.begin() as conn:
        return dict(ledger.balances(conn, "lane"))


def at_once(spend: Callable[[int], Result]) -> list[Result]:
    """Let sixteen threads spend at the same moment."""
    start = Barrier(AT_ONCE)

    def run(number: int) -> Result:
        start.wait()
        return spend(number)

    with ThreadPoolExecutor(AT_ONCE) as pool:
        return list(pool.map(run, range(AT_ONCE)))


def test_sixteen_at_once_spend_only_what_is_there(database: Database) -> None:
    """A hundred points, seven for each: fourteen are covered, two hear what is left, and the books are sound."""
    results = at_once(lambda number: covered(database, passing(f"g{number}", 7)))
    assert Counter(type(result) for result in results) == {Posted: 14, Uncovered: 2}
    assert [result for result in results if isinstance(result, Uncovered)] == [Uncovered("anna", 2)] * 2
    assert balances(database) == {"owner:anna": 2, "owner:ben": 98, "voucher": -100}
    with database.engine.begin() as conn:
        found, links = sums(conn, "lane"), ledger.links(conn, "lane", 0)
    assert (found.entries, found.postings_micro, found.balances_micro, found.accounts_off) == (15, 0, 0, 0)
    assert isinstance(verify(links), Head)


def test_looking_first_and_posting_then_overspends(database: Database) -> None:
    """The control: the same sixteen, who look in one transaction and post in the next, take anna below zero."""
    looked = Barrier(AT_ONCE)

    def naive(number: int) -> Result:
        enough = balances(database)[ANNA.id] >= 7
        looked.wait()
        if not enough:
            return Uncovered("anna", 0)
        with database.engine.begin() as conn:
            ledger.open_accounts(conn, "lane", [ANNA, BEN], 0)
            return ledger.post(conn, passing(f"g{number}", 7), DOCUMENT)

    at_once(naive)
    assert balances(database)[ANNA.id] == 100 - AT_ONCE * 7 < 0


def test_one_cause_at_once_is_posted_once(database: Database) -> None:
    """Sixteen try the same entry: one creates it, the others hear of it, also when nothing is left to cover it."""
    results = at_once(lambda _: covered(database, passing("g", 100)))
    assert Counter(results) == {Posted(2, created=True): 1, Posted(2, created=False): 15}
    assert balances(database)[ANNA.id] == 0


def test_what_is_not_covered_leaves_nothing_behind(database: Database) -> None:
    """No entry, no account, no number used up; to the last micro-point it is covered."""
    assert covered(database, passing("g", 101)) == Uncovered("anna", 100)
    assert set(balances(database)) == {"owner:anna", "voucher"}
    assert covered(database, passing("g", 100)) == Posted(2, created=True)


def test_who_owes_may_be_given(database: Database) -> None:
    """Only who gives must have: a top-up that leaves a debt is taken."""
    with database.engine.begin() as conn:
        ledger.post(conn, gift("spent", -150), DOCUMENT)
        assert post_covered(conn, gift("top-up", 20), DOCUMENT, [ANNA, VOUCHER]) == Posted(3, created=True)
    assert balances(database)[ANNA.id] == -30
    assert covered(database, passing("g", 1)) == Uncovered("anna", -30)


def test_an_account_holds_no_more_than_a_site_can_be_told(database: Database) -> None:
    """Refused with what is there, instead of a mistake of ours."""
    with database.engine.begin() as conn:
        for number in range(8):
            post_covered(conn, gift(f"much{number}", 10**15), DOCUMENT, [ANNA, VOUCHER])
        rest = OWNER_MICRO_MAX - 8 * 10**15 - 100
        assert isinstance(post_covered(conn, gift("rest", rest), DOCUMENT, [ANNA, VOUCHER]), Posted)
        full = Overfull("anna", OWNER_MICRO_MAX)
        assert post_covered(conn, gift("drop", 1), DOCUMENT, [ANNA, VOUCHER]) == full
