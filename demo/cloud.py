"""The cloud as its operator sees it: a client of its public HTTP interface."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
import time
from typing import Any

import aiohttp

from .errors import RefusedError
from .progress import until

START_S = 60
TOKEN_MARGIN_S = 60  # a token is renewed this long before it expires
PAGE = 100
REQUEST = aiohttp.ClientTimeout(total=30)


@dataclass(frozen=True, slots=True)
class Interval:
    """One ended interval of the community: settled, or why not; the sites it lacks; the grid's net in Wh.

    The grid's net is negative where it supplied.
    """

    start: int
    settled: bool
    reason: str | None
    lacks: tuple[str, ...]
    grid_wh: int


@dataclass(frozen=True, slots=True)
class Line:
    """An owner's interval: net energy in Wh (positive is use) as local and grid share, and the points it earned."""

    start: int
    seconds: int
    net_wh: int
    local_wh: int
    grid_wh: int
    points_micro: int
    quality: str


@dataclass(frozen=True, slots=True)
class Movement:
    """Points that moved beside energy, and why; earned is positive."""

    kind: str
    points_micro: int


@dataclass(frozen=True, slots=True)
class Statement:
    """What an owner reads for a time: the lines, what moved beside them, and the balance before and after."""

    lines: tuple[Line, ...]
    opening_micro: int
    closing_micro: int
    movements: tuple[Movement, ...] = ()

    def moved_micro(self, kind: str) -> int:
        """Return what movements of a kind come to."""
        return sum(movement.points_micro for movement in self.movements if movement.kind == kind)


def time_text(seconds: int) -> str:
    """Return seconds since 1970 as UTC text."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def seconds_of(text: str) -> int:
    """Return UTC text as seconds since 1970."""
    return int(datetime.fromisoformat(text).timestamp())


class Operator:
    """The operator's session with the cloud, in one community."""

    def __init__(self, session: aiohttp.ClientSession, url: str, client: tuple[str, str], community: str) -> None:
        self._session = session
        self._url = url
        self._sign_in_headers = {"Authorization": aiohttp.encode_basic_auth(*client)}
        self._path = f"/v1/communities/{community}"
        self._token = ""
        self._token_until = 0.0

    async def put(self, path: str, body: Mapping[str, object]) -> None:
        """Create something in the community, or change it; "" is the community itself."""
        await self._call("PUT", self._path + path, json=body)

    async def ask(self, method: str, path: str, **request: Any) -> Any:
        """Ask for a path of the whole cloud; return the answer."""
        return await self._call(method, path, **request)

    async def post(self, path: str, body: Mapping[str, object]) -> Any:
        """Do something in the community; return the answer."""
        return await self._call("POST", self._path + path, json=body)

    async def get(self, path: str, **query: str) -> Any:
        """Return what there is at a path of the community."""
        return await self._call("GET", self._path + path, params=query)

    async def pairing_code(self, main_owner: str, time_scale: int) -> str:
        """Return a fresh one-time code for a site."""
        body = {"main_owner": main_owner, "time_scale": time_scale}
        code: str = (await self._call("POST", f"{self._path}/pairing-codes", json=body))["code"]
        return code

    async def intervals(self, after: int) -> list[Interval]:
        """Return the intervals that start after this one, oldest first."""
        query = {"after": time_text(after), "limit": str(PAGE)}
        answer = await self._call("GET", f"{self._path}/settlements", params=query)
        return [
            Interval(
                start=seconds_of(item["start"]),
                settled=item["state"] == "settled",
                reason=item["reason"],
                lacks=tuple(item["waiting_for"] or item["settled_without"]),
                grid_wh=item["grid_wh"] or 0,
            )
            for item in answer["intervals"]
        ]

    async def statement(self, owner: str, start: int, end: int) -> Statement:
        """Return an owner's statement from `start` to `end`."""
        query = {"from": time_text(start), "to": time_text(end)}
        answer = await self._call("GET", f"{self._path}/owners/{owner}/statement", params=query)
        lines = [
            Line(**{name: line[name] for name in Line.__slots__} | {"start": seconds_of(line["start"])})
            for line in answer["lines"]
        ]
        movements = tuple(Movement(item["kind"], item["points_micro"]) for item in answer["movements"])
        return Statement(tuple(lines), answer["opening_micro"], answer["closing_micro"], movements)

    async def statement_link(self, owner: str) -> str:
        """Return a link that shows an owner's statement in a browser for an hour."""
        answer = await self._call("POST", f"{self._path}/owners/{owner}/statement/links", json={})
        link: str = answer["url"]
        return link

    async def proof(self) -> dict[str, int]:
        """Return the cloud's own sums over everything it keeps for the community."""
        sums: dict[str, int] = await self._call("GET", f"{self._path}/proof")
        return sums

    async def _call(self, method: str, path: str, **request: Any) -> Any:
        if time.monotonic() > self._token_until:
            await self._sign_in()
        headers = {"Authorization": f"Bearer {self._token}"}
        return await _answer(
            self._session.request(method, self._url + path, headers=headers, timeout=REQUEST, **request)
        )

    async def _sign_in(self) -> None:
        form = {"grant_type": "client_credentials"}
        request = self._session.post(f"{self._url}/v1/token", data=form, headers=self._sign_in_headers, timeout=REQUEST)
        token = await _answer(request)
        self._token = token["access_token"]
        self._token_until = time.monotonic() + token["expires_in"] - TOKEN_MARGIN_S


async def wait_healthy(session: aiohttp.ClientSession, url: str) -> None:
    """Wait until the cloud and its database answer."""

    async def healthy() -> bool:
        try:
            async with session.get(f"{url}/healthz", timeout=REQUEST) as answer:
                return answer.ok
        except aiohttp.ClientConnectionError:
            return False

    await until(healthy, START_S, "the cloud does not answer")


async def _answer(request: Any) -> Any:
    async with request as answer:
        content = await answer.json(content_type=None)
        if answer.status >= 400:
            raise RefusedError(f"the cloud refused {answer.method} {answer.url.path}: {content}")
        return content
