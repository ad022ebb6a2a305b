"""Wires the rooms into one service: keys, endpoints, jobs. The only file that knows them all."""

import asyncio
from collections.abc import AsyncIterator, Callable
from functools import cache, partial
from importlib import metadata as packages
import time
from typing import Any

from aiohttp import web
from sqlalchemy import Connection, text

from . import identity, schema
from .config import Config
from .database import Database
from .endpoint import CLOCK_MS, DATABASE, PROXIES, PUBLIC_URL, Body, Endpoint, answer, register
from .errors import NOT_AUTHORISED, Refused
from .ingest import http as ingest_http
from .ingest.job import Releaser
from .ingest.quarantine import http as quarantine_http
from .ledger.journal import http as journal_http
from .ledger.root import http as roots_http
from .ledger.root.job import Sealer
from .notice import http as notice_http, job as notice_job
from .notice.http import BELL
from .notice.store import tell_owner_changes, tell_prices_changed, tell_settings_changed, tell_statement_ready
from .openapi import document
from .payment import http as payment_http
from .payment.http import BALANCE_MOVED, PROVIDERS
from .payment.purchases.registry import providers
from .payment.told.store import Moved
from .principal import AUTHENTICATOR, CLOUD_KEY, Authenticator, CloudKey, Principal
from .problem import problem_middleware
from .settlement import http as settlement_http
from .settlement.credit import http as credit_http
from .settlement.credit.store import judge_balances
from .settlement.direct import http as direct_http
from .settlement.job import Settler
from .settlement.page import http as page_http
from .settlement.proof import http as proof_http
from .sites import http as sites_http
from .sites.access import http as access_http
from .sites.access.clients import http as clients_http
from .sites.access.clients.store import stopped_since
from .sites.access.credentials import principal
from .sites.access.http import STOPPED
from .sites.access.stopped import Stopped
from .sites.http import CHANGED
from .sites.links import http as links_http
from .sites.owners import http as owners_http
from .sites.owners.registration import http as registration_http
from .sites.transfer import http as transfer_http
from .sites.transfer.http import TELL_OWNER
from .sites.transfer.passcodes.http import GATE, Gate
from .sites.trees import http as trees_http
from .tariff import http as tariff_http
from .tariff.http import PRICES_CHANGED
from .tariff.quote import http as quote_http
from .tariff.series import http as series_http
from .v2g.cables import http as cables_http
from .v2g.corrections import http as corrections_http
from .v2g.corrections.delivery.client import Sender
from .v2g.corrections.delivery.job import Deliverer
from .v2g.corrections.http import PRIVATE_WEBHOOKS
from .v2g.job import CableWork
from .v2g.judgement import http as judgement_http
from .v2g.permission import http as permission_http
from .v2g.place import http as place_http
from .v2g.provider.equipment import http as equipment_http
from .v2g.provider.readings import http as supply_readings_http
from .v2g.records import http as records_http
from .v2g.terms import http as terms_http
from .v2g.visits import http as visits_http
from .wire import BODY_BYTES_MAX

DOCUMENT: web.AppKey[dict[str, Any]] = web.AppKey("document", dict)


class HealthAnswer(Body):
    """The database answers."""

    status: str


def wall_clock_ms() -> int:
    """Return milliseconds since 1970."""
    return time.time_ns() // 1_000_000


def create_app(config: Config, clock_ms: Callable[[], int] = wall_clock_ms) -> web.Application:
    """Return the service, ready to be run; it refuses to start on a database or with a key that is not its own."""
    app = web.Application(middlewares=[problem_middleware], client_max_size=BODY_BYTES_MAX)
    key = identity.load(config.key_file)
    app[DATABASE] = Database(config.database_url)
    app[ingest_http.INTAKE] = ingest_http.Intake(app[DATABASE])
    app[CLOCK_MS] = clock_ms
    app[CLOUD_KEY] = key
    app[PUBLIC_URL] = config.public_url
    app[PROXIES] = config.proxies
    app[STOPPED] = Stopped(lambda now: app[DATABASE].read(stopped_since, now))
    app[AUTHENTICATOR] = _authenticator(key, config.public_url, app[STOPPED])
    app[BELL] = notice_job.Bell()
    app[CHANGED] = tell_changed
    app[PRICES_CHANGED] = tell_prices_changed
    app[TELL_OWNER] = tell_owner_changes
    app[GATE] = Gate()
    app[PROVIDERS] = providers(stripe_webhook_secret=config.stripe_webhook_secret)
    app[BALANCE_MOVED] = list[Moved]([judge_moved])
    app[PRIVATE_WEBHOOKS] = config.private_webhooks
    app[DOCUMENT] = _described(config.public_url)
    app.cleanup_ctx.append(partial(_open_database, config=config))
    app.cleanup_ctx.append(_run_jobs)
    app.on_shutdown.append(_close_sockets)
    register(app, ENDPOINTS)
    return app


@cache
def _described(public_url: str) -> dict[str, Any]:
    return document(ENDPOINTS, public_url, version())


def version() -> str:
    """Return the version of this program."""
    try:
        return packages.version("commonwatt")
    except packages.PackageNotFoundError:  # run from a checkout
        return "0"


def _authenticator(key: CloudKey, issuer: str, stopped: Stopped) -> Authenticator:
    async def authenticate(token: str, now: int) -> Principal:
        found = principal(key, token, issuer, now)
        if not await stopped.holds(found.subject, found.generation, now):
            raise Refused(NOT_AUTHORISED, "this client was removed, or has another secret now")
        return found

    return authenticate


async def _open_database(app: web.Application, config: Config) -> AsyncIterator[None]:
    database = app[DATABASE]
    try:
        await database.read(check_own, app[CLOUD_KEY], config)
        yield
    finally:
        await asyncio.to_thread(database.dispose)


def check_own(conn: Connection, key: CloudKey, config: Config) -> None:
    """Refuse a database of another schema than this program's, or of another key than the one in the file."""
    schema.check(conn)
    identity.check(conn, key, config.key_file)


def tell_changed(conn: Connection, community: str, now: int) -> None:
    """Tell the sites that settings or owners changed; who pays ahead, or no longer does, is judged anew."""
    tell_settings_changed(conn, community, now)
    judge_balances(conn, community, now)


def judge_moved(conn: Connection, community: str, _owner: str, now: int) -> None:
    """Judge credit within the transaction that moved a balance, so that who pays ahead is restored at once."""
    judge_balances(conn, community, now)


async def _run_jobs(app: web.Application) -> AsyncIterator[None]:
    database, clock_ms = app[DATABASE], app[CLOCK_MS]
    sealer = Sealer(database, app[CLOUD_KEY].sign_compact, tell_statement_ready, app[BELL].ring)
    deliverer = Deliverer(database, app[CLOUD_KEY], Sender(private=app[PRIVATE_WEBHOOKS]))
    tasks = [
        asyncio.create_task(Releaser(database).run(clock_ms), name="ingest"),
        asyncio.create_task(Settler(database, app[BELL].ring).run(clock_ms), name="settlement"),
        asyncio.create_task(sealer.run(clock_ms), name="ledger"),
        asyncio.create_task(CableWork(database, app[BELL].ring).run(clock_ms), name="v2g"),
        asyncio.create_task(deliverer.run(clock_ms), name="corrections"),
        asyncio.create_task(notice_job.run(database, app[BELL], clock_ms), name="notice"),
    ]
    yield
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def _close_sockets(app: web.Application) -> None:
    app[BELL].close()


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
)
