"""The settings of one process, read from the environment once and refused by name when they make no sense."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from .errors import ConfigError

PREFIX = "COMMONWATT_"
LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR")
PROXIES_MAX = 10
SECRET_LETTERS_MIN = 16  # shorter ones can be guessed
SECRET_LETTERS_MAX = 255


@dataclass(frozen=True, slots=True)
class Config:
    """Where the facts and the key lie, where to listen, what the cloud is called from outside, how much to log.

    `proxies` is how many proxies of one's own stand before this process: so many entries of X-Forwarded-For are
    believed when wrong pairing codes are counted by address. `private_webhooks` lets providers be sent to in one's own
    network and without TLS.
    """

    database_url: str = field(default="sqlite:///commonwatt.db", repr=False)  # may hold a password
    key_file: Path = Path("commonwatt.key")
    host: str = "127.0.0.1"
    port: int = 8080
    public_url: str = "http://127.0.0.1:8080"
    log_level: str = "INFO"
    proxies: int = 0
    private_webhooks: bool = False
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


def _level(text: str) -> str:
    if text.upper() not in LEVELS:
        raise ConfigError(f"{PREFIX}LOG_LEVEL must be one of {', '.join(LEVELS)}, not {text!r}")
    return text.upper()
