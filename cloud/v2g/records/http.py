"""Gives out what cables signed, to the letter, so that anyone may verify it; and to staff what was found."""

from aiohttp import web

from cloud.endpoint import DATABASE, Endpoint, answer, query_of
from cloud.errors import NOT_FOUND, Refused
from cloud.principal import READERS, STAFF, Scope, principal_of
from cloud.v2g.cables.cable import Cable
from cloud.wire import time_text
from cloud.wire.strict import TIME_MAX

from .bodies import FindingItem, FindingsAnswer, FindingsQuery, RecordItem, RecordsAnswer, RecordsQuery
from .pages.store import Kept, findings_page, records_page
from .signed import Finding


async def get_records(request: web.Request) -> web.Response:
    """Return a page of what a cable signed, to those who read its driver's community and to the driver."""
    page = query_of(request, RecordsQuery)
    found = await request.app[DATABASE].read(records_page, request.match_info["cable"], page.after, page.limit)
    cable, records = _reachable(request, found)
    return answer(
        RecordsAnswer(
            cable=cable.cable,
            public_key=cable.public_key,
            records=[_record(item) for item in records],
            next=records[-1].signed.number if len(records) == page.limit else None,
        )
    )


async def get_findings(request: web.Request) -> web.Response:
    """Return a page of what was found not to be in order with a cable's records."""
    page = query_of(request, FindingsQuery)
    found = await request.app[DATABASE].read(findings_page, request.match_info["cable"], page.after, page.limit)
    cable, findings = _reachable(request, found)
    last = findings[-1].finding if len(findings) == page.limit else None
    return answer(FindingsAnswer(cable=cable.cable, findings=[_finding(item) for item in findings], next=last))


def _reachable[T](request: web.Request, found: tuple[Cable, list[T]] | None) -> tuple[Cable, list[T]]:
    """Return what was found if the cable is of the community in the path, and the caller's own if it is an owner."""
    owner = principal_of(request).owner
    if found is None or found[0].community != request.match_info["community"] or owner not in (None, found[0].owner):
        raise Refused(NOT_FOUND, f"there is no cable {request.match_info['cable']} here")
    return found


def _record(item: Kept) -> RecordItem:
    signed = item.signed
    return RecordItem(
        number=signed.number,
        site=signed.site,
        start=_time(signed.start),
        seconds=signed.seconds,
        import_wh=signed.import_wh,
        export_wh=signed.export_wh,
        import_from_wh=signed.import_from_wh,
        export_from_wh=signed.export_from_wh,
        delivered_by=signed.delivered_site,
        refused=signed.refused,
        payload_hash=signed.payload_hash,
        stored_at=time_text(item.stored_at),
        ocmf=item.raw,
    )


def _finding(item: Finding) -> FindingItem:
    return FindingItem(
        finding=item.finding,
        kind=item.kind,
        community=item.community,
        site=item.site,
        number=item.number,
        through=item.through,
        at=_time(item.at),
        found_at=time_text(item.found_at),
        closed_at=None if item.closed_at is None else time_text(item.closed_at),
        detail=item.detail,
        evidence=item.evidence,
    )


def _time(at: int) -> str:
    return time_text(min(at, TIME_MAX))  # a record may name any year


CABLE = "/v1/communities/{community}/cables/{cable}"

ENDPOINTS = (
    Endpoint(
        "GET",
        CABLE + "/records",
        "What a V2G cable signed, each record to the letter",
        get_records,
        scope=(*READERS, Scope.OWNER),
        query=RecordsQuery,
        answers={200: RecordsAnswer},
        problems=(NOT_FOUND,),
    ),
    Endpoint(
        "GET",
        CABLE + "/findings",
        "What was found not to be in order with the records of a V2G cable",
        get_findings,
        scope=STAFF,
        query=FindingsQuery,
        answers={200: FindingsAnswer},
        problems=(NOT_FOUND,),
    ),
)
