"""Reads any maker's cloud that speaks HTTP, by a description: where, since when, how we get in, how pages follow."""

import asyncio
from collections.abc import AsyncGenerator, Mapping
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import Field

from cloud.endpoint import Body
from cloud.hub.pull.auth import SECRETS, Auth, Name, NoAuth, Shown, Text, Url, shown, urls_of
from cloud.hub.pull.driver import Answer, Driver, Pulled, PullFailed, Round
from cloud.hub.pull.headers import onward
from cloud.hub.pull.paging import (
    PAGES_MAX,
    CursorPaging,
    LinkPaging,
    NoPaging,
    NumberPaging,
    Paging,
    Step,
    first_step,
    next_step,
    reads_answers,
)
from cloud.hub.pull.paths import plain
from cloud.hub.pull.template import Times, filled_json, filled_url, host_is_fixed, places_of, time_text, with_query
from cloud.outbound import WHY, fault_of

LARGE_BYTES = 256 * 1024  # beyond, an answer is read in a thread, so that nobody waits for it
DAYS_MAX = 400 * 86_400
WINDOW_MS_MIN = 60_000  # an answer that is too large for a minute is not asked for in halves
WINDOWS_MAX = 50  # of one device in one round; what is left is read in the next
PLACES = frozenset({"since", "until", "page", "cursor", "device"})
OWN_HEADERS = {"host", "content-length", "transfer-encoding", "connection", "accept-encoding", "te", "upgrade"}


class RestDescription(Body):
    """A maker's cloud. Places in braces are filled in `url`, `query` and `body`, each escaped where it stands.

    With `{since}` only what is new is asked for: from the end of the last round, less `overlap_seconds` in which late
    data may still come; the first round begins `first_seconds` ago. A span longer than `window_seconds` is asked for
    in parts. With `{device}` each device is asked for by the maker's name.
    """

    url: Url
    method: Literal["GET", "POST"] = "GET"
    query: Annotated[dict[Text, Text], Field(max_length=30, default_factory=dict)]
    headers: Annotated[dict[Name, Text], Field(max_length=20, default_factory=dict)]
    body: Annotated[str, Field(max_length=10_000)] | None = None
    auth: Auth = NoAuth()
    paging: Paging = NoPaging()
    times: Times = "iso"
    first_seconds: Annotated[int, Field(ge=0, le=DAYS_MAX)] = 86_400
    overlap_seconds: Annotated[int, Field(ge=0, le=DAYS_MAX)] = 3600
    window_seconds: Annotated[int, Field(ge=60, le=DAYS_MAX)] = 86_400
    format: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$")] | None = None
    per_minute: Annotated[int, Field(ge=1, le=6000)] = 60

    @property
    def places(self) -> frozenset[str]:
        """What must be filled in to ask."""
        return places_of(self.url, *self.query.values(), self.body or "")


def fault(description: RestDescription, private: bool) -> str | None:
    """Return what is wrong with a description beyond its form."""
    places, paging = description.places, description.paging
    if unknown := sorted(places - PLACES):
        return f"{{{unknown[0]}}} is no place that is filled in"
    if not host_is_fixed(description.url):
        return "url: what is filled in stands behind the host"
    if wrong := sorted(name for name in description.headers if name.lower() in OWN_HEADERS):
        return f"headers: {wrong[0]} is written by the hub"
    if (description.body is None) != (description.method == "GET"):
        return "body: a POST has one, a GET has none"
    for kind, place in ((NumberPaging, "page"), (CursorPaging, "cursor")):
        if isinstance(paging, kind) != (place in places):
            return f"paging: {{{place}}} and this kind of paging belong together"
    if isinstance(paging, LinkPaging) and description.method != "GET":
        return "paging: a link is followed by GET"
    for url in (description.url, *urls_of(description.auth)):
        if (found := fault_of(filled_url(url, {}, {}), private=private, letters_max=2000)) is not None:
            return f"{urlsplit(url).hostname} is not called: {WHY[found]}"
    return None


