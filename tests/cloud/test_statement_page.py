"""A statement as people read it: it adds up, says what it does not know, and no name in it can do harm."""

import csv
from decimal import Decimal
from html.parser import HTMLParser
from io import StringIO
from operator import attrgetter
from typing import Any, Literal

from hypothesis import given, strategies as st
import pytest

from cloud.settlement.page.page import page, style_policy
from cloud.settlement.page.picture import BARS_MAX, HEIGHT, WIDTH, picture
from cloud.settlement.page.sheet import HandOver, Movement, Part, Sheet, Terms, interval, near_share_percent
from cloud.settlement.page.table import HEADER, table
from cloud.settlement.page.words import KINDS, WORDS, kwh, money, points
from cloud.wire import Quality

HALF_HOUR = 1800
NOON = 1_795_262_400  # 2026-11-21T12:00:00Z
BERLIN = Terms("Europe/Berlin", "en", "EUR", 100)


def part(number: int = 0, net_wh: int = 100, local_wh: int = 40, start: int = NOON, quality: Quality = "ok") -> Part:
    """Make an interval's part; points are 30 a kWh."""
    at = start + number * HALF_HOUR
    energy = {"local_wh": local_wh, "grid_wh": net_wh - local_wh, "direct_wh": 0}
    return interval(at, HALF_HOUR, **energy, points_micro=-net_wh * 30_000, quality=quality)


def sheet(parts: list[Part], *, opening_micro: int = 0, terms: Terms = BERLIN, **members: Any) -> Sheet:
    """Make a sheet of these parts that adds up."""
    moved = sum(item.points_micro for item in [*parts, *members.get("movements", ())])
    start = parts[0].start if parts else NOON
    end = parts[-1].start + HALF_HOUR if parts else NOON + HALF_HOUR
    return Sheet(
        community="Riverside",
        owner="Anna",
        terms=terms,
        start=start,
        end=end,
        made_at=end,
        opening_micro=opening_micro,
        closing_micro=opening_micro + moved,
        parts=parts,
        **members,
    )


