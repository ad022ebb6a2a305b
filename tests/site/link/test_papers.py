"""Papers: what the cloud signed is kept word for word, and the first word stands."""

from contextlib import closing
from dataclasses import replace
from pathlib import Path
import sqlite3

import pytest

from custom_components.commonwatt.errors import OutboxError
from custom_components.commonwatt.link import Outbox, Paper
from custom_components.commonwatt.link.database import SCHEMA
from custom_components.commonwatt.link.outbox import KEPT_SECONDS

PAPER = Paper("prices", "2026-11-21T12:00:00Z", b'{"v":1}', "header..signature", 1_795_262_400)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Return where the outbox lies."""
    return tmp_path / "outbox.db"


def test_the_first_word_stands(path: Path) -> None:
    """The same again is the same; another one under its name is told and not taken, unless it is to replace."""
    outbox = Outbox.open(path)
    other = replace(PAPER, raw=b'{"v":2}')
    assert [outbox.keep_paper(PAPER), outbox.keep_paper(PAPER), outbox.keep_paper(other)] == [
        "kept",
        "same",
        "different",
    ]
    assert outbox.paper("prices", PAPER.name) == PAPER
    outbox.replace_paper(other)
    assert outbox.paper("prices", PAPER.name) == other
    outbox.close()


def test_papers_are_found_by_name_and_survive_closing(path: Path) -> None:
    """In the order of their names, of their own kind alone, and the newest up to a name."""
    outbox = Outbox.open(path)
    papers = [replace(PAPER, name=f"{number}") for number in (3, 1, 2)]
    for paper in [*papers, replace(PAPER, kind="root", name="2")]:
        assert outbox.keep_paper(paper) == "kept"
    outbox.close()
    again = Outbox.open(path)
    assert [paper.name for paper in again.papers("prices", "1", "2")] == ["1", "2"]
    assert again.newest_paper("prices", "2.5") == papers[2]
    assert again.newest_paper("prices", "0") is None
    again.close()


def test_an_altered_paper_is_noticed_at_the_next_start(path: Path) -> None:
    """What a hand in the file changed is evidence no more, and is not taken for it."""
    outbox = Outbox.open(path)
    outbox.keep_paper(PAPER)
    outbox.close()
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute("UPDATE paper SET raw = ?", (b'{"v":3}',))
    with pytest.raises(OutboxError, match="paper prices is not as it was stored"):
        Outbox.open(path)


def test_papers_and_notes_last_as_long_as_batches(path: Path) -> None:
    """After 400 days a paper goes; a note stays until another takes its place."""
    outbox = Outbox.open(path)
    outbox.keep_paper(PAPER)
    outbox.keep_note("credit", "cut")
    outbox.prune(PAPER.kept_at + KEPT_SECONDS)
    assert outbox.paper("prices", PAPER.name) == PAPER
    outbox.prune(PAPER.kept_at + KEPT_SECONDS + 1)
    assert outbox.paper("prices", PAPER.name) is None
    assert (outbox.note("credit"), outbox.note("other")) == ("cut", None)
    outbox.close()


def test_an_outbox_of_the_first_version_goes_on(path: Path) -> None:
    """What was kept before papers were known is all there, and papers can be kept beside it."""
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        for statement in SCHEMA:
            db.execute(statement)
        db.execute("PRAGMA application_id = 1129795394")
        db.execute("PRAGMA user_version = 1")
        db.execute("INSERT INTO notice (id, expires_at) VALUES ('n1', 1)")
    outbox = Outbox.open(path)
    assert outbox.keep_paper(PAPER) == "kept"
    outbox.close()
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        assert db.execute("SELECT id FROM notice").fetchall() == [("n1",)]
        assert db.execute("PRAGMA user_version").fetchone() == (4,)
