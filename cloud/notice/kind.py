"""Which notices say how things stand, so that a newer one makes the older ones pointless."""

BALANCE = "balance"
SUPERSEDING_KINDS = frozenset({BALANCE})
