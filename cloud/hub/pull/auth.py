"""How a maker's cloud lets us in: what each request shows, and where what it shows comes from. Pure, but for asking."""

from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field
import json
from typing import Annotated, Any, Literal
from urllib.parse import quote, urlencode

from pydantic import Field

from cloud.endpoint import Body

from .driver import Answer, PullFailed, Round
from .paths import Expression, found
from .template import filled_form, filled_json

TOKEN_SECONDS = 3600  # how long a token is held to be good where its giver does not say
TOKEN_SECONDS_MAX = 86_400
EARLY_SECONDS = 30  # a token is renewed before its last moment: the request still has to get there
TOKEN_LETTERS_MAX = 8000
REFUSALS = ("invalid_grant", "invalid_client", "unauthorized_client", "access_denied")

Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9!#$%&'*+.^_`|~-]{1,64}$")]
Text = Annotated[str, Field(min_length=1, max_length=500, pattern=r"^[ -~]*$")]
Url = Annotated[str, Field(min_length=8, max_length=2000, pattern=r"^https?://[!-~]+$")]


class NoAuth(Body):
    """Anybody may read."""

    kind: Literal["none"] = "none"


class BasicAuth(Body):
    """HTTP Basic; secret: `password`."""

    kind: Literal["basic"]
    user: Text


class BearerAuth(Body):
    """A token that does not change; secret: `token`."""

    kind: Literal["bearer"]


class KeyAuth(Body):
    """A key in a header or in the query; secret: `key`."""

    kind: Literal["key"]
    place: Literal["header", "query"] = "header"
    name: Name
    prefix: Annotated[str, Field(max_length=32, pattern=r"^[ -~]*$")] = ""


class ClientAuth(Body):
    """OAuth2 client credentials; secret: `client_secret`. `show`: how the client itself is named to the token URL."""

    kind: Literal["client_credentials"]
    token_url: Url
    client_id: Text
    scope: Text | None = None
    show: Literal["basic", "body"] = "basic"
    more: Annotated[dict[Name, Text], Field(max_length=10, default_factory=dict)]


class RefreshAuth(Body):
    """OAuth2 refresh token; secrets: `refresh_token`, and `client_secret` where the client has one."""

    kind: Literal["refresh_token"]
    token_url: Url
    client_id: Text
    scope: Text | None = None
    show: Literal["basic", "body"] = "body"


class LoginAuth(Body):
    """A form or JSON with `{user}` and `{password}`, answered with a token at `token`; secret: `password`."""

    kind: Literal["login"]
    url: Url
    user: Text
    send: Literal["form", "json"] = "json"
    fields: Annotated[dict[Name, Text], Field(min_length=1, max_length=10)]
    token: Expression
    name: Name = "Authorization"
    prefix: Annotated[str, Field(max_length=32, pattern=r"^[ -~]*$")] = "Bearer "
    seconds: Annotated[int, Field(ge=60, le=TOKEN_SECONDS_MAX)] = TOKEN_SECONDS


Auth = Annotated[
    NoAuth | BasicAuth | BearerAuth | KeyAuth | ClientAuth | RefreshAuth | LoginAuth, Field(discriminator="kind")
]
SECRETS: dict[str, frozenset[str]] = {
    "none": frozenset(),
    "basic": frozenset({"password"}),
    "bearer": frozenset({"token"}),
    "key": frozenset({"key"}),
    "client_credentials": frozenset({"client_secret"}),
    "refresh_token": frozenset({"refresh_token"}),
    "login": frozenset({"password"}),
}


@dataclass(frozen=True, slots=True)
class Shown:
    """What a request shows to be let in; `renewable`: another token can be asked for."""

    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    query: Mapping[str, str] = field(default_factory=dict, repr=False)
    renewable: bool = False


def urls_of(auth: Auth) -> tuple[str, ...]:
    """Return the URLs that are called to be let in."""
    match auth:
        case ClientAuth() | RefreshAuth():
            return (auth.token_url,)
        case LoginAuth():
            return (auth.url,)
        case _:
            return ()


async def shown(turn: Round, auth: Auth, *, again: bool) -> Shown:
    """Return what to show; `again`: what was shown before was refused, so a token that is kept is no good."""
    match auth:
        case BasicAuth():
            return Shown({"Authorization": f"Basic {_pair(auth.user, turn.secret('password'))}"})
        case BearerAuth():
            return Shown({"Authorization": f"Bearer {turn.secret('token')}"})
        case KeyAuth(place="header"):
            return Shown({auth.name: auth.prefix + turn.secret("key")})
        case KeyAuth():
            return Shown(query={auth.name: auth.prefix + turn.secret("key")})
        case ClientAuth() | RefreshAuth():
            return Shown({"Authorization": f"Bearer {await _token(turn, auth, again=again)}"}, renewable=True)
        case LoginAuth():
            return Shown({auth.name: auth.prefix + await _token(turn, auth, again=again)}, renewable=True)
        case _:
            return Shown()


