"""A real cloud over loopback, on a real SQLite file and on a real PostgreSQL, and a site and an operator who use it.

Whatever needs a store asks for `config`, `new_url` or `open_database` and so runs on both; pure tests run once.
"""

from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
import hashlib
import logging
import os
from pathlib import Path
import re
import shutil
from typing import Any

from aiohttp import ClientResponse, web
from aiohttp.test_utils import TestClient, TestServer
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
import jsonschema  # type: ignore[import-untyped]
import pytest
from sqlalchemy import Connection, Table, func, select

from cloud import identity, schema
from cloud.app import create_app
from cloud.config import Config
from cloud.database import Database
from cloud.doors import DOCUMENT
from cloud.endpoint import DATABASE
from cloud.principal import CLOUD_KEY, CloudKey, Scope
from cloud.sites.access.credentials import Client, secret_hmac
from cloud.sites.access.http import secret_key
from cloud.sites.access.store import add_client
from cloud.wire import (
    GENESIS,
    SIGNATURE_HEADER,
    Batch,
    Incident,
    Intervals,
    PairingRequest,
    Quality,
    TapColumns,
    Tree,
    TreeTap,
    base64url,
    detached_header,
    detached_parts,
    digest,
    from_base64url,
    thumbprint,
    to_bytes,
)

from . import postgresql
from .ground import OpenDatabase, make_tables

PROGRAMS, WHY_NOT = postgresql.find()
STORES = (
    "sqlite",
    pytest.param(
        "postgresql", marks=pytest.mark.skipif(PROGRAMS is None and os.environ.get("CI") != "true", reason=WHY_NOT)
    ),
)
NOON = 1_795_262_400  # 2026-11-21T12:00:00Z, an interval boundary
INTERVAL = 1800
COMMUNITY = "riverside"
OK: Quality = "ok"
OWNERS = ("anna", "ben", "sun")
TREE = {"main": TreeTap("anna", None), "ev": TreeTap("ben", "main"), "pv": TreeTap("sun", "main")}


@pytest.fixture(autouse=True)
def _loopback(socket_enabled: None) -> None:
    """Both sides of these tests talk over 127.0.0.1; other addresses stay blocked."""


@pytest.fixture(autouse=True)
def enable_event_loop_debug() -> None:
    """Leave the loop as it is in service: debugging it is for Home Assistant."""


@pytest.fixture(autouse=True)
def _quiet(caplog: pytest.LogCaptureFixture) -> None:
    """Keep every statement of SQL out of a failing test's output."""
    caplog.set_level(logging.WARNING, "sqlalchemy.engine")


@dataclass
class Clock:
    """What time the cloud thinks it is."""

    ms: int = NOON * 1000

    def __call__(self) -> int:
        """Return milliseconds since 1970."""
        return self.ms

    def forward(self, seconds: int) -> None:
        """Let time pass."""
        self.ms += seconds * 1000


@dataclass
class Reply:
    """An answer, read."""

    status: int
    headers: Mapping[str, str]
    raw: bytes
    json: Any

    @property
    def problem(self) -> str:
        """The problem's type, which is only there with a reference and the right content type."""
        assert self.headers["Content-Type"] == "application/problem+json"
        assert self.json["status"] == self.status
        assert len(self.json["reference"]) == 36
        problem: str = self.json["type"]
        return problem


