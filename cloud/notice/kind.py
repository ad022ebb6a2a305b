"""Which notices say how things stand, so that a newer one makes the older ones pointless."""

BALANCE = "balance"
SETTINGS = "settings"  # of the site's community: fetch them anew
SUPERSEDING_KINDS = frozenset({BALANCE, SETTINGS})
