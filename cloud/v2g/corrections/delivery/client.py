"""Sends a delivery to a provider: no redirects, bounded in time, and only to addresses that may be sent to."""

import asyncio

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.resolver import DefaultResolver

from .address import WHY, fault_of, is_global
from .signed import SIGNATURE_HEADER

SEND_SECONDS = 10
PROBLEM_LETTERS_MAX = 200
AGENT = "commonwatt"


class OpenResolver(AbstractResolver):
    """Resolves names and leaves out every address that lies in a private network."""

    def __init__(self) -> None:
        """Resolve as aiohttp does."""
        self._resolver = DefaultResolver()

    async def resolve(self, host: str, port: int = 0, family: int = 0) -> list[ResolveResult]:
        """Return the addresses of a host that lie in the open internet; none is an OSError, as for an unknown name."""
        found = await self._resolver.resolve(host, port, family)  # type: ignore[arg-type]
        allowed = [item for item in found if is_global(item["host"])]
        if not allowed:
            raise OSError(f"{host} lies in a private network")
        return allowed

    async def close(self) -> None:
        """Let go."""
        await self._resolver.close()


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
            resolver = None if self._private else OpenResolver()
            connector = aiohttp.TCPConnector(resolver=resolver, limit=20, limit_per_host=2, use_dns_cache=False)
            # answers are not read, so none can be too large; cookies and proxies are nobody's business here
            self._session = aiohttp.ClientSession(
                connector=connector, cookie_jar=aiohttp.DummyCookieJar(), trust_env=False
            )
        return self._session

    async def close(self) -> None:
        """Close every connection."""
        if self._session is not None:
            await self._session.close()
            self._session = None
