"""The operator looks at what is held of a site, and lets a quarantined one be settled again."""

from dataclasses import asdict

from aiohttp import web

from cloud.endpoint import DATABASE, Endpoint, answer, body_of, now, query_of
from cloud.errors import NOT_FOUND, ProblemKind, Refused
from cloud.ingest.bodies import IncidentMember
from cloud.principal import STAFF, principal_of
from cloud.wire import time_text
from cloud.wire.strict import TIME_MAX

from . import store
from .bodies import HeldAnswer, HeldItem, HeldQuery, LiftAnswer, LiftBody
from .held import HeldBatch

NOT_QUARANTINED = ProblemKind("not-quarantined", 409, "This site is not quarantined")


async def lift_quarantine(request: web.Request) -> web.Response:
    """Let a quarantined site be settled again; the same again changes nothing."""
    community, site = request.match_info["community"], request.match_info["site"]
    body = await body_of(request, LiftBody)
    outcome = await request.app[DATABASE].write(
        store.lift, community, site, by=principal_of(request).subject, note=body.note, now=now(request)
    )
    match outcome:
        case "no-site":
            raise Refused(NOT_FOUND, f"{community} has no site {site}")
        case "not-quarantined":
            raise Refused(NOT_QUARANTINED, "there is no quarantine to lift")
        case lifted, first:
            times = {"quarantined_at": time_text(lifted.quarantined_at), "lifted_at": time_text(lifted.lifted_at)}
            members = asdict(lifted) | times | {"site": site, "result": "created" if first else "exists"}
            return answer(LiftAnswer(**members), 201 if first else 200)


async def get_held(request: web.Request) -> web.Response:
    """List the batches of a site that are held or contradict others, and its newest incidents."""
    community, site, page = request.match_info["community"], request.match_info["site"], query_of(request, HeldQuery)
    found = await request.app[DATABASE].read(store.held_of, community, site, page.after, page.limit)
    if found is None:
        raise Refused(NOT_FOUND, f"{community} has no site {site}")
    stands, batches, incidents = found
    return answer(
        HeldAnswer(
            site=site,
            quarantined_at=_time(stands.quarantined_at),
            quarantine_reason=stands.quarantine_reason,
            batches=[_item(batch) for batch in batches],
            next=batches[-1].place if len(batches) == page.limit else None,
            incidents=[IncidentMember(**asdict(item) | {"at": time_text(item.at)}) for item in incidents],
        )
    )


def _item(batch: HeldBatch) -> HeldItem:
    return HeldItem(
        epoch=batch.epoch,
        seq=batch.seq,
        hash=batch.hash,
        reason=batch.reason,
        received_at=time_text(batch.received_ms // 1000),
        due_at=_time(batch.due_at),
        contradicts=batch.contradicts,
    )


def _time(at: int | None) -> str | None:
    return None if at is None else time_text(min(at, TIME_MAX))


SITE = "/v1/communities/{community}/sites/{site}"

ENDPOINTS = (
    Endpoint(
        "GET",
        SITE + "/held",
        "Batches of a site that are not settled, and its newest incidents",
        get_held,
        scope=STAFF,
        query=HeldQuery,
        answers={200: HeldAnswer},
        problems=(NOT_FOUND,),
    ),
    Endpoint(
        "POST",
        SITE + "/quarantine/lift",
        "Let a quarantined site be settled again: 201 lifted, 200 it was lifted so before",
        lift_quarantine,
        scope=STAFF,
        body=LiftBody,
        answers={201: LiftAnswer, 200: LiftAnswer},
        problems=(NOT_FOUND, NOT_QUARANTINED),
    ),
)
