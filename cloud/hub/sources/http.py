"""Staff says which makers' clouds are read, tries them, and sees how it goes; secrets are taken and never shown."""

from dataclasses import asdict
from typing import Any, assert_never

from aiohttp import web
from pydantic import ValidationError

from cloud.endpoint import CLOCK_MS, DATABASE, Endpoint, PageQuery, answer, body_of, now, query_of, wrong_members
from cloud.errors import CONFLICT, NOT_FOUND, UNPROCESSABLE, Refused
from cloud.hub.pull.driver import Driver
from cloud.principal import CLOUD_KEY, STAFF, principal_of
from cloud.sites.http import known_community
from cloud.wire import time_text

from . import store
from .bodies import (
    DriverItem,
    DriversAnswer,
    SourceAnswer,
    SourceBody,
    SourceItem,
    SourcesAnswer,
    TriedAnswer,
)
from .rounds.job import Puller
from .source import SOURCES_MAX, Source, SourceState, sealed, secrets_in
from .trial.job import MESSAGES_MAX, tried

PULLER: web.AppKey[Puller] = web.AppKey("puller")
PATH = "/v1/communities/{community}/hub/sources"
SECRETS_PURPOSE = "hub source"
NAMED_MAX = 5
OPTIONAL_SECRETS = {"client_secret"}  # some clients of OAuth2 have one


async def put_source(request: web.Request) -> web.Response:
    """Keep what staff says of a maker's cloud; it is read at once."""
    community, source = _names(request)
    body = await body_of(request, SourceBody)
    _check(request, body)
    secrets = body.secrets
    wanted = store.Wanted(
        community=community,
        source=source,
        driver=body.driver,
        name=body.name,
        description=body.description,
        every_seconds=body.every_seconds,
        new_kind=body.new_devices,
        devices=body.devices,
        secrets=None if secrets is None else sealed(_key(request), secrets),
        restart=body.restart,
    )
    by, at_ms = principal_of(request).subject, request.app[CLOCK_MS]()
    match await request.app[DATABASE].write(store.put_source, wanted, by=by, now_ms=at_ms):
        case "no-community":
            raise Refused(NOT_FOUND, f"there is no community {community}")
        case "too-many":
            raise Refused(UNPROCESSABLE, f"a community has at most {SOURCES_MAX} sources")
        case "secrets-elsewhere":
            raise Refused(UNPROCESSABLE, "secrets: another server is to be called than before, so set them again")
        case store.NoDevices(missing):
            raise Refused(UNPROCESSABLE, f"{community} has no device {', '.join(missing[:NAMED_MAX])}")
        case "created":
            return await _told(request, community, source, 201)
        case "changed":
            return await _told(request, community, source)
        case other:
            assert_never(other)


def _names(request: web.Request) -> tuple[str, str]:
    return request.match_info["community"], request.match_info["source"]


def _key(request: web.Request) -> bytes:
    return request.app[CLOUD_KEY].derive(SECRETS_PURPOSE)


def _check(request: web.Request, body: SourceBody) -> None:
    """Refuse what the driver would not read."""
    puller = request.app[PULLER]
    driver: Driver | None = puller.found.drivers.get(body.driver)
    if driver is None:
        raise Refused(UNPROCESSABLE, f"driver: there is none of this name, but {', '.join(puller.found.drivers)}")
    try:
        description = driver.description.model_validate(body.description)
    except ValidationError as error:
        wrong = wrong_members(error, "description", NAMED_MAX)
        raise Refused(UNPROCESSABLE, f"description: {wrong}"[:500]) from None
    if (fault := driver.fault_of(description, puller.private)) is not None:
        raise Refused(UNPROCESSABLE, f"description: {fault}")
    needed = driver.secrets_of(description)
    if needed and (unused := sorted(set(body.secrets or ()) - needed - OPTIONAL_SECRETS)):
        words = f"secrets: {unused[0]} is not used by this description, but {', '.join(sorted(needed))}"
        raise Refused(UNPROCESSABLE, words)


async def get_source(request: web.Request) -> web.Response:
    """Tell everything of a maker's cloud but its secrets."""
    return await _told(request, *_names(request))


async def _told(request: web.Request, community: str, source: str, status: int = 200) -> web.Response:
    found = await request.app[DATABASE].read(store.source_of, community, source)
    if found is None:
        raise Refused(NOT_FOUND, f"{community} has no source {source}")
    devices = await request.app[DATABASE].read(store.mapped, community, source)
    members = _members(request, found) | {"description": found.description, "devices": devices}
    return answer(SourceAnswer(**members), status)


def _members(request: web.Request, source: Source) -> dict[str, Any]:
    return {
        "source": source.source,
        "name": source.name,
        "driver": source.driver,
        "every_seconds": source.every_seconds,
        "new_devices": source.new_kind,
        "secrets": sorted(secrets_in(_key(request), source.secrets)),
        "state": source.state,
        "last_at": _time(source.last_at),
        "next_at": _time(source.next_at) if source.state == "active" else None,
        "failing_since": _time(source.failing_since),
        "reason": source.reason,
        "problem": source.problem,
    }


