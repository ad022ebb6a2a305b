"""Every endpoint of this room, and what it must be given by whoever wires it."""

from .purchases import http as purchases
from .purchases.http import BALANCE_MOVED, PROVIDERS
from .redemptions import http as redemptions
from .transfers import http as transfers
from .vouchers import http as vouchers

ENDPOINTS = (*purchases.ENDPOINTS, *vouchers.ENDPOINTS, *redemptions.ENDPOINTS, *transfers.ENDPOINTS)

__all__ = ["BALANCE_MOVED", "ENDPOINTS", "PROVIDERS"]
