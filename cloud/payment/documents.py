"""What entries of this room are made from, in canonical bytes: kind, amounts and reference, and nobody's name."""

import hashlib
import hmac
from typing import Any

from cloud.ledger.account import Account
from cloud.ledger.cause import kind_of, reference_of
from cloud.ledger.posting import Entry, postings_of
from cloud.wire import digest, time_text, to_bytes

BLIND_DIGITS = 32


def entry_of(
    community: str, cause: str, amounts_micro: dict[Account, int], now: int, **about: Any
) -> tuple[Entry, bytes]:
    """Return an entry that moves these amounts now, and the document it is made from."""
    kind = kind_of(cause)
    assert kind is not None
    members = {"v": 1, "community": community, "kind": kind, "reference": reference_of(cause), "at": time_text(now)}
    document = to_bytes(members | about)
    legs = postings_of({account.id: amount_micro for account, amount_micro in amounts_micro.items()})
    return Entry(community, cause, now, now, digest(document), legs), document


def blind(secret: str, owner: str) -> str:
    """Return what stands for an owner where another one reads: only who knows the secret can tell."""
    return hmac.new(bytes.fromhex(secret), owner.encode(), hashlib.sha256).hexdigest()[:BLIND_DIGITS]
