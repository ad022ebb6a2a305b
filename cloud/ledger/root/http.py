"""Roots for everybody, the whole ledger for those who mirror it, and the way to sign a root too."""

from aiohttp import web
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from cloud.endpoint import DATABASE, Endpoint, answer, body_of, now, query_of
from cloud.errors import CONFLICT, NOT_FOUND, SIGNATURE_REFUSED, Refused
from cloud.ledger.chain import Link
from cloud.principal import CLOUD_KEY, READERS
from cloud.wire import WireError, compact_parts, from_base64url, parse_time, thumbprint, time_text
from cloud.wire.root import DAY_SECONDS

from . import store
from .bodies import (
    CountersignAnswer,
    CountersignatureItem,
    CountersignBody,
    LedgerAnswer,
    LedgerEntry,
    LedgerQuery,
    RootItem,
    RootsAnswer,
    RootsQuery,
)
from .store import Countersignature, KeptRoot


async def get_roots(request: web.Request) -> web.Response:
    """List the roots of a community: they name nobody, so nobody is asked for a token; where there are none, none."""
    query = query_of(request, RootsQuery)
    after = -DAY_SECONDS if query.after is None else parse_time(query.after, "after")
    page = await request.app[DATABASE].read(store.roots_page, request.match_info["community"], after, query.limit)
    following = time_text(page[-1].day) if len(page) == query.limit else None
    cloud_key = request.app[CLOUD_KEY].public_key
    return answer(RootsAnswer(cloud_key=cloud_key, roots=[_root(kept) for kept in page], next=following))


def _root(kept: KeptRoot) -> RootItem:
    stands = kept.stands()
    others = [CountersignatureItem(kid=o.kid, public_key=o.public_key, signed=o.signed) for o in kept.countersignatures]
    return RootItem(
        day=time_text(stands.day),
        first=stands.first,
        count=stands.count,
        root=stands.root,
        previous=stands.previous,
        signed=kept.signed,
        countersignatures=others,
    )


async def post_countersignature(request: web.Request) -> web.Response:
    """Keep a mirror's signature under a root; it must be over the very payload that the cloud signed."""
    community, day = request.match_info["community"], parse_time(request.match_info["day"], "day")
    body = await body_of(request, CountersignBody)
    kept = await request.app[DATABASE].read(store.root_of, community, day)
    if kept is None:
        raise Refused(NOT_FOUND, f"{community} has no root of {time_text(day)}")
    by = _countersignature(body, kept)
    created = await request.app[DATABASE].write(store.countersign, community, day, by, now(request))
    if created is None:
        raise Refused(CONFLICT, f"{store.COUNTERSIGNERS_MAX} others have signed this root; no more are kept")
    return answer(CountersignAnswer(kid=by.kid, created=created), status=201 if created else 200)


def _countersignature(body: CountersignBody, kept: KeptRoot) -> Countersignature:
    try:
        kid, payload, signed, proof = compact_parts(body.signed)
        public_key = from_base64url(body.public_key, "public_key")
        Ed25519PublicKey.from_public_bytes(public_key).verify(proof, signed)
    except WireError as error:
        raise Refused(SIGNATURE_REFUSED, str(error)) from None
    except InvalidSignature, ValueError:
        raise Refused(SIGNATURE_REFUSED, "the signature does not fit the payload and the key") from None
    if kid != thumbprint(body.public_key):
        raise Refused(SIGNATURE_REFUSED, "the signature names another key")
    if payload != compact_parts(kept.signed)[1]:
        raise Refused(SIGNATURE_REFUSED, "what was signed is not the root that stands here")
    return Countersignature(kid, body.public_key, body.signed)


async def get_ledger(request: web.Request) -> web.Response:
    """List entries with their postings and documents: all it takes to hold the whole ledger in another place."""
    query, community = query_of(request, LedgerQuery), request.match_info["community"]
    page, head = await request.app[DATABASE].read(store.ledger_page, community, query.after, query.limit)
    entries = [_entry(link, document) for link, document in page]
    following = entries[-1].number if entries and entries[-1].number < head.number else None
    return answer(LedgerAnswer(entries=entries, head_number=head.number, head_hash=head.hash, next=following))


def _entry(link: Link, document: bytes | None) -> LedgerEntry:
    return LedgerEntry(
        number=link.number,
        prev_hash=link.prev_hash,
        hash=link.hash,
        cause=link.cause,
        valued_at=time_text(link.valued_at),
        made_at=time_text(link.made_at),
        evidence=link.evidence,
        salt=link.salt,
        postings=[(leg.account, leg.amount_micro) for leg in link.postings],
        document=None if document is None else document.decode(),
    )


COMMUNITY = "/v1/communities/{community}"

ENDPOINTS = (
    Endpoint(
        "GET",
        COMMUNITY + "/roots",
        "Each day's root of the ledger, signed, for everybody to keep",
        get_roots,
        query=RootsQuery,
        answers={200: RootsAnswer},
    ),
    Endpoint(
        "POST",
        COMMUNITY + "/roots/{day}/signatures",
        "Sign a root too, as a mirror that has verified all before it",
        post_countersignature,
        scope=READERS,
        body=CountersignBody,
        answers={200: CountersignAnswer, 201: CountersignAnswer},
        problems=(NOT_FOUND, CONFLICT, SIGNATURE_REFUSED),
    ),
    Endpoint(
        "GET",
        COMMUNITY + "/ledger",
        "The ledger whole: entries with postings and documents",
        get_ledger,
        scope=READERS,
        query=LedgerQuery,
        answers={200: LedgerAnswer},
    ),
)
