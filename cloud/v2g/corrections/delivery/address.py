"""Where a provider may have corrections sent: to the open internet over TLS, never into our own network. Pure."""

import ipaddress
from typing import Literal
from urllib.parse import urlsplit

URL_LETTERS_MAX = 500

type NotAllowed = Literal["malformed", "not-https", "credentials", "private"]

WHY: dict[NotAllowed, str] = {
    "malformed": "it is no absolute URL of a host",
    "not-https": "only https is sent to",
    "credentials": "it names a user or a fragment; deliveries are signed instead",
    "private": "its host lies in a private network",
}
LOCAL_NAMES = (".localhost", ".local", ".internal", ".home.arpa")


def fault_of(url: str, *, private: bool) -> NotAllowed | None:
    """Return why a URL is not sent to, None if it is. `private`: the operator lets providers be in our own network.

    What a name resolves to is looked at again with each connection: a name may be given another address later.
    """
    if not 0 < len(url) <= URL_LETTERS_MAX or not url.isascii() or not url.isprintable() or " " in url or "\\" in url:
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
        return None
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
    return _is_open(found)


def _is_open(found: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    return found.is_global and not found.is_multicast and not found.is_reserved


NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
