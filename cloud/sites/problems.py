"""The problems only this room's endpoints have."""

from cloud.errors import ProblemKind

INTERVAL_FIXED = ProblemKind("interval-fixed", 409, "Sites measure by this interval already")
CODE_REFUSED = ProblemKind("pairing-code-refused", 403, "This pairing code opens nothing")
OTHER_COMMUNITY = ProblemKind("other-community", 409, "This site belongs to another community")
KEY_REFUSED = ProblemKind("public-key-refused", 422, "This is no public key that can hold anybody to their word")
UNKNOWN_OWNER = ProblemKind("unknown-owner", 422, "The community has no such owner")
TREE_CONFLICT = ProblemKind("tree-conflict", 409, "Another tree stands under this revision")
TREE_REVISION = ProblemKind("tree-revision", 409, "A tree's revision follows the one before")
TREE_TIME = ProblemKind("tree-time", 422, "A tree is valid from an interval boundary on")
