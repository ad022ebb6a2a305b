"""Which payment providers this cloud knows: those it was given the secrets of."""

from collections.abc import Mapping

from .provider import Provider
from .stripe import Stripe

VOUCHER = "voucher"  # the operator's own way: no provider, and no money that passes here


def providers(*, stripe_webhook_secret: str) -> Mapping[str, Provider]:
    """Return the providers by the name they have in paths; a new one is added here and in `Config`."""
    return {"stripe": Stripe(stripe_webhook_secret)} if stripe_webhook_secret else {}
