"""The ledger in a database: written once, balances beside it, and a hand in the file shows."""

from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from hypothesis import HealthCheck, given, settings, strategies as st
import pytest
from sqlalchemy import event, text
from sqlalchemy.exc import IntegrityError

from cloud.database import Database
from cloud.ledger import store
from cloud.ledger.account import BALANCE_MICRO_MAX, GRID, Account, owner_account
from cloud.ledger.chain import Broken, Head, verify
from cloud.ledger.posting import AMOUNT_MICRO_MAX, Entry, LedgerInvariantError, postings_of
from cloud.ledger.sums.store import Sums, moved, sums
from cloud.wire import GENESIS, digest

from .ground import OpenDatabase

OWNERS = ("anna", "ben", "cleo")
DOCUMENT = b'{"why":"a test"}'


@pytest.fixture
def database(open_database: OpenDatabase, tmp_path: Path) -> Iterator[Database]:
    """Open an empty database with the accounts of three owners and the grid."""
    opened = open_database(tmp_path)
    with opened.engine.begin() as conn:
        store.open_accounts(conn, "lane", [GRID, *map(owner_account, OWNERS)], 0)
    yield opened
    opened.dispose()


def entry(cause: str, amounts: dict[str, int], *, at: int = 0, made_at: int = 0, community: str = "lane") -> Entry:
    """Make an entry between owners, or the grid, by their short names."""
    by_account = {name if name == "grid" else f"owner:{name}": amount for name, amount in amounts.items()}
    return Entry(community, cause, at, made_at, digest(DOCUMENT), postings_of(by_account))


def post(database: Database, wanted: Entry) -> store.Posted:
    """Post in a transaction of its own."""
    with database.engine.begin() as conn:
        return store.post(conn, wanted, DOCUMENT)


def balances(database: Database) -> dict[str, int]:
    with database.engine.begin() as conn:
        return dict(store.balances(conn, "lane"))


def proof(database: Database) -> tuple[Sums, Head | Broken, Head]:
    """Return the sums, what verification says, and where the head stands."""
    with database.engine.begin() as conn:
        return sums(conn, "lane"), verify(store.links(conn, "lane", 0)), store.head_of(conn, "lane")


def test_an_entry_moves_its_balances_once(database: Database) -> None:
    """The same cause with the same content is `exists`, whenever it was made, and moves nothing."""
    assert post(database, entry("e1", {"anna": 5, "grid": -5})) == store.Posted(1, created=True)
    assert post(database, entry("e1", {"anna": 5, "grid": -5}, made_at=99)) == store.Posted(1, created=False)
    assert balances(database) == {"owner:anna": 5, "grid": -5, "owner:ben": 0, "owner:cleo": 0}


@pytest.mark.parametrize(
    "other",
    [
        entry("e1", {"anna": 6, "grid": -6}),
        entry("e1", {"ben": 5, "grid": -5}),
        entry("e1", {"anna": 5, "grid": -5}, at=1),
    ],
)
def test_another_content_under_a_known_cause_is_never_posted(database: Database, other: Entry) -> None:
    """That would be our mistake: it raises, and nothing has moved."""
    post(database, entry("e1", {"anna": 5, "grid": -5}))
    before = proof(database)
    with pytest.raises(LedgerInvariantError, match="moved something else"):
        post(database, other)
    assert proof(database) == before


def test_a_transaction_that_fails_later_leaves_no_trace(database: Database) -> None:
    """Entry, postings, balances and head are one."""

    def post_and_fail() -> None:
        with database.engine.begin() as conn:
            store.post(conn, entry("e1", {"anna": 5, "grid": -5}), DOCUMENT)
            raise KeyError

    with pytest.raises(KeyError):
        post_and_fail()
    assert proof(database)[0] == Sums(0, 0, 0, 0, 0)
    assert post(database, entry("e2", {"anna": 1, "grid": -1})).number == 1


