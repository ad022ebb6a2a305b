"""A device that cannot be linked: silent, with its reason."""

import pytest

from custom_components.commonwatt.devices.absent import AbsentDevice
from custom_components.commonwatt.errors import DeviceError


async def test_an_absent_meter_says_why() -> None:
    """It stands in for one that cannot be linked."""
    with pytest.raises(DeviceError, match="no link"):
        await AbsentDevice("no link").async_read()
    with pytest.raises(DeviceError, match="no link"):
        await AbsentDevice("no link").async_command("charge", value=True)
