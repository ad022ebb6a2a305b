"""The cloud as the site sees it: requests with a timeout, bounded answers, and nothing believed unsigned."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
import time
from typing import Any

import aiohttp

from ..errors import BadSignature, CloudUnreachable, NotAuthorised
from ..wire import (
    SENT_HEADER,
    SIGNATURE_HEADER,
    Answer,
    Head,
    Paired,
    PairingRequest,
    Settings,
    Tree,
    TreeAnswer,
    WireError,
    digest,
    parse_answer,
    parse_head,
    parse_paired,
    parse_settings,
    parse_tree_answer,
    to_bytes,
)
from ..wire.strict import load, text, whole
from .exchange import Reply, exchange, socket_failure
from .kept import KeptTree, SealedBatch
from .signing import SiteKey, verify_detached

TOKEN_SPARE_S = 30  # a token this close to its end is not used any more
TOKEN_SECONDS_MAX = 86_400
TOKEN_TEXT_MAX = 4096
NOTICES_MAX = 100
NOTICE_BYTES_MAX = 256 * 1024
HEARTBEAT_S = 30
CONNECT_S = 30
FAREWELL_S = 1  # how long closing a socket may take: ending the program does not wait for a network


async def pair(
    session: aiohttp.ClientSession,
    url: str,
    key: SiteKey,
    *,
    code: str,
    name: str,
    time_zone: str,
    latitude_e6: int | None = None,
    longitude_e6: int | None = None,
) -> Paired:
    """Join a community with a one-time code; raises CloudRefused or CloudUnreachable."""
    raw = to_bytes(PairingRequest(code, name, time_zone, key.public_key, latitude_e6, longitude_e6))
    headers = {"Content-Type": "application/json", SIGNATURE_HEADER: key.sign(raw)}
    reply = await exchange(session, "POST", f"{url.rstrip('/')}/v1/sites", data=raw, headers=headers)
    return _understood(parse_paired, reply.accepted().body)


class NoticeSocket:
    """An open WebSocket: notices come as they are issued, and are acknowledged on it."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket = socket

    async def __aiter__(self) -> AsyncIterator[str]:
        """Yield compact JWS until the socket closes."""
        async for message in self._socket:
            if message.type is aiohttp.WSMsgType.TEXT:
                yield message.data

    async def acknowledge(self, notice_id: str) -> None:
        """Tell the cloud that this notice need not come again."""
        try:
            await self._socket.send_str(to_bytes({"ack": notice_id}).decode())
        except aiohttp.ClientError as error:
            raise CloudUnreachable(f"the socket closed: {error}") from error


