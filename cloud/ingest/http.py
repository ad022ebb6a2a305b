"""Takes in batches: size, token, signature, form, site, then the chain; answers only what is durable, signed."""

from collections import OrderedDict
from collections.abc import Callable

from aiohttp import web

from cloud.bulk import Group
from cloud.database import Database, bucket_of
from cloud.endpoint import CLOCK_MS, DATABASE, Endpoint, raw_body, signed_answer
from cloud.errors import FORBIDDEN, MALFORMED, SIGNATURE_REFUSED, ProblemKind, Refused
from cloud.principal import Scope, site_of
from cloud.sites.access.store import keys_of
from cloud.sites.key import signer
from cloud.wire import SENT_HEADER, SIGNATURE_HEADER, Answer, Batch, Result, digest, parse_batch
from cloud.wire.strict import INTEGER_MAX

from . import store
from .arrivals.arrival import Arrival, Evidence
from .batches.store import head_of
from .bodies import AnswerMessage, BatchMessage, HeadMessage

EQUIVOCATION = ProblemKind("equivocation", 409, "This number was given to other bytes before")
CHAIN_BROKEN = ProblemKind("chain-broken", 409, "The batch does not fit its neighbours in the chain")
NOT_SIGNED = "the batch is not signed with a valid key of this site"
SITES_KNOWN = 20_000  # whose keys are kept at hand, a few hundred bytes each
HEARD: web.AppKey[Callable[[str, str, int, int], None]] = web.AppKey("heard")
"""Is told of a site's clock with each batch: community, site, what it showed, and when that came (milliseconds)."""

STATUS: dict[Result, int] = {"created": 201, "exists": 200, "held": 202}


class Intake:
    """Takes in the batches of one process: knows sites' keys, and keeps what arrives together in one transaction."""

    def __init__(self, database: Database) -> None:
        """Begin with no key known."""
        self._database = database
        self._keys: OrderedDict[tuple[str, str], dict[str, str]] = OrderedDict()
        self._group = Group(database, store.keep_all, lane=self._lane, key=_site)

    def _lane(self, item: Arrival) -> int:
        return 0 if self._database.one_writer else bucket_of(item.community)  # one transaction, one bucket

    async def signer(self, community: str, site: str, raw: bytes, signature: str) -> str | None:
        """Return with which key of a site these bytes are signed, None if with none that it has or has had lately."""
        known = self._keys.get((community, site), {})
        kid = signer(signature, raw, known)
        if kid is None:
            known = await self._database.read(keys_of, community, site)
            kid = signer(signature, raw, known)
        if kid is not None:
            self._keys[community, site] = known
            self._keys.move_to_end((community, site))
            if len(self._keys) > SITES_KNOWN:
                self._keys.popitem(last=False)
        return kid

    async def keep(self, item: Arrival) -> store.Kept:
        """Keep a batch; whether the key that signed it is still the site's is seen within the transaction."""
        kept = await self._group.write(item)
        if kept is None:
            self._keys.pop(_site(item), None)
            raise Refused(SIGNATURE_REFUSED, NOT_SIGNED)
        return kept


def _site(item: Arrival) -> tuple[str, str]:
    return item.community, item.batch.site


INTAKE = web.AppKey("intake", Intake)


async def post_batch(request: web.Request) -> web.Response:
    """Keep one signed batch of the caller."""
    community, site = site_of(request)
    received_ms, echo_ms = request.app[CLOCK_MS](), _sent_ms(request)
    evidence = await _evidence(request, community, site, received_ms)
    batch = parse_batch(evidence.raw)
    if batch.site != site:
        raise Refused(FORBIDDEN, "the batch is of another site")
    kept = await request.app[INTAKE].keep(Arrival(community, batch, evidence))
    if echo_ms is not None:
        request.app[HEARD](community, site, echo_ms, received_ms)
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
    kid = await request.app[INTAKE].signer(community, site, raw, signature)
    if kid is None:
        raise Refused(SIGNATURE_REFUSED, NOT_SIGNED)
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
