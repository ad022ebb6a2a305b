"""A small maker's cloud: the measured house's registers by the half hour, behind OAuth2 and pages, with bad habits.

Its clock is off, it asks callers now and then to wait, and some of its meters report late. It answers rows measured
from `from` to `to` that it has by now:

    {"data": [{"meter": "pv", "at": "2026-11-21T05:30:00Z", "import_kwh": "0.000", "export_kwh": "4533.473"}, …],
     "next": "<cursor of the next page, or null>"}
"""

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import formatdate
import json
import secrets
import signal
import time
from typing import Any

from aiohttp import BasicAuth, hdrs, web

from .house import HALF_HOUR_S, load_house
from .options import MakerOptions

CLIENT, CLIENT_SECRET = "hub", "maker-demo-secret"
FIRST_REFRESH = "maker-demo-refresh"
TOKEN_SECONDS = 60
LATE_METERS = ("freezer", "refrigerator")  # report once in two hours
LATE_SECONDS = 7200
WAIT_EVERY = 7  # each so manieth page is asked for too soon, the maker says
FORMAT: dict[str, Any] = {
    "name": "Demo maker",
    "find": [{"path": "data[0].import_kwh"}],
    "parse": {"kind": "json", "rows": "data"},
    "device": {"path": "meter"},
    "time": {"path": "at"},
    "values": [
        {"quantity": "import_register", "path": "import_kwh", "unit": "kWh"},
        {"quantity": "export_register", "path": "export_kwh", "unit": "kWh"},
    ],
}


