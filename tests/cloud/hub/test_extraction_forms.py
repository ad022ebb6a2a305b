"""What is written can be read by others, and nothing in a name becomes a formula, a cell or a line of its own."""

from base64 import urlsafe_b64decode
from contextlib import suppress
import csv
from functools import partial
import io
import json

from hypothesis import given, strategies as st
import pyarrow.parquet as pq
from pydantic import ValidationError
import pytest

from cloud.hub.extraction.bodies import ReadingsQuery, time_ms
from cloud.hub.extraction.cursor import LETTERS_MAX, cursor_text, position_of
from cloud.hub.extraction.forms import columns
from cloud.hub.extraction.forms.columns import Columns
from cloud.hub.extraction.forms.form import Form, Times
from cloud.hub.extraction.forms.text import JsonLines, JsonPage, Table, cell
from cloud.hub.extraction.row import Position, Row
from cloud.hub.extraction.streams.gate import Gate
from cloud.hub.reach.area import box_of, circle_of

KEY = bytes(range(32))
points = st.text(max_size=12)


def row(point: str = "", value: int = 1, site: str | None = None, ms: int = 0) -> Row:
    """Return a reading."""
    return ms, site, "m", "meter", point, "power", 0, value, "given", 0


def written(form: Form, *parts: list[Row]) -> bytes:
    """Write an extraction in these parts."""
    return b"".join([form.begin(), *(form.add(part) for part in parts), form.end(sum(map(len, parts)), None)])


@given(st.lists(st.tuples(points, st.integers(-(2**53), 2**53)), max_size=6))
def test_json_is_what_it_says(told: list[tuple[str, int]]) -> None:
    """Whatever characters a point is made of, and however the rows come."""
    rows = [row(point, value) for point, value in told]
    page = json.loads(written(JsonPage("lane"), rows[:2], [], rows[2:]))
    assert [(item["point"], item["value"]) for item in page["readings"]] == told
    lines = written(JsonLines("lane"), rows).decode().split("\n")
    assert len(lines) == len(rows) + 2
    assert [json.loads(line)["point"] for line in lines[:-2]] == [point for point, _ in told]


@given(points)
def test_a_cell_is_one_cell_and_no_formula(point: str) -> None:
    """A spreadsheet calculates nothing that somebody wrote into a name; what is harmless stays as it is."""
    if "\x00" in point:
        return
    table = written(Table("lane"), [row(point, -5)]).decode()
    head, found, last = csv.reader(io.StringIO(table, newline=""))
    assert (len(head), len(found), last) == (12, 12, ["# complete rows=1"])
    assert found[9] == "-5", "a number stays one"
    assert not found[4].startswith(("=", "+", "-", "@", "\t", "\r"))
    assert found[4] in (point, "'" + point)


def test_dangerous_cells_are_defused() -> None:
    """The classic ones."""
    assert cell("=HYPERLINK(1)") == '"\'=HYPERLINK(1)"'
    assert [cell(text)[1:3] for text in ("+1", "-1", "@x", "\tx")] == ["'+", "'-", "'@", "'\t"]
    assert [cell(text) for text in ("l1", 'a"b', "a,b", "#x")] == ["l1", '"a""b"', '"a,b"', '"#x"']


def test_parquet_is_written_in_row_groups(monkeypatch: pytest.MonkeyPatch) -> None:
    """As they fill, so that a long file needs no more memory than a short one; empty is a file as well."""
    monkeypatch.setattr(columns, "GROUP_ROWS", 10)
    form = Columns("lane")
    raw = [form.begin(), *(form.add([row(value=n, ms=n)]) for n in range(25))]
    assert sum(bool(part) for part in raw) == 3
    file = pq.ParquetFile(io.BytesIO(b"".join([*raw, form.end(25, "more")])))
    assert file.num_row_groups == 3
    assert file.read().column("value").to_pylist() == list(range(25))
    assert file.metadata.metadata[b"next"] == b"more"
    assert pq.read_table(io.BytesIO(written(Columns("lane", windows=True)))).num_rows == 0