def test_an_account_must_be_open(database: Database) -> None:
    """Points go nowhere unknown."""
    with pytest.raises(IntegrityError):
        post(database, entry("e1", {"nobody": 5, "grid": -5}))
    assert proof(database)[0].entries == 0


def test_opening_an_account_again_keeps_its_balance(database: Database) -> None:
    """Settlement opens accounts before every entry."""
    post(database, entry("e1", {"anna": 5, "grid": -5}))
    with database.engine.begin() as conn:
        store.open_accounts(conn, "lane", [owner_account("anna"), Account("grid", "grid", None)], 9)
    assert balances(database)["owner:anna"] == 5


def test_a_balance_stays_within_what_a_site_can_be_told(database: Database) -> None:
    """Posting stops at the bound, with nothing moved."""
    times, rest = divmod(BALANCE_MICRO_MAX["owner"], AMOUNT_MICRO_MAX)
    assert rest == 0
    for number in range(times):
        post(database, entry(f"e{number}", {"anna": AMOUNT_MICRO_MAX, "grid": -AMOUNT_MICRO_MAX}))
    before = proof(database)
    with pytest.raises(LedgerInvariantError, match="1 of 2 balances"):
        post(database, entry("more", {"anna": 1, "grid": -1}))
    assert proof(database) == before


def test_communities_keep_their_own_books(database: Database) -> None:
    """The same cause, owner and number live in each."""
    with database.engine.begin() as conn:
        store.open_accounts(conn, "road", [GRID, owner_account("anna")], 0)
        store.post(conn, entry("e1", {"anna": 7, "grid": -7}, community="road"), DOCUMENT)
        assert store.post(conn, entry("e1", {"anna": 5, "grid": -5}), DOCUMENT).number == 1
        assert store.balances(conn, "road") == {"owner:anna": 7, "grid": -7}
        assert store.owners_with_account(conn, "road") == {"anna"}
        assert sums(conn, "road").postings == 2


def test_what_was_posted_before_and_within_a_time_is_told_apart(database: Database) -> None:
    """By the time an entry belongs to, not by when it was made; the end is not part of it."""
    for number, at in enumerate((10, 30, 20, 40)):
        post(database, entry(f"e{number}", {"anna": 10**number, "grid": -(10**number)}, at=at))
    with database.engine.begin() as conn:
        assert moved(conn, "lane", "owner:anna", 20, 40) == (1, 110)
        assert moved(conn, "lane", "owner:ben", 20, 40) == (0, 0)


def test_entries_and_postings_are_only_ever_inserted(database: Database) -> None:
    """No statement of a posting, new or repeated, updates or deletes a row of history."""
    said: list[str] = []

    @event.listens_for(database.engine, "before_cursor_execute")
    def listen(_c: object, _k: object, statement: str, _p: object, _x: object, _m: bool) -> None:
        said.append(" ".join(statement.split()))

    for cause in ("e1", "e2", "e1"):
        post(database, entry(cause, {"anna": 5, "ben": -2, "grid": -3}))
    written = Counter(
        (words[0], words[1 if words[0] == "UPDATE" else 2])
        for line in said
        if (words := line.split())[0] in ("INSERT", "UPDATE", "DELETE")
    )
    assert {what for what in written if what[1] in ("entry", "posting")} == {("INSERT", "entry"), ("INSERT", "posting")}
    assert written["INSERT", "entry"] == 2
    assert not [what for what in written if what[0] == "DELETE"]


@pytest.mark.parametrize(
    ("hand", "number"),
    [
        ("UPDATE posting SET amount_micro = amount_micro + 1 WHERE number = 2 AND account = 'owner:anna'", 2),
        ("UPDATE posting SET account = 'owner:cleo' WHERE number = 2 AND account = 'owner:anna'", 2),
        ("DELETE FROM posting WHERE number = 3 AND account = 'grid'", 3),
        ("INSERT INTO posting SELECT bucket, community, number, 'owner:cleo', 1 FROM entry WHERE number = 1", 1),
        ("UPDATE entry SET made_at = made_at + 1 WHERE number = 3", 3),
        ("UPDATE entry SET evidence = 'other' WHERE number = 1", 1),
    ],
)
def test_a_hand_in_the_rows_is_found(database: Database, hand: str, number: int) -> None:
    """Recomputing the hashes names the entry that was touched."""
    for cause in ("e1", "e2", "e3"):
        post(database, entry(cause, {"anna": 5, "ben": -2, "grid": -3}))
    assert proof(database)[1] == proof(database)[2]
    with database.engine.begin() as conn:
        assert conn.execute(text(hand)).rowcount == 1
    found = proof(database)[1]
    assert isinstance(found, Broken)
    assert found.number == number


