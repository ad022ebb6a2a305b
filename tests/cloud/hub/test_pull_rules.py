"""The small rules of pulling: what is filled in where, how pages follow, how long to wait, what a device is called."""

import json
from pathlib import Path
import re
import sys
from types import ModuleType
from typing import get_args
import zlib

from hypothesis import given, strategies as st
from pydantic import ValidationError
import pytest

from cloud.hub import drivers
from cloud.hub.drivers import csv_url, rest
from cloud.hub.messages.message import Fault, Taken
from cloud.hub.pull.driver import Driver, PullFailed, Reason
from cloud.hub.pull.headers import date_ms, decoded, next_link, retry_after
from cloud.hub.pull.paging import CursorPaging, LinkPaging, NumberPaging, Step, first_step, next_step
from cloud.hub.pull.registry import found_in, known
from cloud.hub.pull.template import filled_json, filled_url, host_is_fixed, time_text
from cloud.hub.sources.bodies import SourceBody
from cloud.hub.sources.naming import ids_for
from cloud.hub.sources.rounds.taking import unread, without
from cloud.hub.sources.source import BACKOFF_SECONDS_MAX, Outcome, Source, after, sealed, secrets_in
from cloud.wire.strict import IDENTIFIER

NOON = 1_795_262_400
SOURCE = Source("lane", "acme", "rest", "Acme", {}, 900, next_at=NOON)
URL = "https://api.example.org/v1"


def test_every_file_of_the_folder_is_a_driver_by_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A broken one is logged and named, and stops no other; so is one that has no entry point."""
    (tmp_path / "acme_broken.py").write_text("import nothing_of_this_name\n")
    (tmp_path / "acme_empty.py").write_text("DRIVER = 1\n")
    (tmp_path / "acme_twice.py").write_text("from cloud.hub.drivers.rest import DRIVER\n")
    package = ModuleType("planted")
    package.__path__ = [*drivers.__path__, str(tmp_path)]
    monkeypatch.setitem(sys.modules, "planted", package)
    found = found_in(package)
    assert set(found.drivers) == {"rest", "csv_url"}
    assert set(found.broken) == {"acme_broken", "acme_empty", "rest"}  # the first file that has a name has it
    assert "ModuleNotFoundError" in found.broken["acme_broken"]
    assert "a driver cannot be loaded" in caplog.text
    caplog.clear()
    assert known().broken == {}


@given(st.text(max_size=30))
def test_what_is_filled_in_stays_where_it_was_put(value: str) -> None:
    """No value can end its place, in a URL or in JSON."""
    url = filled_url(URL + "/{device}/x", {"q": "{cursor}"}, {"device": value, "cursor": value})
    path, _, query = url.removeprefix(URL + "/").partition("?")
    assert path.count("/") == 1
    assert "&" not in query
    assert "#" not in url
    assert filled_json('{"a": "{cursor}"}', {"cursor": value}).count(b'"') == 4 + value.count('"')


def test_a_place_of_the_query_that_is_empty_is_left_out() -> None:
    """The first page has no cursor."""
    query = {"from": "{since}", "cursor": "{cursor}", "fixed": "1"}
    assert filled_url(URL, query, {"since": "a b", "cursor": ""}) == URL + "?from=a%20b&fixed=1"


@pytest.mark.parametrize(
    ("form", "text"),
    [
        ("iso", "2026-11-21T12:00:01Z"),
        ("iso-ms", "2026-11-21T12:00:01.250Z"),
        ("seconds", "1795262401"),
        ("milliseconds", "1795262401250"),
        ("date", "2026-11-21"),
    ],
)
def test_times_are_written_as_the_maker_wants_them(form: str, text: str) -> None:
    """Always of UTC."""
    assert time_text(NOON * 1000 + 1250, form) == text  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "url", ["https://{device}.example.org/", "{cursor}://example.org/", "https:///x", "https://[::1"]
)
def test_nothing_that_is_filled_in_chooses_the_server(url: str) -> None:
    """Else a device's name could send our credentials elsewhere."""
    assert not host_is_fixed(url)
    assert host_is_fixed(URL + "/{device}")


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": "7"}, 7),
        ({"retry-after": "999999"}, 86_400),
        ({"retry-after": "Sat, 21 Nov 2026 12:01:00 GMT"}, 60),
        ({"retry-after": "Sat, 21 Nov 2026 12:01:00 GMT", "date": "Sat, 21 Nov 2026 12:00:50 GMT"}, 10),
        ({"retry-after": "Sat, 21 Nov 2020 12:01:00 GMT"}, 0),
        ({"retry-after": "-3"}, None),
        ({"retry-after": "soon"}, None),
        ({}, None),
    ],
)
def test_a_server_says_how_long_to_leave_it_alone(headers: dict[str, str], seconds: int | None) -> None:
    """In seconds, or as a time on its own clock."""
    assert retry_after(headers, NOON * 1000) == seconds


