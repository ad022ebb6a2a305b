"""Wires the rooms into one service: keys, endpoints, jobs. The only file that knows them all."""

import asyncio
from collections.abc import AsyncIterator, Callable
from functools import partial
from importlib import metadata as packages
import time
from typing import Any

from aiohttp import web
from sqlalchemy import Connection, text

from . import identity, schema
from .config import Config
from .database import Database
from .endpoint import CLOCK_MS, DATABASE, PROXIES, PUBLIC_URL, Body, Endpoint, answer, register
from .ingest import http as ingest_http
from .ingest.job import Releaser
from .ingest.quarantine import http as quarantine_http
from .notice import http as notice_http, job as notice_job
from .notice.http import BELL
from .notice.store import tell_settings_changed
from .openapi import document
from .principal import AUTHENTICATOR, CLOUD_KEY, Authenticator, CloudKey, Principal
from .problem import problem_middleware
from .settlement import http as settlement_http
from .settlement.job import Settler
from .sites import http as sites_http
from .sites.access import http as access_http
from .sites.access.credentials import principal
from .sites.http import CHANGED
from .sites.trees import http as trees_http
from .tariff import http as tariff_http
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
    app[CLOCK_MS] = clock_ms
    app[CLOUD_KEY] = key
    app[PUBLIC_URL] = config.public_url
    app[PROXIES] = config.proxies
    app[AUTHENTICATOR] = _authenticator(key, config.public_url)
    app[BELL] = notice_job.Bell()
    app[CHANGED] = tell_settings_changed
    app[DOCUMENT] = document(ENDPOINTS, config.public_url, version())
    app.cleanup_ctx.append(partial(_open_database, config=config))
    app.cleanup_ctx.append(_run_jobs)
    app.on_shutdown.append(_close_sockets)
    register(app, ENDPOINTS)
    return app


def version() -> str:
    """Return the version of this program."""
    try:
        return packages.version("commonwatt")
    except packages.PackageNotFoundError:  # run from a checkout
        return "0"


def _authenticator(key: CloudKey, issuer: str) -> Authenticator:
    def authenticate(token: str, now: int) -> Principal:
        return principal(key, token, issuer, now)

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


async def _run_jobs(app: web.Application) -> AsyncIterator[None]:
    database, clock_ms = app[DATABASE], app[CLOCK_MS]
    tasks = [
        asyncio.create_task(Releaser(database).run(clock_ms), name="ingest"),
        asyncio.create_task(Settler(database, app[BELL].ring).run(clock_ms), name="settlement"),
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
    *trees_http.ENDPOINTS,
    *tariff_http.ENDPOINTS,
    *ingest_http.ENDPOINTS,
    *quarantine_http.ENDPOINTS,
    *settlement_http.ENDPOINTS,
    *notice_http.ENDPOINTS,
)
