"""The problems that only the endpoints of cables have."""

from cloud.errors import ProblemKind

CABLE_TAKEN = ProblemKind("cable-taken", 409, "A cable with this serial number is registered already")
CABLE_KEY_TAKEN = ProblemKind("cable-key-taken", 409, "This key is registered for another cable already")
CABLE_STATE = ProblemKind("cable-state", 409, "The cable cannot become that from what it is")
PROOF_REFUSED = ProblemKind("cable-proof-refused", 422, "The record does not show that the key is this cable's")
