"""Stands in for a package that only a C++ compiler can install: Home Assistant's voice control, unused in the demo.

Without a module of this name Home Assistant cannot answer the browser's first questions.
"""


class AudioProcessor:
    """Would suppress noise."""

    def __init__(self, _auto_gain: int, _noise_suppression: int) -> None:
        raise NotImplementedError("the demo's Home Assistant has no voice control")