@dataclass
class Cloud:
    """The cloud under test, with its operator's ways."""

    client: TestClient[web.Request, web.Application]
    clock: Clock
    config: Config
    operator_secret: str

    @property
    def database(self) -> Database:
        """The cloud's own database, to look into."""
        return self.client.app[DATABASE]

    @property
    def key(self) -> CloudKey:
        """The cloud's key."""
        return self.client.app[CLOUD_KEY]

    async def call(
        self,
        method: str,
        path: str,
        *,
        token: str | None = None,
        json: Any = None,
        data: Any = None,
        headers: Mapping[str, str] | None = None,
    ) -> Reply:
        """Send one request."""
        sent = dict(headers or {})
        if token is not None:
            sent["Authorization"] = f"Bearer {token}"
        async with self.client.request(method, path, json=json, data=data, headers=sent) as response:
            reply = await read(response)
        check_documented(self.client.app[DOCUMENT], method, path.partition("?")[0], reply)
        return reply

    async def token(self, client_id: str, secret: str) -> str:
        """Ask for an access token."""
        form = {"grant_type": "client_credentials", "client_id": client_id, "client_secret": secret}
        reply = await self.call("POST", "/v1/token", data=form)
        assert reply.status == 200, reply.json
        token: str = reply.json["access_token"]
        return token

    async def operator(self, method: str, path: str, json: Any = None) -> Reply:
        """Do something as the operator."""
        token = await self.token("operator", self.operator_secret)
        return await self.call(method, f"/v1/communities/{path}", token=token, json=json)

    async def found(self, community: str = COMMUNITY, owners: tuple[str, ...] = OWNERS) -> None:
        """Found a community with its owners."""
        settings = {"name": community.title(), "time_zone": "Europe/Berlin", "interval_seconds": INTERVAL}
        assert (await self.operator("PUT", community, settings)).status == 200
        for owner in owners:
            assert (await self.operator("PUT", f"{community}/owners/{owner}", {"name": owner.title()})).status == 200

    async def code(self, community: str = COMMUNITY, main_owner: str = "anna") -> str:
        """Make a pairing code."""
        reply = await self.operator("POST", f"{community}/pairing-codes", {"main_owner": main_owner})
        assert reply.status == 201, reply.json
        code: str = reply.json["code"]
        return code

    async def join(self, community: str = COMMUNITY) -> Site:
        """Pair a new site and give it its token."""
        site = Site(self)
        reply = await site.pair(await self.code(community))
        assert reply.status == 201, reply.json
        return replace(site, token=await self.token(site.site, site.secret))

    async def rows(self, table: Table, **where: Any) -> list[Any]:
        """Return the rows of a table."""
        return list(await self.database.read(lambda conn: conn.execute(select(table).filter_by(**where)).all()))

    async def count(self, table: Table, **where: Any) -> int:
        """Count the rows of a table."""

        def counted(conn: Connection) -> int:
            return conn.execute(select(func.count()).select_from(table).filter_by(**where)).scalar_one()

        return await self.database.read(counted)


VALIDATORS: dict[str, Any] = {}  # by model: the documents of all tests are the same


def validator(ref: str, document: dict[str, Any]) -> Any:
    """Return what checks an answer against its model."""
    if ref not in VALIDATORS:
        schema = {"$ref": ref, "components": document["components"]}
        VALIDATORS[ref] = jsonschema.Draft202012Validator(schema)
    return VALIDATORS[ref]


def check_documented(document: dict[str, Any], method: str, path: str, reply: Reply) -> None:
    """Hold every answer of every test to what OpenAPI says of it."""
    for template, operations in document["paths"].items():
        if method.lower() in operations and re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", template), path):
            said = operations[method.lower()]["responses"][str(reply.status)]
            if (contents := said.get("content", {})) != {}:
                content = contents[reply.headers["Content-Type"].partition(";")[0]]
                if "$ref" in content["schema"]:
                    validator(content["schema"]["$ref"], document).validate(reply.json)
            if reply.status >= 400:
                assert f"`{reply.problem}`" in said["description"]
            return
    assert reply.status in (404, 405)


async def read(response: ClientResponse) -> Reply:
    """Read an answer whole."""
    raw = await response.read()
    is_json = bool(raw) and "json" in response.content_type and "ndjson" not in response.content_type
    return Reply(response.status, response.headers, raw, await response.json(content_type=None) if is_json else None)