def test_the_date_of_an_answer_is_its_servers_clock() -> None:
    """To half a second, and not where a cache has kept it, nor where it makes no sense."""
    date = "Sat, 21 Nov 2026 12:00:00 GMT"
    assert date_ms({"date": date}) == NOON * 1000 + 500
    assert date_ms({"date": date, "age": "12"}) is None
    assert date_ms({"date": "yesterday"}) is None
    assert date_ms({}) is None


def test_a_small_answer_does_not_become_a_large_one() -> None:
    """Packed a thousandfold, cut off, or packed otherwise: refused by name."""
    assert decoded(zlib.compress(b"12"), "deflate", 2) == b"12"
    for raw, encoding, reason in (
        (zlib.compress(b"0" * 1000), "gzip", "too-large"),
        (zlib.compress(b"0" * 10)[:-3], "gzip", "unreadable"),
        (zlib.compress(b"0") + b"more", "gzip", "unreadable"),
        (b"junk", "gzip", "unreadable"),
        (b"junk", "br", "unreadable"),
    ):
        with pytest.raises(PullFailed) as caught:
            decoded(raw, encoding, 100)
        assert caught.value.reason == reason


@pytest.mark.parametrize(
    ("header", "url"),
    [
        ('</p?page=2>; rel="next"', "/p?page=2"),
        ('</1>; rel=prev, </3>; title="a, b"; rel="next last"', "/3"),
        ("</3>; rel=next", "/3"),
        ("</3>; rel=nextish", None),
        ("next", None),
        ("", None),
    ],
)
def test_the_next_page_stands_in_the_link_header(header: str, url: str | None) -> None:
    """As RFC 8288 writes it."""
    assert next_link(header) == url


def test_numbered_pages_end_with_an_empty_or_a_short_one() -> None:
    """By numbers or by offsets."""
    paging = NumberPaging(kind="page", first=0, step=2, items="rows", size=2)
    first = first_step(paging, "")
    assert first == Step({"page": "0"})
    assert next_step(paging, first, {"rows": [1, 2]}, {}) == Step({"page": "2"})
    assert next_step(paging, first, {"rows": [1]}, {}) is None
    assert next_step(paging, first, {"other": [1]}, {}) is None
    assert next_step(paging, first, [1], {}) is None


@pytest.mark.parametrize("next_value", [None, "", 0.5, True, {"a": 1}, "x" * 5000, "same"])
def test_a_cursor_that_is_none_ends_the_pages(next_value: object) -> None:
    """So does the one that was just used."""
    paging = CursorPaging(kind="cursor", next="next")
    assert next_step(paging, Step({"cursor": "same"}), {"next": next_value}, {}) is None
    assert next_step(paging, Step({"cursor": "same"}), {"next": 7}, {}) == Step({"cursor": "7"})
    assert next_step(LinkPaging(kind="link", next="next"), Step({}), {"next": "/2"}, {}) == Step({}, "/2")


@pytest.mark.parametrize(
    ("more", "fault"),
    [
        ({}, None),
        ({"url": URL + "/{page}"}, "belong together"),
        ({"url": URL + "/{pages}"}, "no place"),
        ({"url": "http://api.example.org/"}, "only https"),
        ({"url": "https://127.0.0.1/"}, "private network"),
        ({"url": "https://user:pass@example.org/"}, "names a user"),
        ({"body": "{}"}, "a GET has none"),
        ({"method": "POST"}, "a POST has one"),
        ({"headers": {"Host": "elsewhere"}}, "written by the hub"),
        ({"paging": {"kind": "cursor", "next": "next"}}, "belong together"),
        ({"method": "POST", "body": "{}", "paging": {"kind": "link"}}, "followed by GET"),
        (
            {"auth": {"kind": "client_credentials", "token_url": "https://10.0.0.1/", "client_id": "c"}},
            "private network",
        ),
    ],
)
def test_a_description_that_cannot_work_is_refused_by_name(more: dict[str, object], fault: str | None) -> None:
    """Before anything is called."""
    found = rest.fault(rest.RestDescription.model_validate({"url": URL} | more), private=False)
    assert (found is None) if fault is None else fault in (found or "")


@pytest.mark.parametrize(
    "more",
    [
        {"paging": {"kind": "cursor", "next": "a["}},
        {"paging": {"kind": "cursor", "next": "[@,@,@][]|" * 9 + "@"}},  # each time three times as much
        {"headers": {"A B": "x"}},
        {"headers": {"A": "x\r\nB: y"}},
        {"auth": {"kind": "magic"}},
        {"format": "no code"},
        {"secret": "x"},
        {"url": "ftp://example.org/"},
    ],
)
def test_a_description_of_another_form_is_no_description(more: dict[str, object]) -> None:
    """Every member is checked, and none is unknown."""
    with pytest.raises(ValidationError):
        rest.RestDescription.model_validate({"url": URL} | more)


@pytest.mark.parametrize(
    ("url", "fault"),
    [
        ("https://example.org/{date}.csv", None),
        ("https://example.org/spot_{date:%Y%m%d}.csv", None),
        ("https://example.org/spot.csv", "holds no"),
        ("https://{date}.example.org/", "behind the host"),
        ("https://localhost/{date}", "private network"),
    ],
)
def test_a_file_a_day_has_its_date_in_the_url(url: str, fault: str | None) -> None:
    """And nowhere else."""
    found = csv_url.fault(csv_url.CsvUrlDescription(url=url), private=False)
    assert (found is None) if fault is None else fault in (found or "")


