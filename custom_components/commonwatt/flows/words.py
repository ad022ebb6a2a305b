"""What people type, taken in: names and addresses, or the translation key of what is wrong with them."""

from ipaddress import ip_address

from homeassistant.util.network import is_local
from yarl import URL

from ..const import NAME_LENGTH_MAX

LOCAL_ENDINGS = (".local", ".lan", ".internal", ".home.arpa", ".localhost")


class WordError(ValueError):
    """Something typed cannot be taken; `key` is the translation key of the reason."""

    def __init__(self, key: str) -> None:
        super().__init__(key)
        self.key = key


def clean_name(text: str) -> str:
    """Return a name without space around it; it must print and fit on the wire."""
    name = text.strip()
    if not 0 < len(name) <= NAME_LENGTH_MAX or not name.isprintable():
        raise WordError("invalid_name")
    return name


def clean_url(text: str) -> str:
    """Return the base address of a cloud: https anywhere, plain http only inside the local network."""
    try:
        url = URL(text.strip())
        host, _ = url.host, url.port
    except ValueError:
        raise WordError("invalid_url") from None
    if url.scheme not in ("http", "https") or not host or url.user is not None:
        raise WordError("invalid_url")
    if url.scheme == "http" and not _in_local_network(host):
        raise WordError("insecure_url")
    return str(url.with_query(None).with_fragment(None)).rstrip("/")


def clean_code(text: str) -> str:
    """Return a one-time code as it was printed, without space around it."""
    code = text.strip().upper()
    if not 0 < len(code) <= 64 or not code.isprintable():
        raise WordError("code_refused")
    return code


def _in_local_network(host: str) -> bool:
    try:
        return is_local(ip_address(host))
    except ValueError:
        return "." not in host or host.endswith(LOCAL_ENDINGS)