@dataclass
class Site:
    """A site as the cloud meets it: a key, a name, and batches it signs."""

    cloud: Cloud
    key: Ed25519PrivateKey = field(default_factory=Ed25519PrivateKey.generate)
    site: str = ""
    secret: str = ""
    token: str = ""

    @property
    def public_key(self) -> str:
        """The key's public half."""
        return base64url(self.key.public_key().public_bytes_raw())

    @property
    def kid(self) -> str:
        """The key's name."""
        return thumbprint(self.public_key)

    def sign(self, raw: bytes) -> str:
        """Sign raw bytes, detached."""
        header = detached_header(self.kid)
        return f"{header}..{base64url(self.key.sign(header.encode() + b'.' + raw))}"

    async def pair(self, code: str, forwarded_for: str | None = None, **changes: Any) -> Reply:
        """Show a code to the cloud and keep what it answers."""
        wanted = PairingRequest(code, "Home", "Europe/Berlin", self.public_key)
        raw = to_bytes(wanted.plain() | changes)
        headers = {SIGNATURE_HEADER: self.sign(raw)} | ({"X-Forwarded-For": forwarded_for} if forwarded_for else {})
        reply = await self.cloud.call("POST", "/v1/sites", data=raw, headers=headers)
        if reply.status < 300:
            self.site, self.secret = reply.json["site"], reply.json["client_secret"]
        return reply

    async def send(
        self, method: str, path: str, raw: bytes, signature: str | None = None, headers: Mapping[str, str] | None = None
    ) -> Reply:
        """Send raw bytes signed by this site."""
        signed = {SIGNATURE_HEADER: self.sign(raw) if signature is None else signature}
        return await self.cloud.call(method, path, token=self.token, data=raw, headers=signed | dict(headers or {}))

    async def put_tree(self, rev: int = 1, valid_from: int = 0, taps: Mapping[str, TreeTap] | None = None) -> Reply:
        """Send a tree."""
        tree = Tree(self.site, rev, valid_from, TREE if taps is None else taps)
        return await self.send("PUT", f"/v1/sites/{self.site}/tree", to_bytes(tree))

    async def post(self, raw: bytes, **more: Any) -> Reply:
        """Send a batch."""
        return await self.send("POST", "/v1/batches", raw, **more)

    async def get(self, what: str) -> Reply:
        """Read something of this site's."""
        return await self.cloud.call("GET", f"/v1/sites/{self.site}/{what}", token=self.token)

    def chain(
        self, count: int, *, epoch: int = 1, prev: str = GENESIS, start: int = NOON - 20 * INTERVAL
    ) -> list[bytes]:
        """Make so many batches of one interval each, one after another."""
        made: list[bytes] = []
        for seq in range(1, count + 1):
            begin = start + (seq - 1) * INTERVAL
            made.append(self.batch(epoch=epoch, seq=seq, prev=prev, start=begin))
            prev = digest(made[-1])
        return made

    def batch(
        self,
        *,
        epoch: int = 1,
        seq: int = 1,
        prev: str = GENESIS,
        start: int = NOON - 20 * INTERVAL,
        count: int = 1,
        tree_rev: int = 1,
        taps: Mapping[str, TapColumns] | None = None,
        incidents: tuple[Incident, ...] = (),
        amends: bool = False,
        **changes: Any,
    ) -> bytes:
        """Make one batch whose registers follow from when it starts, so that batches made apart agree."""
        columns = columns_of(start, count) if taps is None else taps
        intervals = Intervals(start, INTERVAL, count, tree_rev, columns, amends)
        made = Batch(self.site, epoch, seq, prev, start + count * INTERVAL, intervals, incidents)
        return to_bytes(made.plain() | changes)


