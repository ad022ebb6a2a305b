"""Credit is pure: its tests start no Home Assistant."""

import pytest


@pytest.fixture(autouse=True)
def _custom_integrations() -> None:
    """Stand in for the shell's fixture of this name."""