class Texts(HTMLParser):
    """Collects what a page shows, and every tag and attribute it is made of."""

    def __init__(self, raw: str) -> None:
        super().__init__()
        self.texts: list[str] = []
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.feed(raw)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note a tag."""
        self.tags.append(tag)
        self.attributes += attrs

    def handle_data(self, data: str) -> None:
        """Note a text."""
        self.texts.append(data)


wholes = st.integers(-(10**9), 10**9)
parts_drawn = st.lists(st.tuples(wholes, wholes), max_size=60).map(
    lambda drawn: [part(number, net_wh, local_wh) for number, (net_wh, local_wh) in enumerate(drawn)]
)


@given(parts_drawn, wholes)
def test_the_table_adds_up_to_the_last_millionth(parts: list[Part], opening_micro: int) -> None:
    """Opening and every row make the closing balance, as a spreadsheet would add them."""
    rows = list(csv.DictReader(StringIO(table(sheet(parts, opening_micro=opening_micro)))))
    assert tuple(rows[0]) == HEADER
    assert sum(Decimal(row["points"]) for row in rows[:-1]) == Decimal(rows[-1]["points"])
    assert [int(row["net_wh"]) for row in rows if row["kind"] == "interval"] == [item.net_wh for item in parts]


def test_a_sheet_that_does_not_add_up_is_not_made() -> None:
    """A page never shows a balance that its own lines contradict."""
    with pytest.raises(AssertionError, match="does not add up"):
        Sheet("R", "A", BERLIN, NOON, NOON + HALF_HOUR, NOON, 0, 1, [part()])


@given(parts_drawn)
def test_days_add_up_to_the_same_as_their_intervals(parts: list[Part]) -> None:
    """Laid out by local day, nothing is lost between them."""
    long = sheet([part(-1), *parts, part(500)])
    assert long.by_days
    rows = long.rows()
    for member in ("net_wh", "local_wh", "grid_wh", "points_micro", "flows.used_wh", "flows.near_out_wh"):
        of = attrgetter(member)
        assert sum(map(of, rows)) == sum(map(of, long.parts))


def test_a_day_is_as_long_as_the_clock_on_the_wall_says() -> None:
    """When summer time ends in Berlin, 2026-10-25 has 50 half hours, and they are one row."""
    start = 1_792_879_200  # 2026-10-24T22:00:00Z, midnight of the 25th in Berlin
    rows = sheet([part(number, start=start) for number in range(48 * 4)]).rows()
    assert [row.seconds // HALF_HOUR for row in rows] == [50, 48, 48, 46]


@pytest.mark.parametrize("language", ["en", "ja"])
def test_the_page_says_everything_in_the_readers_language(language: Literal["en", "ja"]) -> None:
    """Balances, energy, the rest that moved points, who got which tap, and what is not known yet."""
    words = WORDS[language]
    shown = sheet(
        [part(0, quality="estimated"), part(1, -200, -50, quality="missing")],
        opening_micro=5_000_000,
        terms=Terms("Asia/Tokyo", language, "JPY", 2),
        movements=[Movement(NOON, kind, f"about {kind}", 1_250_000) for kind in KINDS],
        hand_overs=[HandOver(NOON, "T3", came=True), HandOver(NOON, "T4", came=False)],
        waiting=3,
    )
    raw = page(shown, "/statement?token=t&format=csv")
    seen = " ".join(Texts(raw).texts)
    for word in ("title", "opening", "closing", "movements", "hand_overs", "came", "went", *KINDS):
        assert words[word] in seen, word
    assert words["waiting"].format(count=3) in seen
    assert points(shown.closing_micro) in seen
    assert "2026-11-21 21:00 JST" in seen
    assert f'lang="{language}"' in raw


def test_both_languages_have_every_word() -> None:
    """No word is missing in one, none is the same by oversight."""
    assert WORDS["en"].keys() == WORDS["ja"].keys()
    assert [name for name in WORDS["en"] if WORDS["en"][name] == WORDS["ja"][name]] == []


@pytest.mark.parametrize(
    "name",
    ["<script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "{{ 7 * 7 }}", "javascript:alert(1)", "</title>"],
)
def test_a_name_is_only_a_name(name: str) -> None:
    """Whatever an owner calls themself or a tap, the page has no tag or attribute more."""
    plain, odd = (
        Texts(
            page(
                Sheet(
                    text,
                    text,
                    BERLIN,
                    NOON,
                    NOON + 60,
                    NOON,
                    0,
                    7,
                    [],
                    [Movement(NOON, "other", text, 7)],
                    [HandOver(NOON, text, came=True)],
                )
            )
        )
        for text in ("Anna", name)
    )
    assert (odd.tags, odd.attributes) == (plain.tags, plain.attributes)
    assert name in " ".join(odd.texts)
    assert "script" not in plain.tags


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t"])
def test_a_spreadsheet_runs_no_name(start: str) -> None:
    """A cell that begins like a formula is marked as text."""
    rows = csv.DictReader(StringIO(table(sheet([], movements=[Movement(NOON, "other", f"{start}HYPERLINK(1)", 1)]))))
    assert [row["about"] for row in rows if row["kind"] == "other"] == [f"'{start}HYPERLINK(1)"]


def test_the_page_shows_itself_and_does_nothing_else() -> None:
    """Its policy allows its own style, by hash, and neither scripts, forms nor frames."""
    policy = style_policy()
    assert policy.startswith("default-src 'none'; style-src 'sha256-")
    assert "unsafe" not in policy
    shown = Texts(page(sheet([part()])))
    assert not {"script", "link", "img", "iframe", "form"} & set(shown.tags)
    assert not [name for name, _ in shown.attributes if name.startswith("on") or name == "style"]


@given(parts_drawn)
def test_every_bar_lies_in_the_picture(parts: list[Part]) -> None:
    """Used above the line, supplied below it, and the longest reaches the rim."""
    drawn = picture(parts)
    if drawn is None:
        assert all(item.local_wh == item.grid_wh == 0 for item in parts)
        return
    for bar in drawn.bars:
        assert -0.1 <= bar.x <= bar.x + bar.width <= WIDTH + 0.1
        assert -0.1 <= bar.y <= bar.y + bar.height <= HEIGHT + 0.1
        wh = bar.part.grid_wh if bar.of == "grid" else bar.part.local_wh
        assert (bar.y < drawn.zero_y + 0.1) if wh > 0 else (bar.y >= drawn.zero_y - 0.1)


def test_a_long_statement_has_a_picture_of_bounded_size() -> None:
    """More bars than pixels are of no use."""
    drawn = picture([part(number, 100, 100) for number in range(BARS_MAX + 50)])
    assert drawn is not None
    assert len(drawn.bars) == BARS_MAX


def test_numbers_are_written_exactly() -> None:
    """No Wh is lost in kWh; money is in the community's currency, or there is none."""
    assert (kwh(1_234_567), kwh(-5)) == ("1,234.567", "-0.005")
    assert points(-1_234_567_000) == "-1,234.57"
    assert money(5_000_000_000, BERLIN) == "50.00 EUR"
    assert money(5_000_000, Terms("Asia/Tokyo", "ja", "JPY", 2)) == "2 JPY"
    assert money(5_000_000, Terms("UTC", "en")) is None
    assert near_share_percent(sheet([part(0, 100, 40), part(1, 100, 0), part(2, -500, -500)]).total.flows) == 20
    assert near_share_percent(part(0, -100, 0).flows) is None
