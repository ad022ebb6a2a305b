"""One line of JSON per event: what a caller sent can neither forge a line nor fill the disk, and no secret is written.

Secrets stay out because headers, bodies and queries are never logged: only what a log call names in `extra`.
"""

import logging
from typing import Any

from aiohttp.abc import AbstractAccessLogger
from aiohttp.http_exceptions import HttpProcessingError
from aiohttp.web import BaseRequest, StreamResponse
from pythonjsonlogger.json import JsonFormatter

from .problem import REFERENCE

TEXT_MAX = 2000  # characters of one member
TRACEBACK_MAX = 10_000


class Formatter(JsonFormatter):
    """Writes a record as JSON in ASCII, its texts cut to a bound."""

    def __init__(self) -> None:
        """Name the members every line has."""
        super().__init__(
            "%(levelname)s %(name)s %(message)s",
            timestamp=True,
            json_ensure_ascii=True,
            rename_fields={"levelname": "level", "name": "logger", "exc_info": "traceback"},
        )

    def process_log_record(self, log_data: dict[str, Any]) -> dict[str, Any]:
        """Cut what is too long."""
        return {
            name: value[: TRACEBACK_MAX if name == "traceback" else TEXT_MAX] if isinstance(value, str) else value
            for name, value in super().process_log_record(log_data).items()
        }


def set_up(level: str) -> None:
    """Send every log line of this process to standard error as JSON."""
    handler = logging.StreamHandler()
    handler.setFormatter(Formatter())
    logging.basicConfig(level=level, handlers=[handler], force=True)
    logging.getLogger("aiohttp.server").addFilter(callers_fault)


def callers_fault(record: logging.LogRecord) -> bool:
    """Make a line of what aiohttp reports as an error of ours with a traceback: somebody sent broken HTTP."""
    if record.exc_info and isinstance(record.exc_info[1], HttpProcessingError):
        record.levelno, record.levelname = logging.INFO, "INFO"
        record.msg, record.args, record.exc_info = "refused broken HTTP", (), None
    return True


class AccessLogger(AbstractAccessLogger):
    """One line per request, with the reference its problem carries; the query is left out."""

    def log(self, request: BaseRequest, response: StreamResponse, time: float) -> None:
        """Write the line."""
        about = {"method": request.method, "path": request.path, "status": response.status}
        about |= {"ms": round(time * 1000, 1), "reference": request.get(REFERENCE)}
        self.logger.info("request", extra=about)
