"""The rim of every request: the body is read within bounds, and what goes wrong is answered as a problem (RFC 9457).

Each problem carries a `reference` that also stands in the log line about it, so that a person can be helped without
telling the world what happened inside.
"""

import asyncio
import logging
from typing import Any

from aiohttp import hdrs, web
from aiohttp.typedefs import Handler

from .database import new_id
from .errors import (
    BODY_TOO_LARGE,
    ENCODING_REFUSED,
    INTERNAL,
    MALFORMED,
    METHOD_NOT_ALLOWED,
    NOT_AUTHORISED,
    NOT_FOUND,
    TOO_SLOW,
    UNAVAILABLE,
    ProblemKind,
    Refused,
    Unavailable,
)
from .principal import CHALLENGE
from .wire import BODY_BYTES_MAX, WireError, to_bytes

BODY_SECONDS_MAX = 30  # a body of 1 MiB on a poor mobile line
RETRY_AFTER_S = 5

REFERENCE = web.RequestKey("reference", str)
LOGGER = logging.getLogger(__name__)


@web.middleware
async def problem_middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Read the body, run the handler, and turn what it raises into a problem."""
    request[REFERENCE] = new_id()
    try:
        await _read_body(request)
        response = await handler(request)
    except Refused as error:
        LOGGER.info("refused", extra=_about(request, error.kind) | {"detail": error.detail})
        return problem(request, error.kind, error.detail, retry_after_s=error.retry_after_s, **error.members)
    except WireError as error:
        LOGGER.info("refused", extra=_about(request, MALFORMED) | {"detail": str(error)})
        return problem(request, MALFORMED, str(error))
    except web.HTTPException as error:
        return _http_problem(request, error)
    except Unavailable as error:
        LOGGER.exception("unavailable", extra=_about(request, UNAVAILABLE))
        return problem(request, UNAVAILABLE, str(error), retry_after_s=RETRY_AFTER_S)
    except Exception:
        LOGGER.exception("internal error", extra=_about(request, INTERNAL))
        return problem(request, INTERNAL, "something unexpected happened; the reference finds it in the log")
    if not response.prepared:
        response.headers.setdefault(hdrs.CACHE_CONTROL, "no-store")
    return response


async def _read_body(request: web.Request) -> None:
    """Read the body whole; the handler's own `read` then returns it at once."""
    if hdrs.CONTENT_ENCODING in request.headers:
        raise Refused(ENCODING_REFUSED, "send the body without Content-Encoding")
    if (request.content_length or 0) > BODY_BYTES_MAX:
        raise Refused(BODY_TOO_LARGE, f"a body has at most {BODY_BYTES_MAX} bytes")
    try:
        async with asyncio.timeout(BODY_SECONDS_MAX):
            await request.read()
    except TimeoutError:
        raise Refused(TOO_SLOW, f"the body did not arrive within {BODY_SECONDS_MAX} s") from None
    except web.RequestPayloadError:
        raise Refused(MALFORMED, "the body is not what its headers say") from None
    except ConnectionResetError:
        raise Refused(MALFORMED, "the connection was lost before the body had arrived") from None


def _http_problem(request: web.Request, error: web.HTTPException) -> web.Response:
    if isinstance(error, web.HTTPRequestEntityTooLarge):
        return problem(request, BODY_TOO_LARGE, f"a body has at most {BODY_BYTES_MAX} bytes")
    if isinstance(error, web.HTTPMethodNotAllowed):
        response = problem(request, METHOD_NOT_ALLOWED, f"allowed: {', '.join(sorted(error.allowed_methods))}")
        response.headers[hdrs.ALLOW] = ", ".join(sorted(error.allowed_methods))
        return response
    if isinstance(error, web.HTTPNotFound):
        return problem(request, NOT_FOUND, "nothing is served at this path")
    kind = MALFORMED if error.status < 500 else INTERNAL
    return problem(request, kind, error.reason)


def problem(
    request: web.Request, kind: ProblemKind, detail: str, *, retry_after_s: int | None = None, **more: Any
) -> web.Response:
    """Return a problem as an answer."""
    body = {"type": kind.name, "title": kind.title, "status": kind.status, "detail": detail}
    body |= {"reference": request[REFERENCE]} | more
    response = web.Response(body=to_bytes(body), status=kind.status, content_type="application/problem+json")
    response.headers[hdrs.CACHE_CONTROL] = "no-store"
    if kind is NOT_AUTHORISED:
        response.headers[hdrs.WWW_AUTHENTICATE] = request.get(CHALLENGE, "Bearer")
    if retry_after_s is not None:
        response.headers[hdrs.RETRY_AFTER] = str(retry_after_s)
    if kind in (BODY_TOO_LARGE, ENCODING_REFUSED, TOO_SLOW):
        response.force_close()  # the rest of the body is not waited for
    return response


def _about(request: web.Request, kind: ProblemKind) -> dict[str, Any]:
    return {"reference": request[REFERENCE], "problem": kind.name, "method": request.method, "path": request.path}