def _pair(user: str, password: str) -> str:
    return b64encode(f"{user}:{password}".encode()).decode()


async def _token(turn: Round, auth: ClientAuth | RefreshAuth | LoginAuth, *, again: bool) -> str:
    """Return the token that is kept while it is good, else a new one, which is durable before anybody uses it."""
    until = turn.kept.get("access_until_ms", "0")
    if not again and turn.kept.get("access_token") and turn.now_ms < int(until):
        return turn.kept["access_token"]
    if isinstance(auth, LoginAuth):
        got = _login_token(auth, await _log_in(turn, auth))
    else:
        got = _granted(await _grant(turn, auth))
    seconds = min(int(got.pop("seconds")), TOKEN_SECONDS_MAX)
    until = str(turn.now_ms + max(seconds - EARLY_SECONDS, 0) * 1000)
    await turn.keep(**got, access_until_ms=until)
    return got["access_token"]


async def _grant(turn: Round, auth: ClientAuth | RefreshAuth) -> Answer:
    """Ask an OAuth2 token URL."""
    form = {"grant_type": auth.kind} | ({"scope": auth.scope} if auth.scope else {})
    headers = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"}
    if isinstance(auth, RefreshAuth):
        form["refresh_token"] = turn.kept.get("refresh_token") or turn.secret("refresh_token")
        secret = turn.secrets.get("client_secret")
    else:
        form |= auth.more
        secret = turn.secret("client_secret")
    if auth.show == "basic" and secret is not None:
        headers["Authorization"] = f"Basic {_pair(quote(auth.client_id, safe=''), quote(secret, safe=''))}"
    else:
        form |= {"client_id": auth.client_id} | ({"client_secret": secret} if secret is not None else {})
    return await turn.ask("POST", auth.token_url, headers=headers, body=urlencode(form).encode())


def _granted(answer: Answer) -> dict[str, str]:
    """Return what an OAuth2 token URL gave: `access_token`, `seconds` and perhaps another `refresh_token`."""
    data = _object(answer)
    if answer.status in (400, 401, 403) and (answer.status != 400 or data.get("error") in REFUSALS):
        why = f" ({data['error']})" if data.get("error") in REFUSALS else ""
        raise PullFailed("refused", f"the token URL answered {answer.status}{why}")
    if not 200 <= answer.status < 300:
        raise PullFailed("answered", f"the token URL answered {answer.status}")
    given = {name: data[name] for name in ("access_token", "refresh_token") if is_token(data.get(name))}
    if "access_token" not in given:
        raise PullFailed("unreadable", "the token URL gave no token")
    seconds = data.get("expires_in", TOKEN_SECONDS)
    whole = str(seconds) if isinstance(seconds, int | str) else ""
    return given | {"seconds": whole if whole.isascii() and whole.isdigit() and len(whole) < 12 else str(TOKEN_SECONDS)}


async def _log_in(turn: Round, auth: LoginAuth) -> Answer:
    values = {"user": auth.user, "password": turn.secret("password")}
    if auth.send == "form":
        kind, body = "application/x-www-form-urlencoded", filled_form(auth.fields, values)
    else:
        kind, body = "application/json", filled_json(json.dumps(auth.fields), values)
    return await turn.ask("POST", auth.url, headers={"Content-Type": kind}, body=body)


def _login_token(auth: LoginAuth, answer: Answer) -> dict[str, str]:
    if answer.status in (400, 401, 403):
        raise PullFailed("refused", f"the login answered {answer.status}")
    if not 200 <= answer.status < 300:
        raise PullFailed("answered", f"the login answered {answer.status}")
    token = found(auth.token, _object(answer))
    if not is_token(token):
        raise PullFailed("refused", "the login gave no token where the description says")
    return {"access_token": token, "seconds": str(auth.seconds)}


def is_token(value: Any) -> bool:
    """Tell whether a value can be shown in a header."""
    return isinstance(value, str) and 0 < len(value) <= TOKEN_LETTERS_MAX and value.isascii() and value.isprintable()


def _object(answer: Answer) -> dict[str, Any]:
    try:
        data = json.loads(answer.raw)
    except ValueError, RecursionError:
        return {}
    return data if isinstance(data, dict) else {}