def test_a_file_that_breaks_off_cannot_be_opened() -> None:
    """Its footer comes last."""
    raw = written(Columns("lane"), [row()])
    with pytest.raises(Exception, match="Parquet"):
        pq.ParquetFile(io.BytesIO(raw[:-20]))


@given(st.integers(0, 253_402_300_799_999))
def test_times_are_rfc_3339_to_the_millisecond(ms: int) -> None:
    """Every one that can be asked for."""
    times = Times()
    assert times.text(ms) == times.text(ms)
    text = times.text(ms)
    day, rest = divmod(ms, 86_400_000)
    assert text.endswith(f"T{rest // 3_600_000:02}:{rest // 60_000 % 60:02}:{rest // 1000 % 60:02}.{rest % 1000:03}Z")
    assert len(text) == 24
    assert day >= 0


@given(st.integers(0, 2**50), st.integers(0, 9), st.lists(points, max_size=4), st.integers(0, 400), st.integers(1, 255))
def test_a_cursor_comes_back_whole_or_not_at_all(ms: int, stream: int, names: list[str], place: int, flip: int) -> None:
    """Any byte of it altered, another key, another question: it is refused."""
    position = Position(ms, stream, tuple(names))
    text = cursor_text(KEY, "asked", position)
    assert position_of(KEY, "asked", text) == position
    letters = bytearray(text.encode())
    letters[place % len(letters)] ^= flip
    altered = letters.decode("latin-1")
    for key, mark, told in (
        (KEY, "other", text),
        (bytes(32), "asked", text),
        (KEY, "asked", altered),
        (KEY, "asked", ""),
    ):
        try:
            assert position_of(key, mark, told) == position
            assert (key, mark) == (KEY, "asked"), "only a letter that carries no bit may differ"
        except ValueError:
            pass


def test_a_cursor_tells_nobody_where_it_stands() -> None:
    """A page may end with a row that its reader may not see."""
    text = cursor_text(KEY, "asked", Position(1, 0, ("secret-meter", "", "power")))
    assert b"secret" not in urlsafe_b64decode(text + "=" * (-len(text) % 4))


def test_whatever_a_point_is_called_the_next_page_can_be_asked_for() -> None:
    """A device chooses the names of its points, and must not end what others read of it."""
    text = cursor_text(KEY, "a" * 16, Position(2**50, 1, ("m" * 64, "\N{ELECTRIC PLUG}" * 64, "x" * 30)))
    assert len(text) <= LETTERS_MAX


def test_places_are_given_back() -> None:
    """However an extraction ends."""
    gate = Gate(client_max=1, all_max=2)
    with gate.place("a") as first, gate.place("a") as second, gate.place("b") as third, gate.place("c") as fourth:
        assert (first, second, third, fourth) == (True, False, True, False)
    with pytest.raises(LookupError), gate.place("a"):
        raise LookupError
    with gate.place("a") as again:
        assert again


odd = st.one_of(
    st.text(max_size=30),
    st.sampled_from(["", ",", "0", "-1", "1e9", "nan", "2026-11-21T12:00:00Z", "2026-11-21T24:00:00+23:59", "0,0,0,0"]),
    st.from_regex(r"[0-9T:Z+ ,.-]{0,30}", fullmatch=True),
)


@given(st.dictionaries(st.sampled_from(sorted(ReadingsQuery.model_json_schema()["properties"])), odd, max_size=5))
def test_no_question_breaks_what_reads_it(asked: dict[str, str]) -> None:
    """It is understood, or refused with the members that are wrong."""
    try:
        query = ReadingsQuery.model_validate(asked)
    except ValidationError:
        return
    if query.from_ is not None and query.to is not None:
        assert query.question("lane").community == "lane"


@given(odd)
def test_no_cursor_place_or_time_breaks_what_reads_it(text: str) -> None:
    """Everything is a value, or a ValueError."""
    for read in (box_of, circle_of, time_ms, partial(position_of, KEY, "asked")):
        with suppress(ValueError):
            assert read(text) is not None
