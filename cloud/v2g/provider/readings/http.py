"""A power provider tells its readings of supply points, many at once, and reads what it has told."""

from aiohttp import web

from cloud.endpoint import DATABASE, Endpoint, answer, body_of, community_of, now, query_of
from cloud.errors import CONFLICT, NOT_FOUND, UNPROCESSABLE, Refused
from cloud.principal import Scope, principal_of
from cloud.wire import parse_time, time_text

from . import store
from .bodies import ReadingsAnswer, ReadingsBody, ReadingsQuery, ReadingsToldAnswer, item_of

BEGINNING = ("", -1, 0)
NAMED_MAX = 5  # of what is wrong, in one detail


async def post_readings(request: web.Request) -> web.Response:
    """Take readings: the same again changes nothing, another value for the same time corrects and both are kept."""
    body = await body_of(request, ReadingsBody)
    community = community_of(request, body.community)
    readings = [member.reading() for member in body.readings]
    by = principal_of(request).subject
    told = await request.app[DATABASE].write(store.add_readings, community, readings, provider=by, now=now(request))
    match told:
        case store.Told():
            answered = ReadingsToldAnswer(created=told.created, corrected=told.corrected, existed=told.existed)
            return answer(answered, 201 if told.created or told.corrected else 200)
        case store.NoSites():
            raise Refused(
                UNPROCESSABLE, f"{community} has no site {', '.join(told.sites[:NAMED_MAX])}; nothing is kept"
            )
        case store.OtherLength():
            words = f"the reading of {told.site} from {time_text(told.start)} is of {told.seconds} s; nothing is kept"
            raise Refused(CONFLICT, words)
        case "no-community":
            raise Refused(NOT_FOUND, f"there is no community {community}")


async def get_readings(request: web.Request) -> web.Response:
    """List the readings that are kept, with what they corrected."""
    query = query_of(request, ReadingsQuery)
    community = community_of(request, query.community)
    found = await request.app[DATABASE].read(store.page, community, query.site, _place(query.after), query.limit)
    last = found[-1] if len(found) == query.limit else None
    following = None
    if last is not None:
        following = f"{last.reading.site}/{time_text(last.reading.start)}/{last.revision}"
    return answer(ReadingsAnswer(readings=[item_of(kept) for kept in found], next=following))


def _place(after: str) -> tuple[str, int, int]:
    if not after:
        return BEGINNING
    site, start, revision = after.split("/")
    return site, parse_time(start, "after"), int(revision)


READINGS = "/v1/provider/readings"

ENDPOINTS = (
    Endpoint(
        "POST",
        READINGS,
        "Tell readings of supply points: 201 some are new, 200 all stood so already",
        post_readings,
        scope=Scope.PROVIDER,
        body=ReadingsBody,
        answers={201: ReadingsToldAnswer, 200: ReadingsToldAnswer},
        problems=(NOT_FOUND, UNPROCESSABLE, CONFLICT),
    ),
    Endpoint(
        "GET",
        READINGS,
        "The readings that a provider has told",
        get_readings,
        scope=Scope.PROVIDER,
        query=ReadingsQuery,
        answers={200: ReadingsAnswer},
    ),
)
