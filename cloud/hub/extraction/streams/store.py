"""What every look into the record begins with: whether there is such a community, and how far the asker sees in it."""

from collections.abc import Callable

from sqlalchemy import Connection

from cloud.errors import NOT_FOUND, Refused
from cloud.hub.extraction.pages.store import page
from cloud.hub.extraction.pages.window import Page
from cloud.hub.extraction.question import Question
from cloud.hub.extraction.row import Position
from cloud.hub.extraction.store import Places, Selection, selected
from cloud.hub.reach.reach import WHOLE, Reach
from cloud.hub.reach.store import reach_of
from cloud.principal import Principal, Scope
from cloud.sites.store import community_of

type Look[Q, R] = Callable[[Connection, Question, Principal, Places, Q], R]


def reach_now(conn: Connection, community: str, asker: Principal) -> Reach:
    """Return how far somebody sees in a community: staff sees all of it. Refuses one that is not there."""
    if community_of(conn, community) is None:
        raise Refused(NOT_FOUND, f"there is no community {community}")
    return reach_of(conn, community, asker.subject) if asker.scope is Scope.UPPER else WHOLE


def begun(conn: Connection, question: Question, asker: Principal, places: Places) -> tuple[Reach, Selection]:
    """Return how far an asker sees, and what a question is about within."""
    reach = reach_now(conn, question.community, asker)
    return reach, selected(conn, question, reach, places)


def page_within(
    conn: Connection, selection: Selection, reach: Reach, *, asker: Principal, after: Position, limit: int
) -> Page | None:
    """Return a page, unless the asker sees another part of the community by now: None then."""
    if reach_now(conn, selection.question.community, asker) != reach:
        return None
    return page(conn, selection, after, limit)
