"""Gives out the journal, a stretch of it at a time."""

from typing import Annotated

from aiohttp import web
from pydantic import Field

from cloud.endpoint import DATABASE, Endpoint, Query, query_of, text_answer
from cloud.ledger import store
from cloud.principal import READERS

from .table import table

ENTRIES_MAX = store.LINKS_PAGE_MAX


class JournalQuery(Query):
    """The entries numbered above `after`, at most `limit`."""

    after: Annotated[int, Field(ge=0, le=2**53)] = 0
    limit: Annotated[int, Field(ge=1, le=ENTRIES_MAX)] = ENTRIES_MAX


async def get_journal(request: web.Request) -> web.Response:
    """Return a stretch of the journal; where there is more, the answer links to it."""
    community, query = request.match_info["community"], query_of(request, JournalQuery)
    links = await request.app[DATABASE].read(store.links, community, query.after, query.limit)
    headers = {"Content-Disposition": f'attachment; filename="journal-{community}-{query.after + 1}.csv"'}
    if len(links) == query.limit:
        headers["Link"] = f'<{request.path}?after={links[-1].number}&limit={query.limit}>; rel="next"'
    return text_answer(table(links), "text/csv", headers)


ENDPOINTS = (
    Endpoint(
        "GET",
        "/v1/communities/{community}/journal.csv",
        "Every posting of a community in order, as a table for accounting",
        get_journal,
        scope=READERS,
        query=JournalQuery,
        answers={200: None},
        answer_type="text/csv",
    ),
)
