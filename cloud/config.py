"""The settings of one process, read from the environment once and refused by name when they make no sense."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import ip_address
from pathlib import Path
import re
from urllib.parse import urlsplit

from .errors import ConfigError

PREFIX = "COMMONWATT_"
LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR")
PROXIES_MAX = 10
SECRET_LETTERS_MIN = 16  # shorter ones can be guessed
SECRET_LETTERS_MAX = 255
NTP_PORT = 123
NTP_SERVERS_MAX = 10
MQTT_CLIENT = re.compile(r"[A-Za-z0-9_.-]{1,64}")


@dataclass(frozen=True, slots=True)
class Config:
    """Where the facts and the key lie, where to listen, what the cloud is called from outside, how much to log.

    `proxies` is how many proxies of one's own stand before this process: so many entries of X-Forwarded-For are
    believed when wrong pairing codes are counted by address. `private_webhooks` lets providers be sent to in one's own
    network and without TLS; `private_sources` lets makers' clouds be called there.
    """

    database_url: str = field(default="sqlite:///commonwatt.db", repr=False)  # may hold a password
    key_file: Path = Path("commonwatt.key")
    host: str = "127.0.0.1"
    port: int = 8080
    public_url: str = "http://127.0.0.1:8080"
    log_level: str = "INFO"
    proxies: int = 0
    private_webhooks: bool = False
    private_sources: bool = False
    mqtt_url: str = ""  # without it, nothing arrives by MQTT
    mqtt_user: str = "commonwatt"
    mqtt_password: str = field(default="", repr=False)
    mqtt_ca_file: Path | None = None  # None: the machine's own authorities
    mqtt_client: str = "commonwatt"  # each process its own: the broker keeps its messages under this name
    ntp_servers: tuple[tuple[str, int], ...] = ()  # host and port; without one, nobody says how our own clock is
    stripe_webhook_secret: str = field(default="", repr=False)  # without it, nothing is paid through Stripe


def from_environment(environ: Mapping[str, str]) -> Config:
    """Read the settings; unset or empty ones have their defaults."""
    given = {name.removeprefix(PREFIX): value for name, value in environ.items() if name.startswith(PREFIX) and value}
    default = Config()
    host = given.get("HOST", default.host)
    port = _whole(given, "PORT", default.port, 65_535)
    return Config(
        database_url=given.get("DATABASE_URL", default.database_url),
        key_file=Path(given.get("KEY_FILE", default.key_file)),
        host=host,
        port=port,
        public_url=_url(given.get("PUBLIC_URL") or f"http://{host}:{port}"),
        log_level=_level(given.get("LOG_LEVEL", default.log_level)),
        proxies=_whole(given, "PROXIES", default.proxies, PROXIES_MAX),
        private_webhooks=bool(_whole(given, "PRIVATE_WEBHOOKS", 0, 1)),
        private_sources=bool(_whole(given, "PRIVATE_SOURCES", 0, 1)),
        mqtt_url=_mqtt_url(given.get("MQTT_URL", "")),
        mqtt_user=given.get("MQTT_USER", default.mqtt_user),
        mqtt_password=_mqtt_password(given),
        mqtt_ca_file=Path(given["MQTT_CA_FILE"]) if "MQTT_CA_FILE" in given else None,
        mqtt_client=_mqtt_client(given.get("MQTT_CLIENT", default.mqtt_client)),
        ntp_servers=_servers(given.get("NTP_SERVERS", "")),
        stripe_webhook_secret=_secret(given, "STRIPE_WEBHOOK_SECRET"),
    )


def _whole(given: Mapping[str, str], name: str, default: int, most: int) -> int:
    text = given.get(name, str(default))
    if not (text.isascii() and text.isdigit()) or len(text) > 9 or int(text) > most:
        raise ConfigError(f"{PREFIX}{name} must be a whole number from 0 to {most}, not {text!r}")
    return int(text)


def _secret(given: Mapping[str, str], name: str) -> str:
    text = given.get(name, "")
    if text and not (SECRET_LETTERS_MIN <= len(text) <= SECRET_LETTERS_MAX and text.isascii() and text.isprintable()):
        # it is not repeated: a mistyped secret is nearly one
        raise ConfigError(f"{PREFIX}{name} must be {SECRET_LETTERS_MIN} to {SECRET_LETTERS_MAX} printable letters")
    return text


def _url(text: str) -> str:
    parts = urlsplit(text)
    if parts.scheme not in ("http", "https") or not parts.netloc or parts.query or parts.fragment:
        raise ConfigError(f"{PREFIX}PUBLIC_URL must be like https://cloud.example.org, not {text!r}")
    return text.rstrip("/")


def _mqtt_url(text: str) -> str:
    """Check the broker's URL: what holds everybody's passwords does not travel readable beyond this machine."""
    if not text:
        return ""
    try:
        parts = urlsplit(text)
        host, _ = parts.hostname, parts.port
    except ValueError:
        parts, host = None, None
    if parts is None or not host or parts.scheme not in ("mqtt", "mqtts") or parts.path not in ("", "/"):
        raise ConfigError(f"{PREFIX}MQTT_URL must be like mqtts://broker.example.org:8883")
    if parts.username is not None or parts.query or parts.fragment:
        raise ConfigError(f"{PREFIX}MQTT_URL names host and port alone; user and password have settings of their own")
    if parts.scheme == "mqtt" and not _loopback(host):
        raise ConfigError(f"{PREFIX}MQTT_URL may be mqtt:// (without TLS) for this machine only; use mqtts://")
    return text


def _mqtt_password(given: Mapping[str, str]) -> str:
    if given.get("MQTT_URL") and not given.get("MQTT_PASSWORD"):
        raise ConfigError(f"{PREFIX}MQTT_PASSWORD must be set where {PREFIX}MQTT_URL is")
    return _secret(given, "MQTT_PASSWORD")


def _loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _mqtt_client(text: str) -> str:
    if not MQTT_CLIENT.fullmatch(text):
        raise ConfigError(f"{PREFIX}MQTT_CLIENT must be 1 to 64 letters, digits, dots, dashes or underscores")
    return text


def _servers(text: str) -> tuple[tuple[str, int], ...]:
    """Read a list of time servers: host, host:port, [address]:port."""
    names = [name.strip() for name in text.split(",") if name.strip()]
    if len(names) > NTP_SERVERS_MAX:
        raise ConfigError(f"{PREFIX}NTP_SERVERS names more than {NTP_SERVERS_MAX} servers")
    return tuple(map(_server, names))


def _server(name: str) -> tuple[str, int]:
    try:
        parts = urlsplit(f"//{name}")
        host, port = parts.hostname, parts.port
    except ValueError:
        parts, host, port = None, None, None
    if parts is None or not host or parts.netloc != name or parts.username is not None or port == 0:
        raise ConfigError(f"{PREFIX}NTP_SERVERS must be like ntp.example.org,[2001:db8::1]:123, not {name!r}")
    return host, NTP_PORT if port is None else port


def _level(text: str) -> str:
    if text.upper() not in LEVELS:
        raise ConfigError(f"{PREFIX}LOG_LEVEL must be one of {', '.join(LEVELS)}, not {text!r}")
    return text.upper()
