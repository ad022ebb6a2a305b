"""The mirror's way to the cloud: asks for tokens, pages of the ledger and roots, and brings its own signatures."""

import asyncio
from base64 import b64encode
from collections.abc import Callable, Mapping
from functools import partial
import json
from typing import Any
from urllib.parse import quote

import aiohttp

from cloud.errors import Unavailable
from cloud.wire import WireError, time_text, to_bytes
from cloud.wire.strict import take, text, whole

from .copy import Page, page_of

ANSWER_BYTES_MAX = 64 * 1024 * 1024  # one entry's document may be larger than a usual answer, never than this
TIMEOUT = aiohttp.ClientTimeout(total=60)
TOKEN_SPARE_S = 30
ROOTS_MAX = 200
ENTRIES_PAGE = 200


class CloudReader:
    """Reads one community of one cloud with a client of scope `upper`, `manager` or `operator`."""

    def __init__(self, session: aiohttp.ClientSession, url: str, community: str, client: tuple[str, str]) -> None:
        """Take an open session, the cloud's address and the client's id and secret."""
        self._session = session
        self._url = url.rstrip("/")
        self._path = f"/v1/communities/{quote(community, safe='')}"
        self._community = community
        self._credentials = b64encode(":".join(quote(part, safe="") for part in client).encode()).decode()
        self._token = ""
        self._token_ends = 0.0

    async def entries(self, after: int) -> Page:
        """Return the entries numbered above one, as many as the cloud gives at once."""
        data = await self._ask("GET", f"{self._path}/ledger?after={after}&limit={ENTRIES_PAGE}")
        return _understood(lambda: page_of(self._community, data))

    async def roots(self) -> tuple[str, list[str]]:
        """Return the public key that the cloud says it signs with, and every root it publishes, in order."""
        found: list[str] = []
        after = ""
        while True:
            data = await self._ask("GET", f"{self._path}/roots?limit={ROOTS_MAX}{after}")
            key, page = _understood(partial(_roots, data))
            found += page
            if data.get("next") is None:
                return key, found
            after = f"&after={quote(str(data['next']), safe='')}"

    async def countersign(self, day: int, public_key: str, signed: str) -> None:
        """Bring our signature under a root."""
        path = f"{self._path}/roots/{time_text(day)}/signatures"
        await self._ask("POST", path, to_bytes({"public_key": public_key, "signed": signed}))

    async def _ask(self, method: str, path: str, raw: bytes | None = None) -> dict[str, Any]:
        if asyncio.get_running_loop().time() >= self._token_ends:
            await self._fetch_token()
        headers = {"Authorization": f"Bearer {self._token}", "Content-Type": "application/json"}
        return await self._exchange(method, path, raw, headers)

    async def _fetch_token(self) -> None:
        headers = {
            "Authorization": f"Basic {self._credentials}",
            "Content-Type": "application/x-www-form-urlencoded",
        }
        data = await self._exchange("POST", "/v1/token", b"grant_type=client_credentials", headers)
        self._token = _understood(lambda: text(data, "access_token", "token", 4096))
        seconds = _understood(lambda: whole(data.get("expires_in"), "token.expires_in", 1))
        self._token_ends = asyncio.get_running_loop().time() + seconds - TOKEN_SPARE_S

    async def _exchange(self, method: str, path: str, raw: bytes | None, headers: Mapping[str, str]) -> dict[str, Any]:
        try:
            async with self._session.request(
                method, self._url + path, data=raw, headers=headers, timeout=TIMEOUT, allow_redirects=False
            ) as response:
                body = await response.content.read(ANSWER_BYTES_MAX + 1)
                while len(body) <= ANSWER_BYTES_MAX and (chunk := await response.content.read(ANSWER_BYTES_MAX)):
                    body += chunk
                status = response.status
        except (aiohttp.ClientError, TimeoutError) as error:
            raise Unavailable(f"the cloud cannot be reached: {error or type(error).__name__}") from error
        if len(body) > ANSWER_BYTES_MAX:
            raise Unavailable(f"an answer is larger than {ANSWER_BYTES_MAX} bytes")
        data = _plain(body)
        if status >= 300:
            raise Unavailable(f"the cloud answers {status}: {data.get('detail') or data.get('title') or 'no reason'}")
        return data


def _plain(body: bytes) -> dict[str, Any]:
    try:
        data = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise Unavailable(f"the cloud answers no JSON: {type(error).__name__}") from None
    if not isinstance(data, dict):
        raise Unavailable("the cloud answers no JSON object")
    return data


def _roots(data: Mapping[str, Any]) -> tuple[str, list[str]]:
    page = take(data, "roots", "roots")
    if not isinstance(page, list) or not all(isinstance(item, dict) for item in page):
        raise WireError("roots", "is not a list of roots")
    return text(data, "cloud_key", "roots", 64), [text(item, "signed", "roots", 4096) for item in page]


def _understood[T](read: Callable[[], T]) -> T:
    try:
        return read()
    except WireError as error:
        raise Unavailable(f"the cloud answers in words not known here: {error}") from None
