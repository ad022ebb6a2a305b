"""Whatever can be wrong with a statement is named by its place, and what nobody here can tell is said to be so."""

from collections.abc import Callable
from dataclasses import replace
import json

import pytest

from custom_components.commonwatt.verify import Own, Report, verify
from custom_components.commonwatt.verify.document import parse_document
from custom_components.commonwatt.verify.share import split
from custom_components.commonwatt.wire import WireError, digest, to_bytes
from custom_components.commonwatt.wire.statement import Statement

from .scribe import DAY, kept, own

type Edit = Callable[[Statement], Statement]


def verified(edit: Edit, mine: Own | None = None) -> Report:
    """Verify the statement after something in it was changed."""
    item = kept()
    return verify([replace(item, page=edit(item.page))], mine or own())


def first_line(**members: object) -> Edit:
    """Return what changes the first line that has an entry."""

    def edit(page: Statement) -> Statement:
        at = next(number for number, line in enumerate(page.lines) if line.entry is not None)
        changed = replace(page.lines[at], **members)  # type: ignore[arg-type]
        return replace(page, lines=(*page.lines[:at], changed, *page.lines[at + 1 :]))

    return edit


def first_correction(**members: object) -> Edit:
    """Return what changes the first correction."""
    return lambda page: replace(
        page,
        corrections=(replace(page.corrections[0], **members), *page.corrections[1:]),  # type: ignore[arg-type]
    )


def first_movement(**members: object) -> Edit:
    """Return what changes the first movement."""
    return lambda page: replace(
        page,
        movements=(replace(page.movements[0], **members), *page.movements[1:]),  # type: ignore[arg-type]
    )


@pytest.mark.parametrize(
    ("edit", "own_word"),
    [
        (lambda page: replace(page, lines=(page.lines[0], *page.lines)), "one line in its time"),
        (first_line(entry=9_999), "an entry in the proof"),
        (first_line(blind="ghost"), "a name in the document"),
        (first_correction(booked_at=0), "a time in the statement"),
        (first_correction(entry=9_999), "an entry in the proof"),
        (first_movement(at=0), "a time in the statement"),
        (first_movement(entry=9_999), "an entry in the proof"),
        (lambda page: replace(page, entries=(page.entries[0], *page.entries)), "a number of its own"),
    ],
)
def test_what_has_no_place_is_named(edit: Edit, own_word: str) -> None:
    """With what ought to stand there."""
    assert own_word in {finding.own for finding in verified(edit).altered}


def test_energy_from_elsewhere_is_none_of_an_owner_with_one_site() -> None:
    """Nothing of theirs is measured anywhere but here."""
    found = verified(first_line(elsewhere_wh=1))
    assert "elsewhere_wh" in {finding.what for finding in found.altered}


def test_a_line_rests_on_an_entry_of_energy() -> None:
    """Not on one of a movement."""
    movement = kept().page.movements[0].entry
    assert "an entry of energy" in {finding.own for finding in verified(first_line(entry=movement)).altered}


def test_energy_of_other_sites_is_for_others_to_tell() -> None:
    """An owner with two sites verifies at each what was measured there."""

    def edit(page: Statement) -> Statement:
        return replace(first_line(elsewhere_wh=1)(page), sites=(*page.sites, "another"))

    told = {finding.what for finding in verified(edit).unwitnessed}
    assert "part of the energy was measured at other sites" in told


@pytest.mark.parametrize(
    ("edit", "words"),
    [
        (lambda page: replace(page, entries=()), ": the statement came without proof"),
        (lambda page: replace(page, entries=()), "the statement came without proof"),
        (lambda page: replace(page, entries=()), "the correction came without its document"),
        (first_line(entry=None), "no points moved, so there is no entry"),
        (first_correction(entry=None), "no points moved by the correction, so there is no entry"),
        (
            lambda page: replace(page, entries=tuple(replace(entry, document=None) for entry in page.entries)),
            "its document is not in the statement",
        ),
    ],
)
def test_what_nobody_here_can_tell_is_said(edit: Edit, words: str) -> None:
    """It is no guilt, and no witness either."""
    assert any(words in finding.what for finding in verified(edit).unwitnessed)


