"""Where the broker is and as whom the hub logs in there. Pure."""

from dataclasses import dataclass, field, replace
from urllib.parse import urlsplit

from cloud.config import Config
from cloud.principal import CloudKey
from cloud.wire import base64url

PORT_TLS = 8883
PORT = 1883
SESSION = "broker session"  # what the key is derived for
SESSION_BYTES = 16


@dataclass(frozen=True, slots=True)
class Address:
    """The broker's host and port, whether TLS is spoken, the hub's user there, and the name of its session."""

    host: str
    port: int
    tls: bool
    user: str
    password: str = field(repr=False)
    client: str = field(repr=False)
    ca_file: str | None = None


def address_of(config: Config) -> Address | None:
    """Return where the broker is; None where none is configured."""
    if not config.mqtt_url:
        return None
    parts = urlsplit(config.mqtt_url)
    tls = parts.scheme == "mqtts"
    return Address(
        host=parts.hostname or "",
        port=parts.port or (PORT_TLS if tls else PORT),
        tls=tls,
        user=config.mqtt_user,
        password=config.mqtt_password,
        client=config.mqtt_client,
        ca_file=None if config.mqtt_ca_file is None else str(config.mqtt_ca_file),
    )


def with_session(address: Address, key: CloudKey) -> Address:
    """Return an address whose session has a name that nobody guesses, the same after every restart.

    The broker gives a session to whoever shows its name: a device could end ours, with all that waits in it.
    """
    mark = base64url(key.derive(SESSION)[:SESSION_BYTES])
    return replace(address, client=f"{address.client}-{mark}")