async def pull(turn: Round) -> AsyncGenerator[Pulled]:
    """Ask for what is new; each device, or all in one, from where it stood."""
    description: RestDescription = turn.description
    through: dict[str, int] = dict(turn.state.get("through_ms", {}))
    names = turn.names if "device" in description.places else ("",)
    window_ms = description.window_seconds * 1000
    for name in sorted(names, key=lambda name: through.get(name, 0)):
        since, windows = _since(description, through.get(name), turn.now_ms), 0
        while windows < WINDOWS_MAX:
            windows, until = windows + 1, min(since + window_ms, turn.now_ms)
            try:
                async for pulled in _pages(turn, name, since, until):
                    yield pulled
            except PullFailed as error:
                window_ms = (until - since) // 2
                if error.reason != "too-large" or "since" not in description.places or window_ms < WINDOW_MS_MIN:
                    raise
                continue  # what is too much at once is asked for in halves
            through = {**through, name: until}
            turn.state = {**turn.state, "through_ms": through}
            since = until
            if "since" not in description.places or until >= turn.now_ms:
                break
        else:
            turn.more = True


def _since(description: RestDescription, through_ms: int | None, now_ms: int) -> int:
    """Return from when on to ask: the late data of what was read before, too."""
    if through_ms is None:
        begin = now_ms - description.first_seconds * 1000
    else:
        begin = through_ms - description.overlap_seconds * 1000
    return min(max(begin, 0), now_ms)


async def _pages(turn: Round, name: str, since: int, until: int) -> AsyncGenerator[Pulled]:
    """Ask for every page of one span of time."""
    description: RestDescription = turn.description
    paging = description.paging
    keeps = isinstance(paging, CursorPaging) and paging.keep
    cursors: Mapping[str, str] = turn.state.get("cursors", {}) if keeps else {}
    span = {"since": time_text(since, description.times), "until": time_text(until, description.times), "device": name}
    step: Step | None = first_step(paging, cursors.get(name, ""))
    seen: set[tuple[str | None, ...]] = set()
    while step is not None:
        if step.mark in seen or len(seen) >= PAGES_MAX:
            raise PullFailed("too-many", "the pages go round in a circle" if step.mark in seen else "too many pages")
        seen.add(step.mark)
        answer = await _asked(turn, {**span, **step.values}, step.url)
        if answer.raw:
            yield Pulled(answer.raw, answer.received_ms, description.format, answer.sent_ms, name or None)
        data = await _read(answer.raw) if reads_answers(paging) and answer.raw else None
        step = next_step(paging, step, data, answer.headers)
        if keeps and step is not None:
            cursors = {**cursors, name: step.values["cursor"]}
            turn.state = {**turn.state, "cursors": cursors}


async def _read(raw: bytes) -> Any:
    return plain(raw) if len(raw) < LARGE_BYTES else await asyncio.to_thread(plain, raw)


async def _asked(turn: Round, values: Mapping[str, str], link: str | None) -> Answer:
    """Ask for one page; who is not let in renews its token once, and then leaves the door alone."""
    description: RestDescription = turn.description
    show = await shown(turn, description.auth, again=False)
    answer = await _ask(turn, description, show, values, link)
    if answer.status == 401 and show.renewable:
        show = await shown(turn, description.auth, again=True)
        answer = await _ask(turn, description, show, values, link)
    if answer.status == 401:
        raise PullFailed("refused", "answered 401: what we show does not let us in")
    if not 200 <= answer.status < 300:
        raise PullFailed("answered", f"answered {answer.status}")
    return answer


async def _ask(
    turn: Round, description: RestDescription, show: Shown, values: Mapping[str, str], link: str | None
) -> Answer:
    url = filled_url(description.url, description.query, values)
    headers = {**description.headers, **show.headers}
    if link is not None:
        url = onward(url, link)
        if urlsplit(url)[:2] != urlsplit(description.url)[:2]:
            raise PullFailed("redirected", "the next page is said to lie at another server")
    url = with_query(url, show.query)
    if description.body is None:
        return await turn.ask("GET", url, headers=headers)
    headers = {"Content-Type": "application/json", **headers}
    return await turn.ask("POST", url, headers=headers, body=filled_json(description.body, values))


DRIVER = Driver(
    name="rest",
    about="Any maker's cloud that speaks HTTP: JSON, CSV or anything else that a format reads",
    description=RestDescription,
    pull=pull,
    secrets_of=lambda description: SECRETS[description.auth.kind],
    fault_of=fault,
    per_minute=lambda description: int(description.per_minute),
)
