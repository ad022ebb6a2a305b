"""Statements as people read them, and sums that show a missing Wh or point."""

from dataclasses import replace

import pytest

from demo.cloud import Line, Statement
from demo.statement import GridPrices, Sums, interval_table, points_text, prove, statement_table

PRICES = GridPrices(buy=30_000, sell=8_000)
START = 1_795_250_460  # 2026-11-21T08:41:00Z
ANNA = Line(START, 60, 500, 100, 400, -14_000_000, "ok")
SUN = Line(START, 60, -150, -100, -50, 2_400_000, "ok")


@pytest.mark.parametrize(
    ("micro", "text"),
    [(0, "+0.000"), (-7_218_000, "-7.218"), (1, "+0.000001"), (-999_999, "-0.999999"), (12_000_000, "+12.000")],
)
def test_points_have_a_sign_and_as_many_decimals_as_they_need(micro: int, text: str) -> None:
    """Three decimals are thousandths; what is finer is shown with six; nothing is rounded."""
    assert points_text(micro) == text


def test_a_sound_interval_leaves_nothing_over() -> None:
    """Anna takes 100 Wh of the sun's 150 and 400 from the grid; the rest of the sun goes to the grid."""
    assert prove([(-350, [ANNA, SUN])], PRICES) == Sums(0, 0)


def test_a_missing_wh_is_seen_even_if_another_interval_has_one_too_many() -> None:
    """What is left over in one interval is not hidden by the next."""
    assert prove([(-349, [ANNA, SUN]), (-351, [ANNA, SUN])], PRICES).energy_wh == 2


def test_a_missing_micro_point_is_seen() -> None:
    """The smallest wrong amount of points shows, in either direction."""
    wrong = [replace(ANNA, points_micro=ANNA.points_micro + 1), SUN], [replace(ANNA, points_micro=-14_000_001), SUN]
    assert prove([(-350, lines) for lines in wrong], PRICES) == Sums(0, 2)


def test_a_statement_shows_intervals_total_and_balance() -> None:
    """Columns line up; every number has its sign."""
    later = replace(ANNA, start=START + 60, quality="estimated")
    assert statement_table("Anna", Statement((ANNA, later), 1_000_000, -27_000_000)) == [
        "Statement of Anna      Net Wh  Local Wh  Grid Wh       Points  Quality",
        "08:41:00 - 08:42:00      +500      +100     +400      -14.000  ok",
        "08:42:00 - 08:43:00      +500      +100     +400      -14.000  estimated",
        "Total                   +1000      +200     +800      -28.000",
        "Balance: +1.000 before, -27.000 after",
    ]


def test_an_interval_shows_one_line_per_owner() -> None:
    """Owners are called by their names."""
    assert interval_table({"anna": "Anna", "sun": "Sun"}, {"anna": ANNA, "sun": SUN}) == [
        "                         Net Wh  Local Wh  Grid Wh       Points  Quality",
        "  Anna                     +500      +100     +400      -14.000  ok",
        "  Sun                      -150      -100      -50       +2.400  ok",
    ]
