"""The problems only the list of devices has."""

from cloud.errors import ProblemKind

DEVICE_TAKEN = ProblemKind("device-taken", 409, "Another device of the hub has this id")
DEVICE_HEARD = ProblemKind("device-heard", 409, "This device has registered or was heard of")
NOT_REGISTERED = ProblemKind("device-not-registered", 409, "This device has no unique password yet")
IMPORT_REFUSED = ProblemKind("import-refused", 422, "The list holds rows that cannot be taken; nothing is kept")