def test_a_source_that_works_is_read_on_its_schedule() -> None:
    """It does not drift, catches up without a burst, and goes on at once while there is more."""
    worked = Outcome({}, 1, 1)
    assert after(SOURCE, worked, NOON + 5).next_at == NOON + 900
    assert after(SOURCE, worked, NOON + 5000).next_at == NOON + 5000
    assert after(SOURCE, Outcome({}, 1, 1, more=True), NOON + 5).next_at == NOON + 5


@given(st.integers(0, 50), st.integers(0, 90_000))
def test_a_source_that_fails_is_asked_less_and_less(failures: int, wait: int) -> None:
    """Never at once, at most an hour later, unless the server asks for longer."""
    source = Source("lane", "acme", "rest", "Acme", {}, 900, failures=failures, failing_since=1, reason="too-slow")
    stands = after(source, Outcome({}, 1, 0, reason="unreachable", problem="no", wait_seconds=wait), NOON)
    pause = stands.next_at - NOON
    assert pause >= 15
    assert wait <= pause <= max(BACKOFF_SECONDS_MAX, wait)
    assert stands.failing_since == 1
    assert stands.state == "active"


def test_the_log_hears_once_that_a_source_is_failing() -> None:
    """And again only if it fails for another reason; who is refused is asked no more."""
    first = after(SOURCE, Outcome({}, 1, 0, reason="too-slow", problem="no"), NOON)
    failing = Source("lane", "acme", "rest", "Acme", {}, 900, failures=1, failing_since=NOON, reason="too-slow")
    assert first.told
    assert not after(failing, Outcome({}, 1, 0, reason="too-slow", problem="no"), NOON).told
    refused = after(failing, Outcome({}, 1, 0, reason="refused", problem="no"), NOON)
    assert refused.told
    assert refused.state == "refused"


@given(st.text(min_size=1, max_size=200))
def test_whatever_the_maker_calls_a_device_it_gets_an_id(name: str) -> None:
    """One that a person can read where that is possible, and always one that is its own."""
    ids = list(ids_for("lane", "acme", name))
    assert all(IDENTIFIER.fullmatch(each) for each in ids)
    assert ids[-1] != list(ids_for("hill", "acme", name))[-1]
    assert next(iter(ids_for("lane", "acme", "inverter-1"))) == "acme-inverter-1"
    assert len(list(ids_for("lane", "acme", "wr 1"))) == 1  # "wr-1" is another's


def test_names_that_look_alike_get_ids_that_do_not() -> None:
    """Spaces and dashes are two names."""
    assert list(ids_for("lane", "a", "x y")) != list(ids_for("lane", "a", "x-y"))


def test_secrets_are_kept_sealed_and_never_said() -> None:
    """With the key of another cloud there is nothing in it."""
    raw = sealed(b"k" * 32, {"token": "hunter2"})
    assert raw is not None
    assert b"hunter2" not in raw
    assert secrets_in(b"k" * 32, raw) == {"token": "hunter2"}
    assert secrets_in(b"l" * 32, raw) == {}
    assert sealed(b"k" * 32, {}) is None
    assert without(["hunter2", "hunter"], "it said hunter2!\n") == "it said …! "
    assert "hunter2" not in repr(Source("l", "a", "rest", "A", {}, 60, secrets=b"hunter2", kept=b"hunter2"))


def test_what_the_documentation_says_works() -> None:
    """Its descriptions are taken as they stand, and so is its driver."""
    text = (Path(__file__).parents[3] / "docs" / "hub" / "sources.md").read_text()
    bodies = [json.loads(block) for block in re.findall(r"```json\n(.*?)```", text, re.DOTALL)]
    assert [body["driver"] for body in bodies] == ["rest", "csv_url"]
    for body in bodies:
        driver = known().drivers[SourceBody.model_validate(body).driver]
        assert driver.fault_of(driver.description.model_validate(body["description"]), False) is None
    [program] = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    module = ModuleType("acme")
    sys.modules["acme"] = module
    exec(program, module.__dict__)
    assert isinstance(module.DRIVER, Driver)
    del sys.modules["acme"]
    told = {row.split("|")[1].strip() for row in text.split("`reason` | what")[1].splitlines() if row.startswith("| `")}
    named = set(re.findall(r"`([a-z-]+)`", " ".join(told)))
    assert named == set(get_args(Reason.__value__))


def test_an_answer_that_nobody_can_read_is_told_from_one_with_bad_rows() -> None:
    """The first stops the round before it goes past it, the second does not."""
    whole, row = Fault(None, "unknown-format", "", "no"), Fault(3, "future", "", "no")
    assert unread(Taken("m", 0, 0, 0, (whole,))) == whole
    assert unread(Taken("m", 5, 0, 0, (row,))) is None
    assert unread(Taken("m", 0, 0, 0, (row,))) is None
