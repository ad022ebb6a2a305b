"""Which notices say how things stand, so that a newer one makes the older ones pointless."""

BALANCE = "balance"
CABLES = "cables"  # what cables that concern the site have earned or signed is another: fetch their standings anew
CREDIT = "credit"  # how every owner of taps at the site stands, and so whose taps are to be cut off
OWNER = "owner"  # a tap is to be another owner's from a boundary on
PERMISSION = "permission"  # some cables at the site may do more or less than they were told: at once
PRICES = "prices"  # of the site's community or its owners: fetch them anew
SETTINGS = "settings"  # of the site's community: fetch them anew
STATEMENT = "statement"  # a day is settled and sealed: its statement can be fetched and verified
SUPERSEDING_KINDS = frozenset({BALANCE, CABLES, CREDIT, PRICES, SETTINGS, STATEMENT})
