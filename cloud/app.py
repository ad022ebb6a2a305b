"""Wires the rooms into one service: keys, endpoints, jobs. The only file that knows them all."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import cache, partial
from importlib import metadata as packages
import time
from typing import Any

from aiohttp import web
from sqlalchemy import Connection

from . import identity, schema
from .config import Config
from .database import Database
from .doors import DOCUMENT, ENDPOINTS
from .endpoint import CLOCK_MS, DATABASE, PROXIES, PUBLIC_URL, register
from .errors import NOT_AUTHORISED, Refused
from .hub.broker.address import address_of
from .hub.broker.http import go_to_broker
from .hub.clocks.http import CLOCKS
from .hub.clocks.job import Clocks
from .hub.extraction.http import EXTRACTIONS
from .hub.extraction.streams.job import Extractions
from .hub.logins.http import DOORS, TELL_LOGIN
from .hub.logins.job import Doors
from .hub.logins.store import tell_nobody
from .hub.messages.http import HUB
from .hub.messages.job import Intake
from .hub.ntp.http import TIMEKEEPER
from .hub.ntp.job import Timekeeper
from .hub.policy.job import Purge
from .hub.pull.client import Client
from .hub.pull.registry import known
from .hub.sources.http import PULLER, SECRETS_PURPOSE
from .hub.sources.rounds.job import Puller
from .hub.watch.http import PLACES
from .hub.watch.job import Watcher
from .hub.wiring.http import REWIRED
from .ingest import http as ingest_http
from .ingest.job import Releaser
from .ledger.root.job import Sealer
from .notice import job as notice_job
from .notice.http import BELL
from .notice.store import tell_owner_changes, tell_prices_changed, tell_settings_changed, tell_statement_ready
from .openapi import document
from .payment.http import BALANCE_MOVED, PROVIDERS
from .payment.purchases.registry import providers
from .payment.told.store import Moved
from .principal import AUTHENTICATOR, CLOUD_KEY, DEVICE_AUTHENTICATOR, Authenticator, CloudKey, Principal
from .problem import problem_middleware
from .settlement.credit.store import judge_balances
from .settlement.job import Settler
from .sites.access.clients.store import stopped_since
from .sites.access.credentials import principal
from .sites.access.http import STOPPED
from .sites.access.stopped import Stopped
from .sites.http import CHANGED
from .sites.transfer.http import TELL_OWNER
from .sites.transfer.passcodes.http import GATE, Gate
from .tariff.http import PRICES_CHANGED
from .tariff.market.job import Follower
from .v2g.corrections.delivery.client import Sender
from .v2g.corrections.delivery.job import Deliverer
from .v2g.corrections.http import PRIVATE_WEBHOOKS
from .v2g.job import CableWork
from .v2g.permission.told.store import tell_sites
from .v2g.place.store import places_of
from .wire import BODY_BYTES_MAX


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
    app[DOORS] = Doors(app[DATABASE], key)
    app[DEVICE_AUTHENTICATOR] = app[DOORS].authenticate
    app[TELL_LOGIN] = tell_nobody
    app[REWIRED] = tell_sites
    app[PLACES] = places_of
    app[TIMEKEEPER] = Timekeeper(app[DATABASE], config.ntp_servers)
    app[CLOCKS] = Clocks(app[DATABASE], app[TIMEKEEPER].state)
    app[HUB] = Intake(app[DATABASE], app[CLOCKS])
    client = Client(clock_ms, private=config.private_sources)
    app[PULLER] = Puller(app[DATABASE], key.derive(SECRETS_PURPOSE), client, app[HUB], known())
    app[ingest_http.HEARD] = app[CLOCKS].heard_site
    app[EXTRACTIONS] = Extractions(app[DATABASE], places_of, _holds(app[STOPPED], clock_ms))
    app[PROVIDERS] = providers(stripe_webhook_secret=config.stripe_webhook_secret)
    app[BALANCE_MOVED] = list[Moved]([judge_moved])
    app[PRIVATE_WEBHOOKS] = config.private_webhooks
    app[DOCUMENT] = _described(config.public_url)
    app.cleanup_ctx.append(partial(_open_database, config=config))
    go_to_broker(app, address_of(config))
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


def _holds(stopped: Stopped, clock_ms: Callable[[], int]) -> Callable[[Principal], Awaitable[bool]]:
    """Tell whether a token still holds while what it asked for is handed out."""
    return lambda asker: stopped.holds(asker.subject, asker.generation, clock_ms() // 1000)


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
        asyncio.create_task(Watcher(database, tell_sites).run(clock_ms), name="watch"),
        asyncio.create_task(Follower(database, tell_prices_changed).run(clock_ms), name="market"),
        asyncio.create_task(app[DOORS].run(clock_ms), name="doors"),
        asyncio.create_task(Purge(database).run(clock_ms), name="purge"),
        asyncio.create_task(app[CLOCKS].run(clock_ms), name="clocks"),
        asyncio.create_task(app[TIMEKEEPER].run(clock_ms), name="ntp"),
        asyncio.create_task(app[PULLER].run(clock_ms), name="pull"),
        asyncio.create_task(notice_job.run(database, app[BELL], clock_ms), name="notice"),
    ]
    yield
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def _close_sockets(app: web.Application) -> None:
    app[BELL].close()