def columns_of(start: int, count: int = 1) -> dict[str, TapColumns]:
    """Return what the taps of TREE measured: at each the same energy every interval, since 1970."""
    energy = {"main": (700, 0), "ev": (300, 0), "pv": (0, 450)}
    upstream = {"main": None, "ev": "anna", "pv": "anna"}
    return {
        tap: TapColumns(
            owner=TREE[tap].owner,
            upstream_owner=upstream[tap],
            import_wh=(energy[tap][0],) * count,
            export_wh=(energy[tap][1],) * count,
            register_wh=tuple(
                (energy[tap][0] * number, energy[tap][1] * number)
                for number in range(start // INTERVAL + 1, start // INTERVAL + 1 + count)
            ),
            quality=(OK,) * count,
        )
        for tap in TREE
    }


def verified(cloud: Cloud, reply: Reply) -> Any:
    """Return a signed answer's data; raises unless the cloud's key signed these very bytes."""
    kid, signed, mark = detached_parts(reply.headers[SIGNATURE_HEADER], reply.raw)
    assert kid == cloud.key.kid
    Ed25519PublicKey.from_public_bytes(from_base64url(cloud.key.public_key, "key")).verify(mark, signed)
    return reply.json


def fill(url: str, key_file: Path) -> None:
    """Make the tables and the key of a new cloud, and a client for its operator."""
    database = Database(url)
    with database.engine.begin() as conn:
        schema.migrate(conn)
        key = identity.establish(conn, key_file, NOON)
        secret = secret_hmac(secret_key(key), "operator-secret")
        add_client(conn, Client("operator", Scope.OPERATOR, None, secret), "tests", NOON)
    database.dispose()


@pytest.fixture(scope="session")
def server() -> Iterator[postgresql.Server]:
    """Run PostgreSQL, with a template of what `config` gives and one of what `open_database` gives."""
    assert PROGRAMS is not None, WHY_NOT
    with postgresql.running(PROGRAMS) as server:
        fill(server.create("new_cloud"), server.folder / "cloud.key")
        make_tables(server.create("new_ground"))
        yield server


@pytest.fixture(params=STORES)
def store(request: pytest.FixtureRequest) -> str:
    """Name the database that a test runs on."""
    name: str = request.param
    return name


@dataclass
class Databases:
    """The databases of one test on the server, each named for the folder where SQLite would have its file."""

    server: postgresql.Server
    names: set[str] = field(default_factory=set)

    def url(self, folder: Path, template: str = "template1") -> str:
        """Return the URL of a folder's database, which is made when first asked for."""
        name = f"test_{hashlib.sha256(str(folder).encode()).hexdigest()[:16]}"
        if name in self.names:
            return self.server.url(name)
        self.names.add(name)
        return self.server.create(name, template)

    def renew(self, url: str, template: str, fill: Callable[[], None]) -> None:
        """Put a copy of a template in a database's place; the first who needs the template fills and leaves it."""
        (name,) = (name for name in self.names if self.server.url(name) == url)
        if self.server.has(template):
            self.server.drop(name)
            self.server.create(name, template)
        else:
            fill()
            self.server.create(template, name)


@pytest.fixture
def databases(store: str, request: pytest.FixtureRequest) -> Iterator[Databases | None]:
    """Give one test databases on the server, and remove them; None: it runs on files."""
    if store == "sqlite":
        yield None
        return
    databases = Databases(request.getfixturevalue("server"))
    yield databases
    for name in databases.names:
        databases.server.drop(name)


@pytest.fixture
def new_url(databases: Databases | None) -> Callable[[Path], str]:
    """Give what returns the URL of an empty database, always the same for a folder."""
    return lambda folder: f"sqlite:///{folder}/test.db" if databases is None else databases.url(folder)


@pytest.fixture(scope="session")
def new_ground(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a file with every table, to be copied."""
    file = tmp_path_factory.mktemp("ground") / "ground.db"
    make_tables(f"sqlite:///{file}")
    return file


@pytest.fixture
def open_database(databases: Databases | None, new_ground: Path) -> Iterator[OpenDatabase]:
    """Give what opens the database of a folder, with every table; what a test left open is closed after it."""
    all_opened: list[Database] = []

    def opened(folder: Path) -> Database:
        url = f"sqlite:///{folder}/ground.db" if databases is None else databases.url(folder, "new_ground")
        if databases is None and not (folder / "ground.db").exists():
            shutil.copy(new_ground, folder / "ground.db")
        all_opened.append(Database(url))
        return all_opened[-1]

    yield opened
    for database in all_opened:  # Hypothesis leaves an example in the middle when it has drawn enough
        database.dispose()


@pytest.fixture(scope="session")
def new_cloud(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a folder with a migrated, empty database and its key, to be copied."""
    folder = tmp_path_factory.mktemp("cloud")
    fill(f"sqlite:///{folder}/cloud.db", folder / "cloud.key")
    return folder


@pytest.fixture
def config(databases: Databases | None, tmp_path: Path, request: pytest.FixtureRequest) -> Config:
    """Give one test a cloud of its own: a copied file, or a database made from the template."""
    key_file = tmp_path / "cloud.key"
    if databases is not None:
        shutil.copy(databases.server.folder / "cloud.key", key_file)
        return Config(databases.url(tmp_path, "new_cloud"), key_file, public_url="http://cloud.test")
    new_cloud: Path = request.getfixturevalue("new_cloud")
    for name in ("cloud.db", "cloud.key"):
        shutil.copy(new_cloud / name, tmp_path / name)
    return Config(f"sqlite:///{tmp_path}/cloud.db", key_file, public_url="http://cloud.test")


@asynccontextmanager
async def running(config: Config) -> AsyncIterator[Cloud]:
    """Start a cloud that answers on loopback, and stop it."""
    clock = Clock()
    server = TestServer(create_app(config, clock), host="127.0.0.1")
    async with TestClient(server) as client:
        yield Cloud(client, clock, config, "operator-secret")


@pytest.fixture
async def cloud(config: Config) -> AsyncIterator[Cloud]:
    """Start a cloud that answers on loopback."""
    async with running(config) as cloud:
        yield cloud


@pytest.fixture
async def site(cloud: Cloud) -> Site:
    """Pair a site of community riverside that has told its tree."""
    await cloud.found()
    site = await cloud.join()
    assert (await site.put_tree()).status == 201
    return site
