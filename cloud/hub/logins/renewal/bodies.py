"""What the endpoints of passwords read and answer."""

from cloud.endpoint import Body
from cloud.hub.devices.listing.bodies import InitialPassword
from cloud.sites.bodies import Identifier, Time


class InitialBody(Body):
    """The initial password that a device is set up with; without it one is drawn."""

    initial_password: InitialPassword | None = None


class InitialAnswer(Body):
    """A device's new initial password, shown this once, and by when it must register."""

    device: Identifier
    initial_password: str
    initial_until: Time


class PasswordAnswer(Body):
    """A device's new unique password, shown this once."""

    device: Identifier
    password: str
