"""Every message between site and cloud: values, their canonical bytes, and the strict way back.

The same folder stands in the site and in the cloud, byte for byte, because neither may import the other (a test holds
them equal, golden vectors hold their meaning). Times are whole seconds since 1970 in values and texts like
`2026-11-21T05:30:00Z` on the wire; energy is whole Wh, money whole micro-points. Members nobody knows are ignored, so
that an older reader understands a newer writer.
"""

from .batch import READINGS_MAX, Batch, Incident, Intervals, Quality, TapColumns, parse_batch
from .notice import Balance, Notice, parse_balance, parse_notice
from .session import (
    Answer,
    Head,
    Paired,
    PairingRequest,
    Result,
    Settings,
    TreeAnswer,
    parse_answer,
    parse_head,
    parse_paired,
    parse_pairing_request,
    parse_settings,
    parse_tree_answer,
)
from .signature import (
    SENT_HEADER,
    SIGNATURE_HEADER,
    base64url,
    compact_header,
    compact_parts,
    detached_header,
    detached_parts,
    from_base64url,
    thumbprint,
)
from .strict import BODY_BYTES_MAX, GENESIS, VERSION, WireError, digest, parse_time, time_text, to_bytes
from .tree import ISLAND, TAPS_MAX, Tree, TreeTap, parse_tree

__all__ = [
    "BODY_BYTES_MAX",
    "GENESIS",
    "ISLAND",
    "READINGS_MAX",
    "SENT_HEADER",
    "SIGNATURE_HEADER",
    "TAPS_MAX",
    "VERSION",
    "Answer",
    "Balance",
    "Batch",
    "Head",
    "Incident",
    "Intervals",
    "Notice",
    "Paired",
    "PairingRequest",
    "Quality",
    "Result",
    "Settings",
    "TapColumns",
    "Tree",
    "TreeAnswer",
    "TreeTap",
    "WireError",
    "base64url",
    "compact_header",
    "compact_parts",
    "detached_header",
    "detached_parts",
    "digest",
    "from_base64url",
    "parse_answer",
    "parse_balance",
    "parse_batch",
    "parse_head",
    "parse_notice",
    "parse_paired",
    "parse_pairing_request",
    "parse_settings",
    "parse_time",
    "parse_tree",
    "parse_tree_answer",
    "thumbprint",
    "time_text",
    "to_bytes",
]
