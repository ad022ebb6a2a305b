"""A cloud small enough to read: one community, one site, every answer signed, and every refusal on demand."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
import time
from typing import Any

from aiohttp import web
from aiohttp.test_utils import TestServer
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from custom_components.commonwatt import wire
from custom_components.commonwatt.link import SiteKey, verify_detached

type Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

GOOD_CODE = "GOOD-CODE-GOOD-CODE"
SITE = "site-1"


@dataclass
class FakeCloud:
    """Answers as the contract says; `refusal` is answered to everything while it is set."""

    private: Ed25519PrivateKey = field(default_factory=Ed25519PrivateKey.generate)
    url: str = ""
    code: str = GOOD_CODE
    site: str = SITE
    owners: dict[str, str] = field(default_factory=lambda: {"anna": "Anna", "ben": "Ben"})
    interval_seconds: int = 60
    currency: str | None = None
    points_per_unit: int | None = None
    refusal: web.Response | None = None
    tree_refusal: web.Response | None = None
    batch_refusal: web.Response | None = None
    authorised: bool = True
    pairings: list[wire.PairingRequest] = field(default_factory=list)
    trees: list[wire.Tree] = field(default_factory=list)
    batches: list[wire.Batch] = field(default_factory=list)
    notices: dict[str, str] = field(default_factory=dict)
    sockets: list[web.WebSocketResponse] = field(default_factory=list)
    documents: dict[str, Callable[[Mapping[str, str]], dict[str, Any]]] = field(default_factory=dict)
    site_key: str | None = None  # public, of a site that a test paired by itself
    cables: dict[str, wire.Standing] = field(default_factory=dict)
    visits: list[wire.Visit] = field(default_factory=list)
    visit_refusal: web.Response | None = None
    registered: list[dict[str, Any]] = field(default_factory=list)
    stolen: list[str] = field(default_factory=list)
    clock_ahead_ms: int = 0
    secrets: int = 0

    @property
    def key(self) -> SiteKey:
        """Return the cloud's own key; it signs as a site's does."""
        return SiteKey(self.private.private_bytes_raw())

    def app(self) -> web.Application:
        """Return the web application."""
        app = web.Application(middlewares=[self._gate])
        app.router.add_post("/v1/token", self._token)
        app.router.add_post("/v1/sites", self._pair)
        app.router.add_get("/v1/sites/{site}/settings", self._settings)
        app.router.add_get("/v1/sites/{site}/head", self._head)
        app.router.add_put("/v1/sites/{site}/tree", self._tree)
        app.router.add_post("/v1/batches", self._batch)
        app.router.add_get("/v1/sites/{site}/notices", self._list_notices)
        app.router.add_post("/v1/sites/{site}/notices/{notice}/ack", self._ack)
        app.router.add_get("/v1/sites/{site}/ws", self._listen)
        app.router.add_post("/v1/sites/{site}/visits", self._visit)
        app.router.add_get("/v1/sites/{site}/cables/{cable}", self._standing)
        app.router.add_post("/v1/sites/{site}/cables", self._register)
        app.router.add_post("/v1/sites/{site}/cables/{cable}/stolen", self._stolen)
        app.router.add_get("/v1/sites/{site}/{document}", self._document)
        app.on_shutdown.append(self._hang_up)
        return app

    async def _hang_up(self, _: web.Application) -> None:
        for socket in list(self.sockets):
            await socket.close()

    @web.middleware
    async def _gate(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        if self.refusal is not None:
            return copied(self.refusal)
        if not self.authorised and request.path != "/v1/sites":
            return problem(401, "not-authorised", "unknown client")
        return await handler(request)

    async def _token(self, _: web.Request) -> web.Response:
        return web.json_response({"access_token": "t", "token_type": "Bearer", "expires_in": 600})

    async def _pair(self, request: web.Request) -> web.Response:
        raw = await request.read()
        asked = wire.parse_pairing_request(raw)
        verify_detached(asked.public_key, request.headers[wire.SIGNATURE_HEADER], raw)
        if asked.code != self.code:
            return problem(403, "pairing-code-refused", "wrong code")
        self.pairings.append(asked)
        self.authorised = True
        self.secrets += 1
        paired = wire.Paired(self.site, "c", "client", f"client-secret-{self.secrets}", self.key.public_key)
        return web.Response(status=201, body=wire.to_bytes(paired))

    async def _settings(self, request: web.Request) -> web.Response:
        site = request.match_info["site"]
        settings = wire.Settings(
            site,
            "c",
            "Community",
            self.interval_seconds,
            1,
            "anna",
            self.owners,
            self.currency,
            self.points_per_unit,
        )
        return self._signed(settings)

    async def _document(self, request: web.Request) -> web.Response:
        """Sign what a test has put into `documents`, by its name in the path; it is given the query."""
        made = self.documents.get(request.match_info["document"])
        if made is None:
            return problem(404, "not-found", "nothing is served at this path")
        return self._signed(made(request.query))

    async def _visit(self, request: web.Request) -> web.Response:
        raw = await request.read()
        asked = wire.parse_visit(raw)
        if self.visit_refusal is not None:
            return copied(self.visit_refusal)
        assert self.site_key is not None
        verify_detached(self.site_key, request.headers[wire.SIGNATURE_HEADER], raw)
        self.visits.append(asked)
        return self._signed(self.cables.get(asked.cable, standing(asked.cable, "denied", "unknown-cable")))

    async def _standing(self, request: web.Request) -> web.Response:
        if (told := self.cables.get(request.match_info["cable"])) is None:
            return problem(404, "not-found", "no such cable has been plugged in here")
        return self._signed(told)

    async def _register(self, request: web.Request) -> web.Response:
        self.registered.append(await request.json())
        return self._signed({"state": "active"}, 201)

    async def _stolen(self, request: web.Request) -> web.Response:
        self.stolen.append(request.match_info["cable"])
        return self._signed(
            {"cable": self.stolen[-1], "state": "stolen", "since": "2026-11-21T05:00:00Z", "owner": "anna"}
        )

    async def _head(self, request: web.Request) -> web.Response:
        if not self.batches:
            return self._signed(wire.Head(request.match_info["site"], 0, 0, wire.GENESIS))
        last = self.batches[-1]
        return self._signed(wire.Head(last.site, last.epoch, last.seq, wire.digest(wire.to_bytes(last))))

    async def _tree(self, request: web.Request) -> web.Response:
        raw = await request.read()
        if self.tree_refusal is not None:
            return copied(self.tree_refusal)
        tree = wire.parse_tree(raw)
        if unknown := {tap.owner for tap in tree.taps.values()} - self.owners.keys():
            return problem(422, "unknown-owner", f"nobody knows {sorted(unknown)}")
        self.trees.append(tree)
        return self._signed(wire.TreeAnswer(tree.site, tree.rev, wire.digest(raw), "created"), 201)

    async def _batch(self, request: web.Request) -> web.Response:
        raw = await request.read()
        if self.batch_refusal is not None:
            return copied(self.batch_refusal)
        batch = wire.parse_batch(raw)
        self.batches.append(batch)
        now_ms = time.time_ns() // 1_000_000 + self.clock_ahead_ms
        echo_ms = int(request.headers[wire.SENT_HEADER])
        answer = wire.Answer(
            batch.site, batch.epoch, batch.seq, wire.digest(raw), "created", batch.seq, now_ms, now_ms, echo_ms
        )
        return self._signed(answer, 201)

    async def _list_notices(self, _: web.Request) -> web.Response:
        return web.json_response({"notices": list(self.notices.values())})

    async def _ack(self, request: web.Request) -> web.Response:
        self.notices.pop(request.match_info["notice"], None)
        return web.Response(status=204)

    async def _listen(self, request: web.Request) -> web.StreamResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        self.sockets.append(socket)
        for token in self.notices.values():
            await socket.send_str(token)
        async for message in socket:
            self.notices.pop(message.json()["ack"], None)
        self.sockets.remove(socket)
        return socket

    async def tell(self, notice_id: str, kind: str, body: Mapping[str, Any]) -> None:
        """Push a notice to the site, signed; it stays until it is acknowledged."""
        now = int(time.time())
        payload = wire.to_bytes(wire.Notice(notice_id, self.site, kind, now, now + 3600, body))
        signed = f"{wire.compact_header(self.key.kid)}.{wire.base64url(payload)}"
        self.notices[notice_id] = f"{signed}.{wire.base64url(self.private.sign(signed.encode()))}"
        for socket in self.sockets:
            await socket.send_str(self.notices[notice_id])

    def _signed(self, message: object, status: int = 200) -> web.Response:
        raw = wire.to_bytes(message)
        return web.Response(status=status, body=raw, headers={wire.SIGNATURE_HEADER: self.key.sign(raw)})


def standing(
    cable: str, permission: wire.Permission = "allowed", cause: wire.Cause = "none", **more: Any
) -> wire.Standing:
    """Return what a cable may do at this cloud's site."""
    told: dict[str, Any] = {"since": 1_795_237_200, "soc_floor_percent": 30}
    told |= {"tolerance_wh": 100, "tolerance_percent": 10} | more
    return wire.Standing(cable, SITE, permission, cause, **told)


def copied(response: web.Response) -> web.Response:
    """Return a response anew: one can be sent only once."""
    return web.Response(status=response.status, body=response.body, headers=dict(response.headers))


def problem(status: int, kind: str, detail: str, **headers: str) -> web.Response:
    """Return a problem as RFC 9457 has it."""
    body = {"type": f"https://commonwatt.org/problems/{kind}", "title": kind, "status": status, "detail": detail}
    named = {name.replace("_", "-"): header for name, header in headers.items()}
    return web.json_response(body, status=status, content_type="application/problem+json", headers=named)


async def serve(cloud: FakeCloud) -> TestServer:
    """Listen on a free port of the loopback."""
    server = TestServer(cloud.app())
    await server.start_server(access_log=None)
    cloud.url = str(server.make_url("")).rstrip("/")
    return server
