"""Every test of adopted devices may plug in an integration of its own."""

from collections.abc import Generator

from homeassistant.config_entries import ConfigFlow
import pytest
from pytest_homeassistant_custom_component.common import mock_config_flow

from .plug import PLUG


@pytest.fixture(autouse=True)
def _plug() -> Generator[None]:
    """Let Home Assistant find the integration's config flow."""
    with mock_config_flow(PLUG, ConfigFlow):
        yield
