"""A device says by multicast DNS that it is there, on this machine only."""

from ipaddress import ip_address

from zeroconf import ServiceInfo
from zeroconf.asyncio import AsyncZeroconf

from .listening import HOST, Endpoint

SERVICE = "_commonwatt._tcp.local."


class Announcement:
    """What a cable announces while it is in a socket; nothing of it has to be believed."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._zeroconf: AsyncZeroconf | None = None

    async def make(self, endpoint: Endpoint, serial: str) -> None:
        """Announce it."""
        told = {"serial": serial, "kind": "cable", "unit_id": str(endpoint.unit), "map": "1"}
        info = ServiceInfo(
            SERVICE,
            f"{serial}.{SERVICE}",
            port=endpoint.port,
            addresses=[ip_address(endpoint.host).packed],
            properties=told | ({"name": self._name} if self._name else {}),
            server=f"{serial.lower()}.local.",
        )
        self._zeroconf = AsyncZeroconf(interfaces=[HOST])
        await (await self._zeroconf.async_register_service(info))

    async def withdraw(self) -> None:
        """Take it back."""
        if self._zeroconf is not None:
            zeroconf, self._zeroconf = self._zeroconf, None
            await zeroconf.async_unregister_all_services()
            await zeroconf.async_close()
