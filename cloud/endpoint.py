"""An endpoint as a value: its name, who may call it, what it reads and answers. Routes and OpenAPI are made from it.

How a room uses it. Its `http.py` exports `ENDPOINTS`; `doors.py` lists them and nothing else needs to be told:

    async def get_balances(request: web.Request) -> web.Response:
        community = request.match_info["community"]
        page = query_of(request, PageQuery)
        found = await request.app[DATABASE].read(store.balances, community, page.after, page.limit)
        if found is None:
            raise Refused(NOT_FOUND, f"there is no community {community}")
        return answer(BalancesAnswer(balances=found))

    ENDPOINTS = (
        Endpoint("GET", "/v1/communities/{community}/balances", "Balances of a community", get_balances,
                 scope=READERS, query=PageQuery, answers={200: BalancesAnswer}, problems=(NOT_FOUND,)),
    )

Before a handler runs, the rim has read the whole body (bounded in bytes and seconds), checked the token and its scope,
that `{site}`, `{community}` and `{owner}` are the caller's own as far as its token is bound to one, and that every
other name in the path is an identifier. A handler is parse → one
call → answer: `body_of`, `query_of`, `raw_body`, then `answer` or `signed_answer`. It gets the time from
`now(request)` and refuses with `raise Refused(KIND, detail)`.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from aiohttp import hdrs, web
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic_core import ErrorDetails

from .database import Database
from .errors import FORBIDDEN, MALFORMED, NOT_AUTHORISED, ProblemKind, Refused
from .principal import AUTHENTICATOR, CHALLENGE, CLOUD_KEY, DEVICE_AUTHENTICATOR, PRINCIPAL, Principal, Scope
from .wire import SIGNATURE_HEADER, to_bytes
from .wire.strict import IDENTIFIER, load

DATABASE = web.AppKey("database", Database)
PUBLIC_URL = web.AppKey("public_url", str)  # what the cloud is called from outside; issuer of its tokens
PROXIES = web.AppKey("proxies", int)  # how many proxies of our own stand before this process
TIME_BEGINS = r"^\d{4}-\d\d-\d\dT"  # the pattern of a time, which few people can read
CLOCK_MS: web.AppKey[Callable[[], int]] = web.AppKey("clock_ms")  # milliseconds since 1970; tests set their own
PAGE_MAX = 1000  # items in one answer
# names in a path that must be identifiers
IDENTIFIERS = {
    *("community", "owner", "site", "tap", "id", "entry", "client", "invitation", "cable", "equipment"),
    *("device", "format", "source", "message"),
}

type Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Body(BaseModel):
    """Base of every body and answer: members it does not name are refused, texts are no numbers."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class Query(BaseModel):
    """Base of every query: all values arrive as texts."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class PageQuery(Query):
    """A page of a list: what comes after the last name of the page before, and how much of it."""

    after: str = Field(default="", pattern=r"^[A-Za-z0-9_.-]{0,64}$")
    limit: int = Field(default=100, ge=1, le=PAGE_MAX)


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One method on one path, and everything a caller may ask of it or hear from it."""

    method: str
    path: str
    summary: str
    handler: Handler
    scope: Scope | tuple[Scope, ...] | None = None
    body: type[BaseModel] | None = None
    body_type: str = "application/json"
    bytes_body: bool = False  # the handler takes the raw body as it is; `body` is None then
    signed_body: bool = False
    query: type[BaseModel] | None = None
    answers: Mapping[int, type[BaseModel] | None] = field(default_factory=dict)
    answer_type: str = "application/json"
    other_types: Sequence[str] = ()  # in which 200 may be answered as well
    signed_answer: bool = False
    problems: Sequence[ProblemKind] = ()

    @property
    def scopes(self) -> tuple[Scope, ...]:
        """Whose tokens open this endpoint; nobody's are needed where it is empty."""
        if self.scope is None:
            return ()
        return self.scope if isinstance(self.scope, tuple) else (self.scope,)


def register(app: web.Application, endpoints: Sequence[Endpoint]) -> None:
    """Give every endpoint its route."""
    for endpoint in endpoints:
        app.router.add_route(endpoint.method, endpoint.path, _guarded(endpoint))


def _guarded(endpoint: Endpoint) -> Handler:
    async def handle(request: web.Request) -> web.StreamResponse:
        if endpoint.scopes:
            await _authenticate(request, endpoint.scopes)
        for name, value in request.match_info.items():
            if name in IDENTIFIERS and not IDENTIFIER.fullmatch(value):
                raise Refused(MALFORMED, f"{name} in the path is not an identifier")
            if not value.isprintable():
                raise Refused(MALFORMED, f"{name} in the path holds a character that cannot be printed")
        return await endpoint.handler(request)

    return handle


