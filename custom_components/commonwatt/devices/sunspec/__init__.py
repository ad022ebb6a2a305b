"""SunSpec devices: found by scanning for their chain of models, read and told by what its models are for."""

from .device import SunSpecDevice, sunspec_device
from .find import NotSunSpec, SunSpecFound, SunSpecPart, async_find

__all__ = ["NotSunSpec", "SunSpecDevice", "SunSpecFound", "SunSpecPart", "async_find", "sunspec_device"]