class CloudClient:
    """One site's conversation with its cloud. Raises CloudUnreachable, CloudRefused, NotAuthorised, BadSignature."""

    def __init__(
        self,
        session: aiohttp.ClientSession,
        url: str,
        *,
        key: SiteKey,
        site: str,
        client_id: str,
        client_secret: str,
        cloud_key: str,
    ) -> None:
        self.key = key
        self.site = site
        self.cloud_key = cloud_key
        self.clock_offset_ms: int | None = None  # the cloud's clock minus ours, by the last answer to a batch
        self._session = session
        self._url = url.rstrip("/")
        self._credentials = aiohttp.encode_basic_auth(client_id, client_secret)
        self._token: str | None = None
        self._token_ends = 0.0
        self._fetching = asyncio.Lock()

    async def settings(self) -> Settings:
        """Fetch what the cloud decides for this site."""
        settings = self._signed(parse_settings, await self._ask("GET", f"/v1/sites/{self.site}/settings"))
        self._check(settings.site == self.site, "settings")
        return settings

    async def head(self) -> Head:
        """Fetch where this site's chain stands at the cloud."""
        head = self._signed(parse_head, await self._ask("GET", f"/v1/sites/{self.site}/head"))
        self._check(head.site == self.site, "a head")
        return head

    async def put_tree(self, tree: KeptTree) -> TreeAnswer:
        """Bring a revision of the tap tree, signed."""
        raw = to_bytes(Tree(self.site, tree.rev, tree.valid_from, tree.taps))
        reply = await self._ask("PUT", f"/v1/sites/{self.site}/tree", raw, {SIGNATURE_HEADER: self.key.sign(raw)})
        answer = self._signed(parse_tree_answer, reply)
        self._check((answer.site, answer.rev, answer.hash) == (self.site, tree.rev, digest(raw)), "an answer to a tree")
        return answer

    async def send(self, batch: SealedBatch) -> Answer:
        """Bring a batch; the answer is signed and bound to its bytes. Compares the clocks on the way."""
        sent_ms = _now_ms()
        headers = {SIGNATURE_HEADER: batch.signature, SENT_HEADER: str(sent_ms)}
        answer = self._signed(parse_answer, await self._ask("POST", "/v1/batches", batch.raw, headers))
        about = (answer.site, answer.epoch, answer.seq, answer.hash)
        self._check(about == (self.site, batch.epoch, batch.seq, batch.hash), "an answer to a batch")
        if answer.echo_ms == sent_ms:
            self.clock_offset_ms = ((answer.received_ms - sent_ms) + (answer.sent_ms - _now_ms())) // 2
        return answer

    @asynccontextmanager
    async def socket(self) -> AsyncIterator[NoticeSocket]:
        """Open the WebSocket for notices."""
        token = await self._bearer()
        socket = await self._connect(token)
        if socket is None:
            socket = await self._connect(await self._bearer(refused=token))
        if socket is None:
            # a handshake's answer has no words to tell whose 401 it is: the polling that follows finds out
            raise CloudUnreachable("the socket does not open with a fresh token")
        async with socket:
            yield NoticeSocket(socket)

    async def notices(self) -> list[str]:
        """Fetch the notices not acknowledged yet, oldest first, as compact JWS; each is verified by who reads it."""
        reply = await self._ask("GET", f"/v1/sites/{self.site}/notices")
        return _understood(_parse_notices, reply.body)

    async def acknowledge(self, notice_id: str) -> None:
        """Tell the cloud that this notice need not come again."""
        await self._ask("POST", f"/v1/sites/{self.site}/notices/{notice_id}/ack")

    async def get_signed(self, path: str) -> tuple[bytes, str]:
        """Fetch what the cloud signed: the raw bytes and its signature over them, verified."""
        reply = await self._ask("GET", path)
        return self._signed(lambda raw: raw, reply), reply.signature or ""

    async def ask_signed(self, method: str, path: str, raw: bytes) -> bytes:
        """Ask with the site's signature over `raw`; return the answer's bytes, which the cloud signed."""
        return self._signed(lambda raw: raw, await self._ask(method, path, raw, {SIGNATURE_HEADER: self.key.sign(raw)}))

    async def post(self, path: str, body: Mapping[str, Any], *, method: str = "POST") -> bytes:
        """Ask the cloud to do something; return its answer's bytes. A no of the cloud's is CloudRefused."""
        return (await self._ask(method, path, to_bytes(dict(body)))).body

    async def _ask(
        self, method: str, path: str, raw: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> Reply:
        """Make a request with a token; one that is refused is fetched anew once."""
        token = await self._bearer()
        reply = await self._with_token(token, method, path, raw, headers or {})
        if reply.status == 401:
            token = await self._bearer(refused=token)
            reply = await self._with_token(token, method, path, raw, headers or {})
        if _shut_out(reply):
            raise NotAuthorised(reply.status, reply.problem_type, reply.detail)
        return reply.accepted()

    async def _with_token(
        self, token: str, method: str, path: str, raw: bytes | None, headers: Mapping[str, str]
    ) -> Reply:
        headers = {**headers, "Authorization": f"Bearer {token}"}
        if raw is not None:
            headers["Content-Type"] = "application/json"
        return await exchange(self._session, method, f"{self._url}{path}", data=raw, headers=headers)

    async def _bearer(self, refused: str | None = None) -> str:
        """Return a token that holds; `refused` is one that the cloud no longer takes."""
        async with self._fetching:
            if self._token is None or self._token == refused or time.monotonic() >= self._token_ends:
                self._token, seconds = await self._fetch_token()
                self._token_ends = time.monotonic() + seconds - TOKEN_SPARE_S
            return self._token

    async def _fetch_token(self) -> tuple[str, int]:
        headers = {"Authorization": self._credentials, "Content-Type": "application/x-www-form-urlencoded"}
        form = b"grant_type=client_credentials"
        reply = await exchange(self._session, "POST", f"{self._url}/v1/token", data=form, headers=headers)
        if _shut_out(reply) or reply.oauth_error == "invalid_client":
            raise NotAuthorised(reply.status, reply.problem_type, reply.detail)
        return _understood(_parse_token, reply.accepted().body)

    async def _connect(self, token: str) -> aiohttp.ClientWebSocketResponse | None:
        """Return an open socket; None if the token is refused."""
        try:
            async with asyncio.timeout(CONNECT_S):
                return await self._session.ws_connect(
                    f"{self._url}/v1/sites/{self.site}/ws",
                    headers={"Authorization": f"Bearer {token}"},
                    heartbeat=HEARTBEAT_S,
                    max_msg_size=NOTICE_BYTES_MAX,
                    timeout=aiohttp.ClientWSTimeout(ws_close=FAREWELL_S),
                )
        except aiohttp.WSServerHandshakeError as error:
            if error.status == 401:
                return None
            raise socket_failure(error) from error
        except (aiohttp.ClientError, TimeoutError) as error:
            raise socket_failure(error) from error

    def _signed[T](self, parse: Callable[[bytes], T], reply: Reply) -> T:
        """Return what the cloud itself said: its signature is over exactly this body."""
        if reply.signature is None:
            raise BadSignature("the answer is not signed")
        verify_detached(self.cloud_key, reply.signature, reply.body)
        return _understood(parse, reply.body)

    def _check(self, fits: bool, what: str) -> None:
        if not fits:
            raise BadSignature(f"{what} meant for something else")


def _shut_out(reply: Reply) -> bool:
    """Say whether the cloud itself shuts this site out, and not a proxy or a portal with a page of its own."""
    return reply.status in (401, 403) and reply.problem_type in ("forbidden", "not-authorised")


def _parse_notices(raw: bytes) -> list[str]:
    tokens = load(raw, "notices").get("notices")
    if not isinstance(tokens, list) or len(tokens) > NOTICES_MAX or not all(isinstance(item, str) for item in tokens):
        raise WireError("notices", f"is not a list of at most {NOTICES_MAX} texts")
    return tokens


def _parse_token(raw: bytes) -> tuple[str, int]:
    data: dict[str, Any] = load(raw, "token")
    seconds = whole(data.get("expires_in"), "token.expires_in", 1, TOKEN_SECONDS_MAX)
    return text(data, "access_token", "token", TOKEN_TEXT_MAX), seconds


def _understood[T](parse: Callable[[bytes], T], raw: bytes) -> T:
    try:
        return parse(raw)
    except WireError as error:
        raise CloudUnreachable(f"it answers in words not known here: {error}") from error


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
