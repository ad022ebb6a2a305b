"""Where this cloud may connect to on somebody else's word: the open internet over TLS, never our own network.

A URL is judged by its look when it is given (`fault_of`), and every address again when a connection to it is made: a
name may be given another address later, and an address written in the URL is never resolved. `connector` makes the
connections; whoever uses it follows no redirect without judging its URL.
"""

import errno
import ipaddress
import socket
from typing import Any, Literal
from urllib.parse import urlsplit

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.resolver import DefaultResolver

URL_LETTERS_MAX = 500

type NotAllowed = Literal["malformed", "not-https", "credentials", "private"]

WHY: dict[NotAllowed, str] = {
    "malformed": "it is no absolute URL of a host",
    "not-https": "only https is called",
    "credentials": "it names a user or a fragment",
    "private": "its host lies in a private network",
}
LOCAL_NAMES = (".localhost", ".local", ".internal", ".home.arpa")
NAT64 = ipaddress.IPv6Network("64:ff9b::/96")


def fault_of(url: str, *, private: bool, letters_max: int = URL_LETTERS_MAX) -> NotAllowed | None:
    """Return why a URL is not called, None if it is.

    `private`: the operator lets our own network be called, but not the link, where a machine is told its own keys.
    """
    if not 0 < len(url) <= letters_max or not url.isascii() or not url.isprintable() or " " in url or "\\" in url:
        return "malformed"
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        return "malformed"
    if parts.scheme not in ("https", "http") or not host:
        return "malformed"
    if parts.username is not None or parts.password is not None or parts.fragment:
        return "credentials"
    if private:
        return "private" if _is_link_local(host) else None
    if parts.scheme != "https":
        return "not-https"
    return None if is_open(host) else "private"


def is_open(host: str) -> bool:
    """Tell whether a host name or an address may be one of the open internet; a name is judged by its look only."""
    try:
        return is_global(host)
    except ValueError:
        name = host.rstrip(".").lower()
        looks_like_number = name.rpartition(".")[2].startswith("0x") or name.rpartition(".")[2].isdigit()
        return "." in name and not name.endswith(LOCAL_NAMES) and not looks_like_number


def is_global(address: str) -> bool:
    """Tell whether an address is one of the open internet; raises ValueError for what is no address."""
    found = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(found, ipaddress.IPv6Address):
        inner = found.ipv4_mapped or found.sixtofour or (found.teredo and found.teredo[1])
        if inner:
            return found.is_global and _is_open(inner)
        if found in NAT64:
            return _is_open(ipaddress.IPv4Address(int(found) & 0xFFFFFFFF))
        if found.is_site_local:  # an old kind of private network, which `is_global` does not know
            return False
    return _is_open(found)


def _is_open(found: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    return found.is_global and not found.is_multicast and not found.is_reserved


def _is_link_local(host: str) -> bool:
    try:
        found = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return False
    mapped = found.ipv4_mapped if isinstance(found, ipaddress.IPv6Address) else None
    return (mapped or found).is_link_local


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


def open_socket(found: tuple[Any, Any, int, str, tuple[Any, ...]]) -> socket.socket:
    """Make the socket of a connection, unless its address lies in a private network: the last word on every call."""
    family, kind, protocol, _, address = found
    if not is_global(str(address[0])):
        raise OSError(errno.EACCES, "its host lies in a private network")
    return socket.socket(family, kind, protocol)


def near_socket(found: tuple[Any, Any, int, str, tuple[Any, ...]]) -> socket.socket:
    """Make the socket of a connection that may lead into our own network."""
    family, kind, protocol, _, address = found
    if _is_link_local(str(address[0])):
        raise OSError(errno.EACCES, "its host lies on the link")
    return socket.socket(family, kind, protocol)


def connector(*, private: bool, at_once: int, at_once_per_host: int) -> aiohttp.TCPConnector:
    """Return what makes connections, to the open internet only or, with `private`, to anywhere."""
    return aiohttp.TCPConnector(
        resolver=None if private else OpenResolver(),
        socket_factory=near_socket if private else open_socket,
        limit=at_once,
        limit_per_host=at_once_per_host,
        use_dns_cache=False,
    )