def test_a_balance_that_is_not_the_sum_of_its_postings_is_counted(database: Database) -> None:
    """The balances are kept beside the postings and can be derived from them."""
    post(database, entry("e1", {"anna": 5, "grid": -5}))
    with database.engine.begin() as conn:
        conn.execute(text("UPDATE account SET balance_micro = balance_micro + 1 WHERE account <> 'grid'"))
    assert proof(database)[0] == Sums(entries=1, postings=2, postings_micro=0, balances_micro=3, accounts_off=3)


movements = st.dictionaries(st.sampled_from(OWNERS), st.integers(-(10**9), 10**9).filter(bool), min_size=1)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.integers(0, 5), movements), max_size=12))
def test_balances_are_always_the_sum_of_the_postings(
    open_database: OpenDatabase, tmp_path_factory: pytest.TempPathFactory, many: list[tuple[int, dict[str, int]]]
) -> None:
    """For random entries, some posted again, some contradicting: sums are zero and the chain ends at its head."""
    opened = open_database(tmp_path_factory.mktemp("ledger"))
    expected: Counter[str] = Counter()
    posted: dict[str, dict[str, int]] = {}
    with opened.engine.begin() as conn:
        store.open_accounts(conn, "lane", [GRID, *map(owner_account, OWNERS)], 0)
    for number, amounts in many:
        balanced = amounts | ({"grid": rest} if (rest := -sum(amounts.values())) else {})
        if posted.setdefault(f"e{number}", balanced) == balanced:
            if post(opened, entry(f"e{number}", balanced)).created:
                expected.update(balanced)
        else:
            with pytest.raises(LedgerInvariantError):
                post(opened, entry(f"e{number}", balanced))
    total, verified, head = proof(opened)
    assert (total.postings_micro, total.balances_micro, total.accounts_off) == (0, 0, 0)
    assert (total.entries, verified) == (len(posted), head)
    assert balances(opened) == {"grid": expected["grid"]} | {f"owner:{name}": expected[name] for name in OWNERS}
    opened.dispose()


def test_two_processes_post_side_by_side(database: Database) -> None:
    """Each cause lands once, numbers have no gap, and the chain holds, though both wrote the same causes at once."""
    other = Database(str(database.engine.url))
    causes = [f"e{number}" for number in range(40)]

    def post_all(opened: Database, order: list[str]) -> int:
        return sum(post(opened, entry(cause, {"anna": 1, "grid": -1})).created for cause in order)

    with ThreadPoolExecutor(2) as pool:
        here = pool.submit(post_all, database, causes)
        there = pool.submit(post_all, other, causes[20:] + causes[:20])
        assert here.result() + there.result() == 40
    total, verified, head = proof(database)
    assert (total.entries, total.accounts_off, verified) == (40, 0, head)
    assert balances(database)["owner:anna"] == 40
    other.dispose()


def test_the_chain_is_read_in_pages(database: Database) -> None:
    """A page begins where the one before ended, postings included."""
    for number in range(5):
        post(database, entry(f"e{number}", {"anna": 1, "grid": -1}))
    with database.engine.begin() as conn:
        pages: list[int] = []
        head = Head(0, GENESIS)
        while links := store.links(conn, "lane", head.number, 2):
            verified = verify(links, head)
            assert isinstance(verified, Head)
            head = verified
            pages.append(len(links))
        assert pages == [2, 2, 1]
        assert head == store.head_of(conn, "lane")
