"""Shows how our own clock is."""

from aiohttp import web

from cloud.endpoint import Endpoint, answer
from cloud.principal import Scope
from cloud.wire import time_text

from .answer import Measured
from .bodies import OwnClockAnswer, ServerItem
from .job import Timekeeper
from .own import Server

TIMEKEEPER = web.AppKey("timekeeper", Timekeeper)


async def get_own_clock(request: web.Request) -> web.Response:
    """Show how our own clock is, and what each time server says."""
    keeper = request.app[TIMEKEEPER]
    own = keeper.own
    return answer(
        OwnClockAnswer(
            state=own.state,
            offset_ms=own.offset_ms,
            delay_ms=own.delay_ms,
            stratum=own.stratum,
            server=own.server,
            measured_at=None if own.measured_ms is None else time_text(own.measured_ms // 1000),
            why=own.why,
            servers=[_item(server) for server in keeper.servers],
        )
    )


def _item(server: Server) -> ServerItem:
    word = server.last
    good = word if isinstance(word, Measured) else None
    return ServerItem(
        server=server.name,
        offset_ms=None if good is None else good.offset_ms,
        delay_ms=None if good is None else good.delay_ms,
        stratum=None if good is None else good.stratum,
        why=None if word is None or isinstance(word, Measured) else word.why,
        due_at=None if server.due_ms is None else time_text(server.due_ms // 1000),
    )


ENDPOINTS = (
    Endpoint(
        "GET",
        "/v1/hub/clock",
        "How the hub's own clock is",
        get_own_clock,
        scope=Scope.OPERATOR,
        answers={200: OwnClockAnswer},
    ),
)
