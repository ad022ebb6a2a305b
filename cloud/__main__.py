"""The command line: `python -m cloud migrate | serve | settle | audit | mirror | client add|list|remove`."""

import argparse
import asyncio
from collections.abc import Mapping
from dataclasses import replace
import gc
import os
from pathlib import Path
import secrets
import sys

import aiohttp
from aiohttp import web
from sqlalchemy import Connection, make_url
from sqlalchemy.exc import ArgumentError

from . import identity, logs, schema
from .app import check_own, create_app, wall_clock_ms
from .config import Config, from_environment
from .database import Database, new_id
from .errors import CommonwattError, ConfigError, Unavailable
from .ledger.root.job import seal
from .ledger.root.store import root_faults
from .mirror.client import CloudReader
from .mirror.copy import Rewritten
from .mirror.job import InStep, Mirror, follow_for_ever
from .notice.store import tell_statement_ready
from .payment.audit.store import payment_differences
from .principal import CloudKey, Scope
from .settlement.audit.books import Totals
from .settlement.audit.finding import Finding, Place
from .settlement.audit.roots import root_findings
from .settlement.audit.rows import store as rows
from .settlement.audit.store import audit
from .settlement.job import settle
from .sites.access.clients import store as clients
from .sites.access.clients.role import Listed
from .sites.access.credentials import SECRET_BYTES, Client, reach_fits, secret_hmac, secret_text
from .sites.access.http import secret_key
from .sites.store import Community, communities
from .v2g.audit.reports.store import report_findings
from .v2g.audit.store import v2g_findings
from .v2g.job import CableWork

SHUTDOWN_SECONDS = 20  # requests under way may end within
NEEDS = {
    Scope.OPERATOR: "neither --community nor --owner",
    Scope.UPPER: "no --owner",
    Scope.PROVIDER: "no --owner",
    Scope.MANAGER: "--community and no --owner",
    Scope.OWNER: "--community and --owner",
}
COULD_NOT_LOOK = 2  # how an audit ends that says nothing of what is kept
MIRROR_SECRET = "COMMONWATT_MIRROR_SECRET"  # noqa: S105 its name; not an argument: other users of the machine would see it


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
            case "mirror":
                return asyncio.run(_mirror(options, os.environ))
            case "client":
                asyncio.run(_client(config, options))
    except CommonwattError as error:
        print(f"commonwatt: {error}", file=sys.stderr)
        return COULD_NOT_LOOK if options.command in ("audit", "mirror") else 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m cloud",
        description="The settlement house. Settings come from COMMONWATT_DATABASE_URL, _KEY_FILE, _HOST, _PORT, "
        "_PUBLIC_URL, _LOG_LEVEL, _PROXIES and those that docs/cloud.md lists.",
    )
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("serve", help="answer requests and run the jobs until told to stop")
    commands.add_parser("migrate", help="create or update the database, and a new one's key file")
    commands.add_parser(
        "settle", help="settle what is due now, with what cables moved, seal the days that are over, end"
    )
    audit = commands.add_parser(
        "audit", help="recompute everything that is kept; 0: sound, 1: findings, 2: cannot look"
    )
    audit.add_argument("--community", help="this one only")
    _mirror_parser(commands)
    client = commands.add_parser("client", help="who may ask for access tokens")
    _client_parsers(client.add_subparsers(dest="action", required=True))
    return parser


def _mirror_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    mirror = commands.add_parser(
        "mirror",
        help="copy a community's ledger from another cloud, verify it, sign its roots; 0: in step, 1: history was "
        f"rewritten, 2: cannot look. The client's secret comes from {MIRROR_SECRET}",
    )
    mirror.add_argument("url", help="the cloud's address")
    mirror.add_argument("--community", required=True)
    mirror.add_argument("--client", required=True, help="id of a client of scope upper, manager or operator")
    mirror.add_argument("--database", default="mirror.db", type=Path, help="the mirror's own file, one per community")
    mirror.add_argument("--key-file", default="mirror.key", type=Path, help="the mirror's own key, made when missing")
    mirror.add_argument("--cloud-key", help="the cloud's public key; else the first one seen is held to")
    mirror.add_argument("--full", action="store_true", help="compare every entry kept, not only what is new")
    mirror.add_argument("--every", type=float, help="go on for ever, so many seconds apart")