def _time(at: int | None) -> str | None:
    return None if at is None else time_text(at)


async def get_sources(request: web.Request) -> web.Response:
    """List a community's makers' clouds, and how each goes."""
    page, community = query_of(request, PageQuery), request.match_info["community"]
    found = await request.app[DATABASE].read(store.sources_page, community, page.after, page.limit)
    last = found[-1].source if len(found) == page.limit else None
    return answer(SourcesAnswer(sources=[SourceItem(**_members(request, source)) for source in found], next=last))


async def delete_source(request: web.Request) -> web.Response:
    """Let a maker's cloud go; its devices and readings stay."""
    community, source = _names(request)
    by, at_ms = principal_of(request).subject, request.app[CLOCK_MS]()
    if not await request.app[DATABASE].write(store.remove_source, community, source, by=by, now_ms=at_ms):
        raise Refused(NOT_FOUND, f"{community} has no source {source}")
    return web.Response(status=204)


async def post_source_pause(request: web.Request) -> web.Response:
    """Read it no more until it is resumed; a pull that runs ends."""
    return await _set(request, "paused")


async def post_source_resume(request: web.Request) -> web.Response:
    """Read it again, at once: after a pause, or after its maker's cloud has refused us."""
    return await _set(request, "active")


async def _set(request: web.Request, state: SourceState) -> web.Response:
    community, source = _names(request)
    by, at_ms = principal_of(request).subject, request.app[CLOCK_MS]()
    found = await request.app[DATABASE].write(store.set_state, community, source, state, by=by, now_ms=at_ms)
    if found is None:
        raise Refused(NOT_FOUND, f"{community} has no source {source}")
    return answer(SourceItem(**_members(request, found)))


async def post_source_try(request: web.Request) -> web.Response:
    """Pull once and keep nothing: tell what would be kept, or exactly why not."""
    community, source = _names(request)
    found = await tried(request.app[PULLER], community, source, now(request))
    if found == "no-source":
        raise Refused(NOT_FOUND, f"{community} has no source {source}")
    if found == "busy":
        raise Refused(CONFLICT, "it is being read right now; try again in a moment")
    outcome, trial = found
    enough = "enough" if trial.messages >= MESSAGES_MAX else "whole"
    told = {
        "requests": outcome.requests,
        "messages": [asdict(message) for message in trial.seen],
        "ended": enough if outcome.reason is None else "failed",
        "reason": outcome.reason,
        "problem": outcome.problem,
    }
    return answer(TriedAnswer.model_validate(told, strict=False))


async def get_drivers(request: web.Request) -> web.Response:
    """List the drivers of this cloud with the form of their descriptions."""
    await known_community(request, request.match_info["community"])
    found = request.app[PULLER].found
    drivers = [
        DriverItem(driver=driver.name, about=driver.about, description=driver.description.model_json_schema())
        for driver in found.drivers.values()
    ]
    return answer(DriversAnswer(drivers=drivers, broken=found.broken))


ENDPOINTS = (
    Endpoint(
        "GET",
        PATH,
        "Makers' clouds of a community, and how each goes",
        get_sources,
        scope=STAFF,
        query=PageQuery,
        answers={200: SourcesAnswer},
    ),
    Endpoint(
        "PUT",
        PATH + "/{source}",
        "Read a maker's cloud from now on, or differently",
        put_source,
        scope=STAFF,
        body=SourceBody,
        answers={201: SourceAnswer, 200: SourceAnswer},
        problems=(NOT_FOUND, UNPROCESSABLE),
    ),
    Endpoint(
        "GET",
        PATH + "/{source}",
        "A maker's cloud, without its secrets",
        get_source,
        scope=STAFF,
        answers={200: SourceAnswer},
        problems=(NOT_FOUND,),
    ),
    Endpoint(
        "DELETE",
        PATH + "/{source}",
        "Let a maker's cloud go; its readings stay",
        delete_source,
        scope=STAFF,
        answers={204: None},
        problems=(NOT_FOUND,),
    ),
    Endpoint(
        "POST",
        PATH + "/{source}/try",
        "Pull once as a dry run: what would be kept, or why not",
        post_source_try,
        scope=STAFF,
        answers={200: TriedAnswer},
        problems=(NOT_FOUND, CONFLICT),
    ),
    Endpoint(
        "POST",
        PATH + "/{source}/pause",
        "Read a maker's cloud no more",
        post_source_pause,
        scope=STAFF,
        answers={200: SourceItem},
        problems=(NOT_FOUND,),
    ),
    Endpoint(
        "POST",
        PATH + "/{source}/resume",
        "Read a maker's cloud again, at once",
        post_source_resume,
        scope=STAFF,
        answers={200: SourceItem},
        problems=(NOT_FOUND,),
    ),
    Endpoint(
        "GET",
        "/v1/communities/{community}/hub/drivers",
        "The pull drivers, and what each wants to be told",
        get_drivers,
        scope=STAFF,
        answers={200: DriversAnswer},
        problems=(NOT_FOUND,),
    ),
)
