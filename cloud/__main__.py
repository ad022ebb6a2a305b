"""The command line: `python -m cloud migrate | serve | settle | audit | client add`."""

import argparse
import asyncio
import os
from pathlib import Path
import secrets
import sys

from aiohttp import web
from sqlalchemy import Connection, make_url
from sqlalchemy.exc import ArgumentError

from . import identity, logs, schema
from .app import check_own, create_app, wall_clock_ms
from .config import Config, from_environment
from .database import Database, new_id
from .errors import CommonwattError, Unavailable
from .principal import CloudKey, Scope
from .settlement.audit.books import Totals
from .settlement.audit.rows import store as rows
from .settlement.audit.store import audit
from .settlement.job import settle
from .sites.access.credentials import SECRET_BYTES, Client, secret_hmac, secret_text
from .sites.access.http import secret_key
from .sites.access.store import add_client
from .sites.store import Community, communities

SHUTDOWN_SECONDS = 20  # requests under way may end within
COULD_NOT_LOOK = 2  # how an audit ends that says nothing of what is kept


def main(arguments: list[str] | None = None) -> int:
    """Run one command; a person's mistake is one line on standard error, not a traceback."""
    options = _parser().parse_args(arguments)
    try:
        config = from_environment(os.environ)
        logs.set_up(config.log_level)
        match options.command:
            case "serve":
                _serve(config)
            case "migrate":
                asyncio.run(_migrate(config))
            case "settle":
                asyncio.run(_settle(config))
            case "audit":
                return asyncio.run(_audit(config, options.community))
            case "client":
                asyncio.run(_add_client(config, Scope(options.scope), options.name))
    except CommonwattError as error:
        print(f"commonwatt: {error}", file=sys.stderr)
        return COULD_NOT_LOOK if options.command == "audit" else 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m cloud",
        description="The settlement house. Settings come from COMMONWATT_DATABASE_URL, _KEY_FILE, _HOST, _PORT, "
        "_PUBLIC_URL, _LOG_LEVEL and _PROXIES.",
    )
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("serve", help="answer requests and run the jobs until told to stop")
    commands.add_parser("migrate", help="create or update the database, and a new one's key file")
    commands.add_parser("settle", help="settle what is due now and end")
    audit = commands.add_parser(
        "audit", help="recompute everything that is kept; 0: sound, 1: findings, 2: cannot look"
    )
    audit.add_argument("--community", help="this one only")
    client = commands.add_parser("client", help="who may ask for access tokens")
    add = client.add_subparsers(dest="action", required=True).add_parser("add", help="add one, print its secret once")
    add.add_argument("--scope", choices=[Scope.OPERATOR.value], required=True)
    add.add_argument("--name", default="operator", help="what a person calls it")
    return parser


def _serve(config: Config) -> None:
    web.run_app(
        create_app(config),
        host=config.host,
        port=config.port,
        access_log_class=logs.AccessLogger,
        shutdown_timeout=SHUTDOWN_SECONDS,
        print=None,
    )


async def _migrate(config: Config) -> None:
    database = Database(config.database_url)
    try:
        key = await database.write(_migrate_and_establish, config)
    finally:
        database.dispose()
    print(f"the database is up to date; the cloud's key is {key.kid} in {config.key_file}")
    print("keep a copy of the key file in a safe place: without it, no site believes this cloud")


def _migrate_and_establish(conn: Connection, config: Config) -> CloudKey:
    schema.migrate(conn)
    return identity.establish(conn, config.key_file, wall_clock_ms() // 1000)


async def _settle(config: Config) -> None:
    key = identity.load(config.key_file)
    database = Database(config.database_url)
    try:
        await database.read(check_own, key, config)
        settled = await settle(database, wall_clock_ms() // 1000)
    finally:
        database.dispose()
    print(f"{settled} intervals settled")


async def _audit(config: Config, community: str | None) -> int:
    """Audit one community or all, each on a snapshot of its own; needs the database and no key."""
    _check_file(config.database_url)
    database = Database(config.database_url)
    try:
        await database.read(schema.check)
        chosen = await database.read(_communities, community)
        totals = await database.read(rows.totals, community)
        unsound = 0
        for item in chosen:
            sums = totals.get(item.community, Totals())
            report = await database.read(audit, item, sums, lambda finding: print(finding, flush=True))
            print(report, flush=True)
            unsound += report.findings > 0
    finally:
        database.dispose()
    return 1 if unsound else 0


def _check_file(url: str) -> None:
    """Refuse a file that is not there: looking at it would make it."""
    try:
        parsed = make_url(url)
    except ArgumentError:
        return  # `Database` says what is wrong with it
    if parsed.get_backend_name() == "sqlite" and parsed.database and not Path(parsed.database).is_file():
        raise Unavailable(f"there is no database {parsed.database}")


def _communities(conn: Connection, community: str | None) -> list[Community]:
    found = [item for item in communities(conn) if community in (None, item.community)]
    if community is not None and not found:
        raise Unavailable(f"there is no community {community}")
    return found


async def _add_client(config: Config, scope: Scope, name: str) -> None:
    key = identity.load(config.key_file)
    secret = secret_text(secrets.token_bytes(SECRET_BYTES))
    client = Client(new_id(), scope, None, secret_hmac(secret_key(key), secret))
    database = Database(config.database_url)
    try:
        await database.write(_check_and_add, config, key, client, name)
    finally:
        database.dispose()
    print(f"client_id={client.client_id}\nclient_secret={secret}")


def _check_and_add(conn: Connection, config: Config, key: CloudKey, client: Client, name: str) -> None:
    check_own(conn, key, config)
    add_client(conn, client, name, wall_clock_ms() // 1000)


if __name__ == "__main__":
    sys.exit(main())
