"""One HTTP exchange with the cloud: bounded in time and size, and its refusals read as problems (RFC 9457)."""

from collections.abc import Mapping
from dataclasses import dataclass
import json
from typing import Any

import aiohttp

from ..errors import CloudRefused, CloudUnreachable
from ..wire import BODY_BYTES_MAX, SIGNATURE_HEADER

TIMEOUT = aiohttp.ClientTimeout(total=30)
CHUNK_BYTES = 64 * 1024
RETRY_AFTER_S_MAX = 3600  # whoever asks for more gets us back sooner
WORDS_MAX = 500


@dataclass(frozen=True, slots=True)
class Reply:
    """What came back; `problem` are the members of a problem, empty where the body is none."""

    status: int
    body: bytes
    signature: str | None = None
    retry_after_s: float | None = None
    problem: Mapping[str, Any] | None = None

    @property
    def problem_type(self) -> str:
        """The last word of the problem's type, empty where there is none."""
        words = self._word("type").replace("#", "/").replace(":", "/")
        return words.rstrip("/").rpartition("/")[2]

    @property
    def detail(self) -> str:
        """What a person should read, with the reference under which the cloud's log has it."""
        words = self._word("detail") or self._word("title") or f"HTTP status {self.status}"
        reference = self._word("reference")
        return f"{words} (reference {reference})" if reference else words

    @property
    def oauth_error(self) -> str:
        """The error's name in OAuth 2, empty where there is none."""
        return self._word("oauth_error") or self._word("error")

    def accepted(self) -> Reply:
        """Return this reply if the cloud did what was asked; raises CloudUnreachable or CloudRefused."""
        if 200 <= self.status < 300:
            return self
        if self.status >= 500:
            raise CloudUnreachable(f"{self.status}: {self.detail}", self.retry_after_s)
        raise CloudRefused(self.status, self.problem_type, self.detail, self.retry_after_s)

    def _word(self, member: str) -> str:
        word = (self.problem or {}).get(member)
        return word[:WORDS_MAX] if isinstance(word, str) else ""


async def exchange(
    session: aiohttp.ClientSession,
    method: str,
    url: str,
    *,
    data: bytes | None = None,
    headers: Mapping[str, str],
) -> Reply:
    """Make one request and read its answer whole; a redirect is not followed, for it would take the secrets along."""
    try:
        async with session.request(
            method, url, data=data, headers=headers, timeout=TIMEOUT, allow_redirects=False
        ) as response:
            body = bytearray()
            async for chunk in response.content.iter_chunked(CHUNK_BYTES):
                body += chunk
                if len(body) > BODY_BYTES_MAX:
                    raise CloudUnreachable(f"its answer is larger than {BODY_BYTES_MAX} bytes")
            return Reply(
                status=response.status,
                body=bytes(body),
                signature=response.headers.get(SIGNATURE_HEADER),
                retry_after_s=_retry_after_s(response.headers.get("Retry-After")),
                problem=None if response.ok else _problem(bytes(body)),
            )
    except (aiohttp.ClientError, TimeoutError) as error:
        raise CloudUnreachable(_words(error)) from error


def socket_failure(error: Exception) -> CloudUnreachable:
    """Return why the WebSocket could not be had."""
    return CloudUnreachable(f"no socket: {_words(error)}")


def _words(error: Exception) -> str:
    return str(error) or type(error).__name__


def _retry_after_s(header: str | None) -> float | None:
    """Read seconds; the other form, a date, is rare and leaves us to our own pace."""
    if header is None or not header.strip().isdecimal():
        return None
    return min(float(header), RETRY_AFTER_S_MAX)


def _problem(body: bytes) -> Mapping[str, Any] | None:
    try:
        problem = json.loads(body)
    except ValueError, RecursionError:
        return None
    return problem if isinstance(problem, dict) else None
