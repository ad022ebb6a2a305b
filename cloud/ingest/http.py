"""Takes in batches: size, token, signature, form, site, then the chain; answers only what is durable, signed."""

from aiohttp import web

from cloud.endpoint import CLOCK_MS, DATABASE, Endpoint, raw_body, signed_answer
from cloud.errors import FORBIDDEN, MALFORMED, SIGNATURE_REFUSED, ProblemKind, Refused
from cloud.principal import Scope, site_of
from cloud.sites.access.store import keys_of
from cloud.sites.key import signer
from cloud.wire import SENT_HEADER, SIGNATURE_HEADER, Answer, Batch, Result, digest, parse_batch
from cloud.wire.strict import INTEGER_MAX

from . import store
from .batches.store import Evidence, head_of
from .bodies import AnswerMessage, BatchMessage, HeadMessage

EQUIVOCATION = ProblemKind("equivocation", 409, "This number was given to other bytes before")
CHAIN_BROKEN = ProblemKind("chain-broken", 409, "The batch does not fit its neighbours in the chain")
STATUS: dict[Result, int] = {"created": 201, "exists": 200, "held": 202}


async def post_batch(request: web.Request) -> web.Response:
    """Keep one signed batch of the caller."""
    community, site = site_of(request)
    received_ms, echo_ms = request.app[CLOCK_MS](), _sent_ms(request)
    evidence = await _evidence(request, community, site, received_ms)
    batch = parse_batch(evidence.raw)
    if batch.site != site:
        raise Refused(FORBIDDEN, "the batch is of another site")
    kept = await request.app[DATABASE].write(store.keep, community, batch, evidence)
    answer = Answer(
        site=site,
        epoch=batch.epoch,
        seq=batch.seq,
        hash=evidence.hash,
        result=_result(batch, kept),
        acked_through=kept.acked_through,
        received_ms=received_ms,
        sent_ms=request.app[CLOCK_MS](),
        echo_ms=echo_ms,
        reason=kept.held,
    )
    return signed_answer(request, answer, STATUS[answer.result])


async def _evidence(request: web.Request, community: str, site: str, received_ms: int) -> Evidence:
    raw, signature = await raw_body(request), request.headers.get(SIGNATURE_HEADER, "")
    kid = signer(signature, raw, await request.app[DATABASE].read(keys_of, community, site))
    if kid is None:
        raise Refused(SIGNATURE_REFUSED, "the batch is not signed with a valid key of this site")
    return Evidence(raw, digest(raw), signature, kid, received_ms)


def _sent_ms(request: web.Request) -> int | None:
    text = request.headers.get(SENT_HEADER)
    if text is None:
        return None
    if not (text.isascii() and text.isdigit()) or len(text) > 16 or int(text) > INTEGER_MAX:
        raise Refused(MALFORMED, f"{SENT_HEADER} is not a whole number of milliseconds")
    return int(text)


def _result(batch: Batch, kept: store.Kept) -> Result:
    name = f"epoch {batch.epoch}, number {batch.seq}"
    match kept.verdict:
        case "equivocation":
            raise Refused(EQUIVOCATION, f"{name} was kept with other bytes; both are kept and the site is quarantined")
        case "chain-broken":
            raise Refused(CHAIN_BROKEN, f"{name} does not follow what is stored; ask for the head, open a new epoch")
        case "exists":
            return "exists"
        case "created":
            return "held" if kept.held else "created"


async def get_head(request: web.Request) -> web.Response:
    """Tell a site where its chain stands, before it writes anything after a start."""
    head = await request.app[DATABASE].read(head_of, *site_of(request))
    return signed_answer(request, head)


ENDPOINTS = (
    Endpoint(
        "POST",
        "/v1/batches",
        "Keep a batch: 201 created, 200 it was there already, 202 held",
        post_batch,
        scope=Scope.SITE,
        body=BatchMessage,
        signed_body=True,
        answers={201: AnswerMessage, 200: AnswerMessage, 202: AnswerMessage},
        signed_answer=True,
        problems=(EQUIVOCATION, CHAIN_BROKEN),
    ),
    Endpoint(
        "GET",
        "/v1/sites/{site}/head",
        "Where a site's chain stands",
        get_head,
        scope=Scope.SITE,
        answers={200: HeadMessage},
        signed_answer=True,
    ),
)
