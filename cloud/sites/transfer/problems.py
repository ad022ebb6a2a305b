"""The problems of transfers and passcodes."""

from cloud.errors import ProblemKind

OWNER_NOT_TRANSFERRED = ProblemKind("owner-not-transferred", 422, "A tap changes hands only by a transfer")
PASSCODE_REFUSED = ProblemKind("passcode-refused", 403, "This is not the passcode of this tap")
PASSCODE_NOT_SET = ProblemKind("passcode-not-set", 409, "This tap has no passcode yet")
PASSCODE_SET = ProblemKind("passcode-set", 409, "This tap has a passcode already")
SAME_OWNER = ProblemKind("same-owner", 422, "The tap is this owner's already")
TRANSFER_PENDING = ProblemKind("transfer-pending", 409, "A transfer of this tap is under way")
TRANSFER_CONFLICT = ProblemKind("transfer-conflict", 409, "This is not how things stand")
