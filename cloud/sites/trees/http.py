"""Takes in a site's tap tree: signed, numbered, and answered with the cloud's signature."""

from aiohttp import web

from cloud.endpoint import DATABASE, Endpoint, now, raw_body, signed_answer
from cloud.errors import FORBIDDEN, SIGNATURE_REFUSED, ProblemKind, Refused
from cloud.principal import Scope, site_of
from cloud.sites.access.store import keys_of
from cloud.sites.bodies import TreeAnswerMessage, TreeMessage
from cloud.sites.key import signer
from cloud.sites.problems import TREE_CONFLICT, TREE_REVISION, TREE_TIME, UNKNOWN_OWNER
from cloud.sites.transfer.problems import OWNER_NOT_TRANSFERRED
from cloud.wire import SIGNATURE_HEADER, TreeAnswer, digest, parse_tree

from . import store
from .boundary import Verdict

REFUSALS: dict[Verdict, tuple[ProblemKind, str]] = {
    "tree-conflict": (TREE_CONFLICT, "this revision was kept with other bytes; send the next revision"),
    "tree-revision": (TREE_REVISION, "the revision must be one more than the newest kept"),
    "tree-time": (TREE_TIME, "valid_from must be on an interval boundary of the community"),
    "unknown-owner": (UNKNOWN_OWNER, "a tap's owner is not an owner of the community"),
    "owner-not-transferred": (
        OWNER_NOT_TRANSFERRED,
        "a tap is somebody else's than before, or from another time on, than the cloud has a transfer for",
    ),
}


async def put_tree(request: web.Request) -> web.Response:
    """Keep a new revision of the caller's tree."""
    community, site = site_of(request)
    raw, signature = await raw_body(request), request.headers.get(SIGNATURE_HEADER, "")
    keys = await request.app[DATABASE].read(keys_of, community, site)
    if signer(signature, raw, keys) is None:
        raise Refused(SIGNATURE_REFUSED, "the tree is not signed with a valid key of this site")
    tree = parse_tree(raw)
    if tree.site != site:
        raise Refused(FORBIDDEN, "the tree is of another site")
    verdict = await request.app[DATABASE].write(
        store.keep_tree, community, tree, raw=raw, signature=signature, now=now(request)
    )
    match verdict:
        case "created" | "exists":
            message = TreeAnswer(site, tree.rev, digest(raw), verdict)
            return signed_answer(request, message, 201 if verdict == "created" else 200)
        case _:
            raise Refused(*REFUSALS[verdict])


ENDPOINTS = (
    Endpoint(
        "PUT",
        "/v1/sites/{site}/tree",
        "Keep a revision of a site's tap tree: 201 created, 200 it was there already",
        put_tree,
        scope=Scope.SITE,
        body=TreeMessage,
        signed_body=True,
        answers={201: TreeAnswerMessage, 200: TreeAnswerMessage},
        signed_answer=True,
        problems=(TREE_CONFLICT, TREE_REVISION, TREE_TIME, UNKNOWN_OWNER, OWNER_NOT_TRANSFERRED),
    ),
)
