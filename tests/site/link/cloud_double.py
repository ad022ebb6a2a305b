"""A minimal cloud over real HTTP: keeps batches by number, signs its answers, and fails in the ways a test asks for."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
import json
import time
from typing import Any

from aiohttp import WSMsgType, web
from aiohttp.test_utils import TestServer
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from custom_components.commonwatt.link import verify_detached
from custom_components.commonwatt.wire import (
    GENESIS,
    SENT_HEADER,
    SIGNATURE_HEADER,
    Answer,
    Batch,
    Head,
    Notice,
    Paired,
    Settings,
    Tree,
    TreeAnswer,
    base64url,
    compact_header,
    detached_header,
    digest,
    parse_batch,
    parse_pairing_request,
    parse_tree,
    thumbprint,
    to_bytes,
)

from .material import CLOUD_SEED, LENGTH, SITE, key

SETTINGS = Settings(SITE, "village", "Village", LENGTH, 1, "anna", {"anna": "Anna", "ben": "Ben"})

type Trouble = Callable[[web.Request], web.StreamResponse | None]


class CloudKey:
    """The cloud's signing key; both forms."""

    def __init__(self, seed: bytes) -> None:
        self._private = Ed25519PrivateKey.from_private_bytes(seed)
        self.public_key = base64url(self._private.public_key().public_bytes_raw())

    def sign(self, raw: bytes) -> str:
        """Return a detached signature."""
        header = detached_header(thumbprint(self.public_key))
        return f"{header}..{base64url(self._private.sign(header.encode() + b'.' + raw))}"

    def compact(self, payload: bytes) -> str:
        """Return a compact JWS."""
        signed = f"{compact_header(thumbprint(self.public_key))}.{base64url(payload)}"
        return f"{signed}.{base64url(self._private.sign(signed.encode()))}"


def problem(status: int, kind: str, headers: dict[str, str] | None = None) -> web.Response:
    """Return an answer that says no."""
    body = to_bytes({"type": kind, "title": kind, "status": status, "detail": f"because {kind}", "reference": "r-1"})
    return web.Response(status=status, body=body, content_type="application/problem+json", headers=headers)