async def _authenticate(request: web.Request, scopes: Sequence[Scope]) -> None:
    if Scope.DEVICE in scopes:  # alone: a device shows its own password, not a token
        request[CHALLENGE] = 'Basic realm="hub", charset="UTF-8", Bearer'
        header = request.headers.get(hdrs.AUTHORIZATION, "")
        at_ms = request.app[CLOCK_MS]()
        request[PRINCIPAL] = await request.app[DEVICE_AUTHENTICATOR](header, address_of(request), at_ms)
        return
    kind, _, token = request.headers.get("Authorization", "").partition(" ")
    if kind.lower() != "bearer" or not token:
        raise Refused(NOT_AUTHORISED, "no bearer token came with this request")
    principal = await request.app[AUTHENTICATOR](token, now(request))
    if principal.scope not in scopes:
        raise Refused(FORBIDDEN, f"this endpoint is for scope {' or '.join(scopes)}")
    for name, own in _bounds(principal).items():
        if request.match_info.get(name, own) != own:
            raise Refused(FORBIDDEN, f"this token belongs to another {name}")
    request[PRINCIPAL] = principal


def _bounds(principal: Principal) -> Mapping[str, str]:
    """Return the names in a path that must be the caller's own: nobody learns even whether another one exists."""
    bounds = {"site": principal.subject} if principal.scope is Scope.SITE else {}
    if principal.community is not None:
        bounds["community"] = principal.community
    if principal.owner is not None:
        bounds["owner"] = principal.owner
    return bounds


def now(request: web.Request) -> int:
    """Return the time of this request in seconds since 1970."""
    return request.app[CLOCK_MS]() // 1000


def address_of(request: web.Request) -> str:
    """Return the address a request came from: the last one our own proxies did not write themselves."""
    hops = [hop.strip() for line in request.headers.getall(hdrs.X_FORWARDED_FOR, []) for hop in line.split(",")]
    proxies = request.app[PROXIES]
    if proxies and len(hops) >= proxies:
        return hops[-proxies]
    return request.remote or ""


def community_of(request: web.Request, named: str | None) -> str:
    """Return the community a caller speaks of: the one its client is bound to, else the one it names."""
    bound = request[PRINCIPAL].community
    if bound is not None and named not in (None, bound):
        raise Refused(FORBIDDEN, "this token belongs to another community")
    if (community := bound or named) is None:
        raise Refused(MALFORMED, "community: this client is bound to none, so name the one this is about")
    return community


async def raw_body(request: web.Request) -> bytes:
    """Return the body byte for byte as it was sent."""
    return await request.read()


async def body_of[M: BaseModel](request: web.Request, model: type[M]) -> M:
    """Return the JSON body as this model, or refuse it naming the members that are wrong."""
    return _validated(model, load(await request.read()), "body")


def query_of[M: BaseModel](request: web.Request, model: type[M]) -> M:
    """Return the query as this model, or refuse it naming the members that are wrong."""
    if len(request.query) != len(set(request.query)):
        raise Refused(MALFORMED, "a query names a member twice")
    return _validated(model, dict(request.query), "query")


def _validated[M: BaseModel](model: type[M], data: Mapping[str, Any], whole: str) -> M:
    try:
        return model.model_validate(data)
    except ValidationError as error:
        raise Refused(MALFORMED, wrong_members(error, whole)[:500]) from None


def wrong_members(error: ValidationError, whole: str, most: int = 5) -> str:
    """Return which members are wrong and why; `whole` names what holds them. What was sent is not repeated.

    It may hold a secret.
    """
    return "; ".join(f"{'.'.join(map(str, item['loc'])) or whole}: {_why(item)}" for item in error.errors()[:most])


def _why(item: ErrorDetails) -> str:
    if item["type"] == "string_pattern_mismatch" and item["ctx"]["pattern"].startswith(TIME_BEGINS):
        return "must be a time like 2026-11-21T12:00:00Z"
    return item["msg"].removeprefix("Value error, ")


def answer(message: Any, status: int = 200) -> web.Response:
    """Answer with a model, a message of the wire or plain JSON data, in canonical bytes."""
    return web.Response(body=_plain_bytes(message), status=status, content_type="application/json")


def text_answer(text: str, content_type: str, headers: Mapping[str, str] | None = None) -> web.Response:
    """Answer with a text for people or their programs: a page, a table."""
    return web.Response(text=text, content_type=content_type, charset="utf-8", headers=headers)


def signed_answer(request: web.Request, message: Any, status: int = 200) -> web.Response:
    """Answer, with the cloud's signature over the raw body in a header."""
    raw = _plain_bytes(message)
    headers = {SIGNATURE_HEADER: request.app[CLOUD_KEY].sign(raw)}
    return web.Response(body=raw, status=status, headers=headers, content_type="application/json")


def _plain_bytes(message: Any) -> bytes:
    return to_bytes(message.model_dump(mode="json") if isinstance(message, BaseModel) else message)
