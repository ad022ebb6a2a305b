"""A statement adds up, and never says anything else than the ledger."""

from hypothesis import given, strategies as st
import pytest

from cloud.ledger.posting import LedgerInvariantError
from cloud.settlement.statement import Line, Totals, state

numbers = st.integers(-(10**12), 10**12)


@st.composite
def lines(draw: st.DrawFn) -> list[Line]:
    """Draw settled intervals in any order."""
    starts = draw(st.lists(st.integers(0, 100), unique=True, max_size=10))
    drawn = []
    for start in starts:
        local, grid, points = draw(numbers), draw(numbers), draw(numbers)
        drawn.append(Line(start * 1800, 1800, local + grid, local, grid, points, "ok"))
    return drawn


@given(lines(), numbers)
def test_the_totals_are_the_lines_and_the_balances_differ_by_them(many: list[Line], opening: int) -> None:
    """In order of time, whatever order they came in."""
    statement = state(many, opening, sum(line.points_micro for line in many))
    assert statement.totals.net_wh == statement.totals.local_wh + statement.totals.grid_wh
    assert statement.closing_micro - statement.opening_micro == statement.totals.points_micro
    assert [line.start for line in statement.lines] == sorted(line.start for line in many)


@given(lines(), numbers.filter(bool))
def test_a_statement_that_differs_from_the_ledger_is_never_given(many: list[Line], off: int) -> None:
    """Lines and postings are kept apart so that they can be held against one another."""
    with pytest.raises(LedgerInvariantError, match="the ledger"):
        state(many, 0, sum(line.points_micro for line in many) + off)


def test_an_owner_without_intervals_has_a_statement() -> None:
    """It says nothing happened."""
    assert state([], 7, 0).totals == Totals(0, 0, 0, 0)
    assert state([], 7, 0).closing_micro == 7
