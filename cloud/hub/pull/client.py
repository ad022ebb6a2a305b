"""Calls makers' clouds: only where this cloud may call, redirects judged again, bytes, seconds and requests bounded."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

import aiohttp
from yarl import URL

from cloud.outbound import WHY, connector, fault_of
from cloud.wire import BODY_BYTES_MAX

from .driver import Answer, PullFailed
from .headers import date_ms, decoded, onward, retry_after

ANSWER_BYTES_MAX = BODY_BYTES_MAX  # what the hub takes as one message; more is asked for in pages or shorter spans
ROUND_BYTES_MAX = 64 * 1024 * 1024
REQUESTS_MAX = 500  # of one round
ASK_SECONDS_MAX = 30
CONNECT_SECONDS_MAX = 10
REDIRECTS_MAX = 3
WAIT_SECONDS_MAX = 5  # what a server asks for and is waited for within a round; longer ends the round
WAITS_MAX = 3
URL_LETTERS_MAX = 8000  # with a maker's cursor in it
CALLS_AT_ONCE = 128
CALLS_AT_ONCE_PER_HOST = 8
AGENT = "commonwatt"
ACCEPT = "application/json, text/csv, */*;q=0.5"
WAIT_STATUSES = (429, 503)
REDIRECT_STATUSES = (301, 302, 303, 307, 308)


class Client:
    """One process's connections to makers' clouds; `private` lets them be in our own network, and without TLS."""

    def __init__(self, clock_ms: Callable[[], int], *, private: bool) -> None:
        """Open nothing before the first call."""
        self.private = private
        self.clock_ms = clock_ms
        self._session: aiohttp.ClientSession | None = None

    @property
    def session(self) -> aiohttp.ClientSession:
        """The session, without cookies or proxies; answers come as they were sent, and are unpacked within bounds."""
        if self._session is None:
            connections = connector(
                private=self.private, at_once=CALLS_AT_ONCE, at_once_per_host=CALLS_AT_ONCE_PER_HOST
            )
            self._session = aiohttp.ClientSession(
                connector=connections,
                cookie_jar=aiohttp.DummyCookieJar(),
                trust_env=False,
                auto_decompress=False,
                timeout=aiohttp.ClientTimeout(total=ASK_SECONDS_MAX, sock_connect=CONNECT_SECONDS_MAX),
            )
        return self._session

    async def close(self) -> None:
        """Close every connection."""
        if self._session is not None:
            await self._session.close()
            self._session = None


@dataclass(slots=True)
class Fetch:
    """Calls servers for one round; one after another, not faster than `per_minute`."""

    client: Client
    per_minute: int
    requests: int = 0
    received_bytes: int = 0
    waits: int = 0
    next_at: float = 0  # on the loop's clock

    async def __call__(
        self, method: str, url: str, *, headers: Mapping[str, str] | None = None, body: bytes | None = None
    ) -> Answer:
        """Return the answer, after redirects and the short waits a server asks for."""
        redirects = 0
        while True:
            answer = await self._once(method, url, headers or {}, body)
            wait = retry_after(answer.headers, answer.received_ms) if answer.status in WAIT_STATUSES else None
            if wait is not None and wait <= WAIT_SECONDS_MAX and self.waits < WAITS_MAX and _again(method, answer):
                self.waits += 1
                await asyncio.sleep(wait)
            elif answer.status in WAIT_STATUSES:
                raise PullFailed("asked-to-wait", f"answered {answer.status}", wait)
            elif answer.status in REDIRECT_STATUSES:
                redirects += 1
                elsewhere = _elsewhere(method, url, answer, redirects)
                if urlsplit(elsewhere)[:2] != urlsplit(url)[:2]:
                    headers = None  # what lets us in there is nobody else's business
                url = elsewhere
            else:
                return answer

    async def _once(self, method: str, url: str, headers: Mapping[str, str], body: bytes | None) -> Answer:
        if (fault := fault_of(url, private=self.client.private, letters_max=URL_LETTERS_MAX)) is not None:
            raise PullFailed("not-allowed", f"{_place(url)} is not called: {WHY[fault]}")
        await self._turn()
        named = {"User-Agent": AGENT, "Accept": ACCEPT, "Accept-Encoding": "gzip", **headers}
        try:
            async with (
                asyncio.timeout(ASK_SECONDS_MAX),
                self.client.session.request(
                    method, URL(url, encoded=True), headers=named, data=body, allow_redirects=False
                ) as response,
            ):
                received_ms = self.client.clock_ms()
                raw = await self._read(response)
                plain = {name.lower(): value for name, value in response.headers.items()}
                return Answer(response.status, plain, raw, received_ms, date_ms(plain))
        except TimeoutError:
            raise PullFailed("too-slow", f"{_place(url)} did not answer within {ASK_SECONDS_MAX} s") from None
        except (aiohttp.ClientError, OSError, ValueError) as error:
            # its text may repeat the URL, and with it a key
            raise PullFailed("unreachable", f"{_place(url)} cannot be read: {_why(error)}") from None

    async def _turn(self) -> None:
        """Wait until this source may be asked again."""
        if self.requests >= REQUESTS_MAX:
            raise PullFailed("too-many", f"more than {REQUESTS_MAX} requests in one round")
        self.requests += 1
        at = asyncio.get_running_loop().time()
        if self.next_at > at:
            await asyncio.sleep(self.next_at - at)
        self.next_at = max(at, self.next_at) + 60 / self.per_minute

    async def _read(self, response: aiohttp.ClientResponse) -> bytes:
        """Read an answer, and stop where it grows too large, packed or unpacked."""
        raw = bytearray()
        async for part in response.content.iter_any():
            raw += part
            self.received_bytes += len(part)
            if len(raw) > ANSWER_BYTES_MAX:
                raise PullFailed("too-large", f"an answer is larger than {ANSWER_BYTES_MAX} bytes")
            if self.received_bytes > ROUND_BYTES_MAX:
                raise PullFailed("too-many", f"one round answered more than {ROUND_BYTES_MAX} bytes")
        return decoded(bytes(raw), response.headers.get("Content-Encoding", ""), ANSWER_BYTES_MAX)


def _again(method: str, answer: Answer) -> bool:
    """Tell whether asking again does nothing twice: what was turned away with 429 was not done."""
    return method == "GET" or answer.status == 429


def _elsewhere(method: str, url: str, answer: Answer, redirects: int) -> str:
    if method != "GET":
        raise PullFailed("redirected", f"{_place(url)} answered {answer.status}; only GET follows")
    if redirects > REDIRECTS_MAX:
        raise PullFailed("redirected", f"more than {REDIRECTS_MAX} redirects")
    return onward(url, answer.headers.get("location", ""))


def _place(url: str) -> str:
    """Return what a person may read of a URL: not its query, which may hold a key."""
    try:
        parts = urlsplit(url)
        return f"{parts.scheme}://{parts.hostname}{parts.path}"[:200]
    except ValueError:
        return "a URL"


def _why(error: Exception) -> str:
    if isinstance(error, aiohttp.ClientConnectorError):
        return f"no connection ({error.strerror or type(error.os_error).__name__})"
    return type(error).__name__
