"""The brand: Home Assistant shows our own pictures, and asks nobody on the internet for them."""

from pathlib import Path

from homeassistant.components.brands.const import ALLOWED_IMAGES
from homeassistant.core import HomeAssistant
from homeassistant.setup import async_setup_component
import pytest
from pytest_homeassistant_custom_component.typing import ClientSessionGenerator

PICTURES = Path(__file__).parents[2] / "custom_components" / "commonwatt" / "brand"
SOURCES = Path(__file__).parents[2] / "docs" / "brand"


@pytest.mark.parametrize("name", sorted(ALLOWED_IMAGES))
async def test_our_own_picture_is_shown(
    hass: HomeAssistant, hass_client: ClientSessionGenerator, expected_logs: list[str], name: str
) -> None:
    """For light and dark, for every density."""
    expected_logs.append("zlib_ng and isal are not available")
    assert await async_setup_component(hass, "brands", {})
    client = await hass_client()
    answer = await client.get(f"/api/brands/integration/commonwatt/{name}")
    assert answer.status == 200
    assert await answer.read() == (PICTURES / name).read_bytes()


def test_every_picture_has_its_drawing() -> None:
    """`scripts/brand` makes them anew."""
    drawn = {path.stem for path in SOURCES.glob("*.svg")}
    assert {name.removesuffix(".png").removesuffix("@2x") for name in ALLOWED_IMAGES} == drawn