def test_a_site_without_records_witnesses_nothing() -> None:
    """A statement of a time before this site kept anything."""
    found = verified(lambda page: page, replace(own(), intervals={}))
    assert any("holds no record of the interval" in finding.what for finding in found.unwitnessed)


def test_a_root_that_is_none_is_named() -> None:
    """Signed, and yet no root of a day."""
    item = kept()
    assert "root" in {finding.what for finding in verify([replace(item, roots=(b"{}",))], own()).altered}


def test_a_document_that_cannot_be_read_is_named() -> None:
    """Though the entry names just this document."""

    def edit(page: Statement) -> Statement:
        at = next(at for at, entry in enumerate(page.entries) if entry.document is not None)
        entry = page.entries[at]
        public = {**entry.public, "evidence": digest(b"{}"), "cause": "energy:x"}
        changed = replace(entry, public=public, document="{}")
        return replace(page, entries=(*page.entries[:at], changed, *page.entries[at + 1 :]))

    assert "a document of this kind" in {finding.own for finding in verified(edit).altered}


@pytest.mark.parametrize(("shift_s", "altered"), [(-3_600, True), (3_600, False)])
def test_statements_follow_one_another(shift_s: int, *, altered: bool) -> None:
    """One that overlaps the one before is named; of a time between two nothing is known."""
    item = kept()
    end = item.page.end
    later = replace(item.page, start=end + shift_s, end=end + shift_s + DAY, lines=(), corrections=(), movements=())
    found = verify([item, replace(item, page=later)], own())
    assert ("from" in {finding.what for finding in found.altered}) is altered
    told = {finding.what for finding in found.unwitnessed}
    assert ("no statement is kept of the time after this" in told) is not altered


def _documents() -> dict[str, object]:
    [document, *_] = [entry.document for entry in kept().page.entries if entry.document is not None]
    read: dict[str, object] = json.loads(document)
    return read


@pytest.mark.parametrize(
    "text",
    [
        "no JSON",
        "[]",
        '{"b":1, "a":2}',
        *(to_bytes(_documents() | {"batches": [row]}).decode() for row in ([1], "x", 1)),
    ],
)
def test_a_document_of_another_form_is_refused(text: str) -> None:
    """What reads the same must hash the same, so there is one form only."""
    with pytest.raises(WireError):
        parse_document(text)


def test_nothing_is_split_among_nobody() -> None:
    """No weight, no share; equal ones go to whoever stands first."""
    assert split(5, [0, 0]) == [0, 0]
    assert split(5, [1, 1]) == [3, 2]


def test_direct_neighbours_are_read_with_who_gave_and_who_took() -> None:
    """Energy counts for whoever took it and against whoever gave it; points the other way round."""
    document = parse_document(to_bytes(_documents() | {"direct": [["g", "t", 5, 10]]}).decode())
    assert (document.direct_wh("t"), document.direct_wh("g"), document.direct_wh("x")) == (5, -5, 0)
    assert (document.direct_points_micro("t"), document.direct_points_micro("g")) == (-50, 50)
    with pytest.raises(WireError, match="direct"):
        parse_document(to_bytes(_documents() | {"direct": [["g", "t", -5, 10]]}).decode())


def test_a_correction_of_what_is_not_here_has_no_witness() -> None:
    """What stood before is in another statement, whose entry this one does not bring along."""
    page = kept().page
    line = next(line for line in page.lines if line.start == page.corrections[0].start)
    found = verified(
        lambda page: replace(page, entries=tuple(e for e in page.entries if e.public.get("number") != line.entry))
    )
    assert any("what stood before the correction" in finding.what for finding in found.unwitnessed)