def _client_parsers(actions: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    add = actions.add_parser("add", help="add one, print its secret once")
    add.add_argument("--scope", choices=[scope.value for scope in NEEDS], required=True)
    add.add_argument("--community", help="the one it is bound to; upper and provider without it reach all")
    add.add_argument("--owner", help="the one it is bound to: for scope owner")
    add.add_argument("--name", help="what a person calls it; by default its scope")
    listed = actions.add_parser("list", help="list those that are no sites")
    listed.add_argument("--community", help="of this one only")
    remove = actions.add_parser("remove", help="stop one: neither its secret nor its tokens open anything any more")
    remove.add_argument("client_id")


def _serve(config: Config) -> None:
    app = create_app(config)
    gc.collect()
    gc.freeze()  # what stands since the start is not looked through again: a seventh of the processor under load
    web.run_app(
        app,
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
        worked = await CableWork(database).to_rest(wall_clock_ms() // 1000)
        roots = await seal(database, key.sign_compact, wall_clock_ms() // 1000, tell_statement_ready)
    finally:
        database.dispose()
    print(f"{settled} intervals settled, {worked} steps done for cables, {roots} days sealed")


async def _mirror(options: argparse.Namespace, environ: Mapping[str, str]) -> int:
    if not environ.get(MIRROR_SECRET):
        raise ConfigError(f"{MIRROR_SECRET} must hold the secret of client {options.client}")
    if not options.key_file.exists():
        identity.create(options.key_file)
    database = Database(f"sqlite:///{options.database.absolute()}")
    async with aiohttp.ClientSession() as session:
        cloud = CloudReader(session, options.url, options.community, (options.client, environ[MIRROR_SECRET]))
        mirror = Mirror(database, cloud, identity.load(options.key_file), options.community)
        try:
            if options.every is None:
                outcome = await mirror.turn(options.cloud_key, full=options.full)
            else:
                outcome = await follow_for_ever(mirror, options.cloud_key, options.every, _tell)
        finally:
            database.dispose()
    _tell(outcome)
    return 1 if isinstance(outcome, Rewritten) else 0


def _tell(outcome: InStep | Rewritten) -> None:
    rewritten = "HISTORY WAS REWRITTEN, nothing is signed: " if isinstance(outcome, Rewritten) else ""
    print(f"{rewritten}{outcome}", flush=True)


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
            more = await database.read(_more_findings, item.community)
            for finding in more:
                print(finding, flush=True)
            print(replace(report, findings=report.findings + len(more)), flush=True)
            unsound += report.findings > 0 or len(more) > 0
    finally:
        database.dispose()
    return 1 if unsound else 0


def _more_findings(conn: Connection, community: str) -> list[Finding]:
    """Return what is wrong with the days' roots, and with payments and cables held against their entries."""
    payments = [
        Finding(
            Place("payments", community, item.table, {"id": item.key}), "postings", item.posted_micro, item.due_micro
        )
        for item in payment_differences(conn, community)
    ]
    cables = [*report_findings(conn, community), *v2g_findings(conn, community)]
    return [*root_findings(community, root_faults(conn, community)), *payments, *cables]


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


async def _client(config: Config, options: argparse.Namespace) -> None:
    key = identity.load(config.key_file)
    database = Database(config.database_url)
    try:
        await database.read(check_own, key, config)
        match options.action:
            case "add":
                await _add_client(database, key, options)
            case "list":
                for client in await database.read(clients.listed, options.community):
                    print(f"{client.client_id} {client.scope} {_reach(client)} {client.name!r}")
            case "remove":
                if not await database.write(clients.remove, options.client_id, wall_clock_ms() // 1000):
                    raise Unavailable(f"there is no client {options.client_id}")
    finally:
        database.dispose()


def _reach(client: Listed) -> str:
    return "/".join(filter(None, (client.community, client.owner))) or "everywhere"


async def _add_client(database: Database, key: CloudKey, options: argparse.Namespace) -> None:
    scope, community, owner = Scope(options.scope), options.community, options.owner
    if not reach_fits(scope, community, owner):
        raise Unavailable(f"a client of scope {scope} needs {NEEDS[scope]}")
    secret = secret_text(secrets.token_bytes(SECRET_BYTES))
    client = Client(new_id(), scope, community, secret_hmac(secret_key(key), secret), owner)
    match await database.write(clients.add, client, options.name or scope.value, wall_clock_ms() // 1000):
        case "no-community":
            raise Unavailable(f"there is no community {community}")
        case "no-owner":
            raise Unavailable(f"{community} has no owner {owner}")
        case "too-many-clients":
            raise Unavailable(f"a community has at most {clients.CLIENTS_MAX} clients")
    print(f"client_id={client.client_id}\nclient_secret={secret}")


if __name__ == "__main__":
    sys.exit(main())