@dataclass(frozen=True, slots=True)
class Row:
    """What a meter's registers (Wh) were, when (seconds since 1970), and since when its maker knows."""

    meter: str
    at: int
    import_wh: int
    export_wh: int
    known_at: int

    def plain(self) -> dict[str, str]:
        """Return it as the maker says it."""
        at = datetime.fromtimestamp(self.at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        return {"meter": self.meter, "at": at, "import_kwh": kwh(self.import_wh), "export_kwh": kwh(self.export_wh)}


def kwh(watt_hours: int) -> str:
    """Return Wh as a text in kWh."""
    return f"{watt_hours // 1000}.{watt_hours % 1000:03}"


def rows(begins_at: int) -> list[Row]:
    """Return every register of the house at every half hour from `begins_at` on, in order of time."""
    return sorted(_rows(begins_at), key=lambda row: (row.at, row.meter))


def _rows(begins_at: int) -> Iterator[Row]:
    for meter, registers in load_house().items():
        both = zip(registers.import_wh.boundaries_wh, registers.export_wh.boundaries_wh, strict=True)
        for number, (import_wh, export_wh) in enumerate(both):
            at = begins_at + number * HALF_HOUR_S
            known_at = (at // LATE_SECONDS + 1) * LATE_SECONDS if meter in LATE_METERS else at
            yield Row(meter, at, import_wh, export_wh, known_at)


@dataclass(slots=True)
class Maker:
    """The maker's cloud: its data, its clock, and the tokens it gave."""

    begins_at: int
    clock: Callable[[], float] = time.time
    offset_seconds: int = 4
    page: int = 100
    bursts: bool = True  # whether it asks callers to wait
    data: list[Row] = field(default_factory=list)
    tokens: dict[str, float] = field(default_factory=dict)
    refresh: str = FIRST_REFRESH
    pages: int = 0

    def __post_init__(self) -> None:
        self.data = rows(self.begins_at)

    @property
    def now(self) -> float:
        """Return its own clock."""
        return self.clock() + self.offset_seconds

    def app(self) -> web.Application:
        """Return it as a server."""
        app = web.Application()
        app.router.add_post("/oauth/token", self.grant)
        app.router.add_get("/v2/measurements", self.measurements)
        app.on_response_prepare.append(self._dated)
        return app

    async def _dated(self, _: web.Request, response: web.StreamResponse) -> None:
        response.headers[hdrs.DATE] = formatdate(self.now, usegmt=True)

    async def grant(self, request: web.Request) -> web.Response:
        """Give a token for the client's secret, or for the refresh token, which is another from then on."""
        form = await request.post()
        if not self._is_client(request, form.get("client_id"), form.get("client_secret")):
            return web.json_response({"error": "invalid_client"}, status=401)
        given: dict[str, Any] = {}
        if form.get("grant_type") == "refresh_token":
            if form.get("refresh_token") != self.refresh:
                return web.json_response({"error": "invalid_grant"}, status=400)
            self.refresh = given["refresh_token"] = secrets.token_urlsafe(24)
        token = secrets.token_urlsafe(24)
        self.tokens = {token: self.now + TOKEN_SECONDS, **self.tokens}
        given |= {"access_token": token, "token_type": "Bearer", "expires_in": TOKEN_SECONDS}
        return web.json_response(given)

    @staticmethod
    def _is_client(request: web.Request, client: object, secret: object) -> bool:
        if header := request.headers.get(hdrs.AUTHORIZATION):
            shown = BasicAuth.decode(header)
            client, secret = shown.login, shown.password
        return (client, secret) == (CLIENT, CLIENT_SECRET)

    async def measurements(self, request: web.Request) -> web.Response:
        """Answer a page of what it knows of a span of time."""
        token = request.headers.get(hdrs.AUTHORIZATION, "").removeprefix("Bearer ")
        if self.tokens.get(token, 0) < self.now:
            return web.json_response({"error": "invalid_token"}, status=401)
        self.pages += 1
        if self.bursts and self.pages % WAIT_EVERY == 0:
            return web.json_response({"error": "too_many"}, status=429, headers={hdrs.RETRY_AFTER: "1"})
        try:
            begin, end = (_seconds(request.query[name]) for name in ("from", "to"))
            start = int(request.query.get("cursor", "0"))
        except KeyError, ValueError:
            return web.json_response({"error": "bad_request"}, status=400)
        known = [row for row in self.data if begin <= row.at < end and row.known_at <= self.now]
        more = start + self.page < len(known)
        data = [row.plain() for row in known[start : start + self.page]]
        return web.json_response({"data": data, "next": str(start + self.page) if more else None})


def _seconds(text: str) -> int:
    return int(datetime.fromisoformat(text).timestamp())


def source(url: str, auth: str = "client_credentials") -> dict[str, Any]:
    """Return what an operator tells a hub to read this maker's cloud."""
    description = {
        "url": f"{url}/v2/measurements",
        "query": {"from": "{since}", "to": "{until}", "cursor": "{cursor}"},
        "auth": {"kind": auth, "token_url": f"{url}/oauth/token", "client_id": CLIENT},
        "paging": {"kind": "cursor", "next": "next"},
        "first_seconds": 2 * 86_400,
        "overlap_seconds": 2 * LATE_SECONDS,
        "format": "demo-maker",
        "per_minute": 600,
    }
    known = {"client_secret": CLIENT_SECRET}
    return {
        "name": "Demo maker",
        "driver": "rest",
        "description": description,
        "every_seconds": 900,
        "secrets": known | ({"refresh_token": FIRST_REFRESH} if auth == "refresh_token" else {}),
        "new_devices": "meter",
    }


async def serve_maker(options: MakerOptions) -> int:
    """Serve until SIGINT or SIGTERM; say in one line of JSON where, and what a hub is told to read it."""
    begins_at = options.begins_at or int(time.time()) // HALF_HOUR_S * HALF_HOUR_S - 2 * 86_400
    maker = Maker(begins_at, offset_seconds=options.offset_seconds, page=options.page)
    ended = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, ended.set)
    runner = web.AppRunner(maker.app(), access_log=None)
    await runner.setup()
    server = web.TCPSite(runner, "127.0.0.1", options.port)
    await server.start()
    host, port = runner.addresses[0][:2]
    url = f"http://{host}:{port}"
    said = {"url": url, "begins_at": begins_at, "format": FORMAT, "source": source(url, options.auth)}
    print(json.dumps(said), flush=True)
    await ended.wait()
    await runner.cleanup()
    return 0
