"""Signs what is delivered: HMAC-SHA-256 over the time and the raw body, by a secret that is stored nowhere. Pure."""

from collections.abc import Sequence
import hashlib
import hmac

from cloud.principal import CloudKey
from cloud.v2g.corrections.correction import Correction
from cloud.wire import base64url, digest, to_bytes

SIGNATURE_HEADER = "Commonwatt-Webhook-Signature"
PURPOSE = "provider webhook"


def secret_of(key: CloudKey, subscription: str) -> str:
    """Return the secret of a subscription: derived from the cloud's key, so that no database holds it."""
    return base64url(hmac.digest(key.derive(PURPOSE), subscription.encode(), "sha256"))


def signature(secret: str, raw: bytes, now: int) -> str:
    """Return the header: `t=<seconds>,v1=<hex>`, where the hex is the HMAC over `<seconds>.` and the body."""
    mark = hmac.new(secret.encode(), f"{now}.".encode() + raw, hashlib.sha256).hexdigest()
    return f"t={now},v1={mark}"


def message(subscription: str, corrections: Sequence[Correction]) -> bytes:
    """Return the body of a delivery. Its `id` is the same whenever the same is delivered again."""
    community, numbers = corrections[0].community, (corrections[0].number, corrections[-1].number)
    return to_bytes(
        {
            "v": 1,
            "id": digest(to_bytes([subscription, community, *numbers]))[:32],
            "type": "corrections",
            "community": community,
            "corrections": [item.plain() for item in corrections],
        }
    )
