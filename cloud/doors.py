"""Every door of the house in one list, from which routes and OpenAPI are made. `app.py` opens them."""

from typing import Any

from aiohttp import web
from sqlalchemy import Connection, text

from .endpoint import DATABASE, Body, Endpoint, answer
from .hub.clocks import http as clocks_http
from .hub.context import http as context_http
from .hub.devices.listing import http as listing_http
from .hub.events import http as events_http
from .hub.extraction import http as extraction_http
from .hub.extraction.known import http as known_http
from .hub.formats import http as formats_http
from .hub.logins.renewal import http as renewal_http
from .hub.messages import http as messages_http
from .hub.ntp import http as ntp_http
from .hub.policy import http as policy_http
from .hub.reach import http as reach_http
from .hub.registration import http as hub_registration_http
from .hub.sources import http as sources_http
from .hub.watch import http as watch_http
from .hub.watch.limits import http as watch_limits_http
from .hub.wiring import http as wiring_http
from .ingest import http as ingest_http
from .ingest.quarantine import http as quarantine_http
from .ledger.journal import http as journal_http
from .ledger.root import http as roots_http
from .notice import http as notice_http
from .payment import http as payment_http
from .settlement import http as settlement_http
from .settlement.credit import http as credit_http
from .settlement.direct import http as direct_http
from .settlement.page import http as page_http
from .settlement.proof import http as proof_http
from .sites import http as sites_http
from .sites.access import http as access_http
from .sites.access.clients import http as clients_http
from .sites.links import http as links_http
from .sites.owners import http as owners_http
from .sites.owners.registration import http as registration_http
from .sites.transfer import http as transfer_http
from .sites.trees import http as trees_http
from .tariff import http as tariff_http
from .tariff.market import http as market_http
from .tariff.quote import http as quote_http
from .tariff.series import http as series_http
from .v2g.cables import http as cables_http
from .v2g.corrections import http as corrections_http
from .v2g.judgement import http as judgement_http
from .v2g.permission import http as permission_http
from .v2g.place import http as place_http
from .v2g.provider.equipment import http as equipment_http
from .v2g.provider.readings import http as supply_readings_http
from .v2g.records import http as records_http
from .v2g.terms import http as terms_http
from .v2g.visits import http as visits_http

DOCUMENT: web.AppKey[dict[str, Any]] = web.AppKey("document", dict)


class HealthAnswer(Body):
    """The database answers."""

    status: str


async def get_health(request: web.Request) -> web.Response:
    """Tell whether the database answers."""
    await request.app[DATABASE].read(_ping)
    return answer(HealthAnswer(status="ok"))


def _ping(conn: Connection) -> None:
    conn.execute(text("SELECT 1"))


async def get_document(request: web.Request) -> web.Response:
    """Describe every endpoint."""
    return answer(request.app[DOCUMENT])


ENDPOINTS = (
    Endpoint("GET", "/healthz", "Whether the database answers", get_health, answers={200: HealthAnswer}),
    Endpoint("GET", "/openapi.json", "This description", get_document, answers={200: None}),
    *sites_http.ENDPOINTS,
    *access_http.ENDPOINTS,
    *clients_http.ENDPOINTS,
    *owners_http.ENDPOINTS,
    *registration_http.ENDPOINTS,
    *trees_http.ENDPOINTS,
    *links_http.ENDPOINTS,
    *transfer_http.ENDPOINTS,
    *tariff_http.ENDPOINTS,
    *series_http.ENDPOINTS,
    *market_http.ENDPOINTS,
    *quote_http.ENDPOINTS,
    *ingest_http.ENDPOINTS,
    *quarantine_http.ENDPOINTS,
    *settlement_http.ENDPOINTS,
    *direct_http.ENDPOINTS,
    *proof_http.ENDPOINTS,
    *journal_http.ENDPOINTS,
    *page_http.ENDPOINTS,
    *credit_http.ENDPOINTS,
    *roots_http.ENDPOINTS,
    *payment_http.ENDPOINTS,
    *notice_http.ENDPOINTS,
    *cables_http.ENDPOINTS,
    *visits_http.ENDPOINTS,
    *records_http.ENDPOINTS,
    *corrections_http.ENDPOINTS,
    *terms_http.ENDPOINTS,
    *place_http.ENDPOINTS,
    *permission_http.ENDPOINTS,
    *judgement_http.ENDPOINTS,
    *supply_readings_http.ENDPOINTS,
    *equipment_http.ENDPOINTS,
    *wiring_http.ENDPOINTS,
    *watch_http.ENDPOINTS,
    *watch_limits_http.ENDPOINTS,
    *context_http.ENDPOINTS,
    *listing_http.ENDPOINTS,
    *renewal_http.ENDPOINTS,
    *hub_registration_http.ENDPOINTS,
    *formats_http.ENDPOINTS,
    *events_http.ENDPOINTS,
    *extraction_http.ENDPOINTS,
    *known_http.ENDPOINTS,
    *reach_http.ENDPOINTS,
    *policy_http.ENDPOINTS,
    *messages_http.ENDPOINTS,
    *clocks_http.ENDPOINTS,
    *ntp_http.ENDPOINTS,
    *sources_http.ENDPOINTS,
)
