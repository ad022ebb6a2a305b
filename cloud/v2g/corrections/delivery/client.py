"""Sends a delivery to a provider: no redirects, bounded in time, and only to addresses that may be sent to."""

import asyncio

import aiohttp

from cloud.outbound import WHY, connector, fault_of

from .signed import SIGNATURE_HEADER

SEND_SECONDS = 10
PROBLEM_LETTERS_MAX = 200
AGENT = "commonwatt"


class Sender:
    """One process's connections to providers; `private` lets them be in our own network, and without TLS."""

    def __init__(self, *, private: bool) -> None:
        """Open nothing before the first delivery."""
        self._private = private
        self._session: aiohttp.ClientSession | None = None

    async def send(self, url: str, raw: bytes, signature: str) -> str | None:
        """Deliver raw bytes; return what went wrong, None where the provider has answered 2xx."""
        if (fault := fault_of(url, private=self._private)) is not None:
            return WHY[fault]
        headers = {"Content-Type": "application/json", SIGNATURE_HEADER: signature, "User-Agent": AGENT}
        try:
            async with (
                asyncio.timeout(SEND_SECONDS),
                self._opened().post(url, data=raw, headers=headers, allow_redirects=False) as response,
            ):
                status = response.status
        except TimeoutError:
            return f"no answer within {SEND_SECONDS} s"
        except (aiohttp.ClientError, OSError, ValueError) as error:
            return f"{type(error).__name__}: {error}"[:PROBLEM_LETTERS_MAX]
        return None if 200 <= status < 300 else f"answered {status}"

    def _opened(self) -> aiohttp.ClientSession:
        if self._session is None:
            connections = connector(private=self._private, at_once=20, at_once_per_host=2)
            # answers are not read, so none can be too large; cookies and proxies are nobody's business here
            self._session = aiohttp.ClientSession(
                connector=connections, cookie_jar=aiohttp.DummyCookieJar(), trust_env=False
            )
        return self._session

    async def close(self) -> None:
        """Close every connection."""
        if self._session is not None:
            await self._session.close()
            self._session = None
