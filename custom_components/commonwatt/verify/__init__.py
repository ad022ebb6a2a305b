"""Verify: holds what the cloud says in a statement against what the site itself measured and was promised. Pure."""

from .finding import Altered, Report, Unwitnessed
from .own import Own, OwnInterval, Promised
from .statements import Kept, verify

__all__ = ["Altered", "Kept", "Own", "OwnInterval", "Promised", "Report", "Unwitnessed", "verify"]