@dataclass
class CloudDouble:
    """What it holds, what it was asked, and its troubles.

    `trouble` answers instead of anything, `override` instead of taking a batch, `lose` counts replies to lose.
    """

    key: CloudKey = field(default_factory=lambda: CloudKey(CLOUD_SEED))
    batches: dict[tuple[int, int], bytes] = field(default_factory=dict)
    arrivals: list[tuple[int, int]] = field(default_factory=list)
    held: dict[tuple[int, int], str] = field(default_factory=dict)
    trees: dict[int, bytes] = field(default_factory=dict)
    owners: set[str] = field(default_factory=lambda: {"anna", "ben"})
    notices: dict[str, str] = field(default_factory=dict)
    acknowledged: list[str] = field(default_factory=list)
    settings: Settings = SETTINGS
    tokens: int = 0
    token_valid: bool = True
    secret: str = "secret"
    sockets_allowed: bool = True
    clock_ahead_ms: int = 0
    trouble: Trouble | None = None
    override: Callable[[web.Request], Awaitable[web.Response]] | None = None
    lose: int = 0
    paths: list[str] = field(default_factory=list)
    sockets: list[web.WebSocketResponse] = field(default_factory=list)
    url: str = ""

    @asynccontextmanager
    async def serving(self, port: int | None = None) -> AsyncIterator[CloudDouble]:
        """Serve on the loopback interface."""
        app = web.Application(middlewares=[self._middleware], client_max_size=2 * 1024 * 1024)
        site = f"/v1/sites/{SITE}"
        app.router.add_post("/v1/token", self._token)
        app.router.add_post("/v1/sites", self._pair)
        app.router.add_get(f"{site}/settings", self._settings)
        app.router.add_get(f"{site}/head", self._head)
        app.router.add_put(f"{site}/tree", self._tree)
        app.router.add_post("/v1/batches", self._batch)
        app.router.add_get(f"{site}/notices", self._notices)
        app.router.add_post(f"{site}/notices/{{id}}/ack", self._ack)
        app.router.add_get(f"{site}/ws", self._socket)
        server = TestServer(app, host="127.0.0.1", port=port)
        await server.start_server(shutdown_timeout=0.1)
        self.url = str(server.make_url("/"))
        try:
            yield self
        finally:
            await asyncio.gather(*(socket.close() for socket in self.sockets))
            await server.close()

    def head(self) -> Head:
        """Return the newest epoch's highest number, and its hash."""
        if not self.batches:
            return Head(SITE, 0, 0, GENESIS)
        newest = max(self.batches)
        return Head(SITE, *newest, digest(self.batches[newest]))

    def holds(self, count: int) -> bool:
        """Say whether it holds so many batches."""
        return len(self.batches) == count

    def parsed(self) -> list[Batch]:
        """Return what it holds, in order."""
        return [parse_batch(self.batches[number]) for number in sorted(self.batches)]

    def notify(self, notice: Notice, signer: CloudKey | None = None) -> str:
        """Issue a notice for whoever asks, and return it."""
        token = (signer or self.key).compact(to_bytes(notice))
        self.notices[notice.id] = token
        return token

    async def push(self, token: str) -> None:
        """Send a text on every open socket."""
        for socket in self.sockets:
            if not socket.closed:
                await socket.send_str(token)

    @web.middleware
    async def _middleware(self, request: web.Request, handler: Callable[[web.Request], Any]) -> web.StreamResponse:
        self.paths.append(f"{request.method} {request.path}")
        if self.trouble is not None and (answer := self.trouble(request)) is not None:
            return answer
        if request.path not in ("/v1/token", "/v1/sites") and (
            not self.token_valid or request.headers.get("Authorization") != f"Bearer token-{self.tokens}"
        ):
            return problem(401, "not-authorised")
        response: web.StreamResponse = await handler(request)
        if self.lose and request.path == "/v1/batches":
            self.lose -= 1
            assert request.transport is not None
            request.transport.abort()
        return response

    def _signed(self, message: object, status: int = 200) -> web.Response:
        raw = to_bytes(message)
        headers = {SIGNATURE_HEADER: self.key.sign(raw)}
        return web.Response(status=status, body=raw, content_type="application/json", headers=headers)

    async def _token(self, request: web.Request) -> web.Response:
        form = await request.post()
        given = request.headers["Authorization"]
        assert form["grant_type"] == "client_credentials"
        if given != f"Basic {_basic('client', self.secret)}":
            return problem(401, "not-authorised")
        self.tokens += 1
        self.token_valid = True
        return web.json_response({"access_token": f"token-{self.tokens}", "token_type": "Bearer", "expires_in": 600})

    async def _pair(self, request: web.Request) -> web.Response:
        raw = await request.read()
        wanted = parse_pairing_request(raw)
        verify_detached(wanted.public_key, request.headers[SIGNATURE_HEADER], raw)
        if wanted.code != "GOOD-CODE":
            return problem(403, "pairing-code-refused")
        return self._signed(Paired(SITE, "village", "client", "secret", self.key.public_key), 201)

    async def _settings(self, request: web.Request) -> web.Response:
        return self._signed(self.settings)

    async def _head(self, request: web.Request) -> web.Response:
        return self._signed(self.head())

    async def _tree(self, request: web.Request) -> web.Response:
        raw = await request.read()
        verify_detached(key().public_key, request.headers[SIGNATURE_HEADER], raw)
        tree = parse_tree(raw)
        verdict = self._judge_tree(tree, raw)
        if verdict not in ("created", "exists"):
            return problem(422 if verdict == "unknown-owner" else 409, verdict)
        self.trees[tree.rev] = raw
        return self._signed(TreeAnswer(SITE, tree.rev, digest(raw), "created" if verdict == "created" else "exists"))

    def _judge_tree(self, tree: Tree, raw: bytes) -> str:
        if tree.rev in self.trees:
            return "exists" if self.trees[tree.rev] == raw else "tree-conflict"
        if tree.rev != max(self.trees, default=0) + 1:
            return "tree-revision"
        return "created" if {tap.owner for tap in tree.taps.values()} <= self.owners else "unknown-owner"

    async def _batch(self, request: web.Request) -> web.Response:
        return await (self.override or self.take_batch)(request)

    async def take_batch(self, request: web.Request) -> web.Response:
        """Keep a batch and answer it."""
        received_ms = self._now_ms()
        raw = await request.read()
        verify_detached(key().public_key, request.headers[SIGNATURE_HEADER], raw)
        batch = parse_batch(raw)
        number = (batch.epoch, batch.seq)
        self.arrivals.append(number)
        known = self.batches.setdefault(number, raw)
        if known != raw:
            return problem(409, "equivocation")
        if self._misfits(batch):
            del self.batches[number]
            return problem(409, "chain-broken")
        result = "exists" if self.arrivals.count(number) > 1 else "created"
        answer = Answer(SITE, *number, digest(raw), "created", 0, received_ms, self._now_ms())
        answer = replace(answer, echo_ms=int(request.headers[SENT_HEADER]))
        if number in self.held:
            return self._signed(replace(answer, result="held", reason=self.held[number]), 202)
        return self._signed(replace(answer, result="exists") if result == "exists" else answer)

    def _misfits(self, batch: Batch) -> bool:
        """Say whether the batch does not fit its neighbours, or skips an epoch."""
        before = self.batches.get((batch.epoch, batch.seq - 1))
        earlier = [number for number in self.batches if number[0] < batch.epoch]
        opened_on = digest(self.batches[max(earlier)]) if earlier else GENESIS
        skips = batch.epoch > max((number[0] for number in earlier), default=0) + 1
        first = batch.seq == 1 and batch.prev != opened_on
        return first or skips or (before is not None and digest(before) != batch.prev)

    async def _notices(self, request: web.Request) -> web.Response:
        return web.json_response({"notices": list(self.notices.values())})

    async def _ack(self, request: web.Request) -> web.Response:
        self._acknowledge(request.match_info["id"])
        return web.Response(status=204)

    def _acknowledge(self, notice_id: str) -> None:
        self.acknowledged.append(notice_id)
        self.notices.pop(notice_id, None)

    async def _socket(self, request: web.Request) -> web.StreamResponse:
        if not self.sockets_allowed:
            raise web.HTTPNotFound
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        self.sockets.append(socket)
        for token in list(self.notices.values()):
            await socket.send_str(token)
        async for message in socket:
            if message.type is WSMsgType.TEXT:
                self._acknowledge(json.loads(message.data)["ack"])
        return socket

    def _now_ms(self) -> int:
        return time.time_ns() // 1_000_000 + self.clock_ahead_ms


def _basic(login: str, password: str) -> str:
    from base64 import b64encode

    return b64encode(f"{login}:{password}".encode()).decode()
