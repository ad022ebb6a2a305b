"""What can go wrong outside of us, one small tree: the rim of the integration translates it once.

What the domain refuses is a value (a refused reading), not an exception; messages that do not say what they must raise
`wire.WireError`.
"""


class CommonwattError(Exception):
    """The root: the world, not this program, failed."""


class DeviceError(CommonwattError):
    """A device is silent or answers nonsense."""

    def __init__(self, detail: str) -> None:
        super().__init__(detail)
        self.detail = detail


class CloudUnreachable(CommonwattError):  # noqa: N818
    """The cloud could not be asked, or could not answer for now; `retry_after_s` if it said when to come back."""

    def __init__(self, detail: str, retry_after_s: float | None = None) -> None:
        super().__init__(detail)
        self.detail = detail
        self.retry_after_s = retry_after_s


class CloudRefused(CommonwattError):  # noqa: N818
    """The cloud understood and said no: HTTP status, the last word of the problem's type, and its detail."""

    def __init__(self, status: int, problem_type: str, detail: str, retry_after_s: float | None = None) -> None:
        super().__init__(f"{status} {problem_type}: {detail}")
        self.status = status
        self.problem_type = problem_type
        self.detail = detail
        self.retry_after_s = retry_after_s


class NotAuthorised(CloudRefused):
    """The cloud no longer knows this site's credentials: only pairing again helps."""


class BadSignature(CommonwattError):  # noqa: N818
    """A message that is not signed by whom it must be; it is not believed."""


class KeyFileError(CommonwattError):
    """The site's key is missing, torn or in doubt; no new one is made in its place."""


class OutboxError(CommonwattError):
    """The outbox could not be opened, read or written; nothing was acknowledged and nothing is deleted."""

    def __init__(self, detail: str) -> None:
        super().__init__(detail)
        self.detail = detail
