"""Names and limits the shell's files share."""

import logging
from typing import Final

DOMAIN: Final = "commonwatt"
LOGGER: Final = logging.getLogger(__package__)

FOLDER: Final = "commonwatt"  # in the configuration folder: keys and outboxes, one folder per site key
OUTBOX_FILE: Final = "outbox.db"

# What a config entry holds. A site without a cloud has main_owner and interval_seconds of its own; a paired one has the
# cloud's words for both and the members from CONF_SITE on.
CONF_KEY_ID: Final = "key_id"
CONF_LAST_TAP: Final = "last_tap"
CONF_MAIN_OWNER: Final = "main_owner"
CONF_MAIN_OWNER_NAME: Final = "main_owner_name"
CONF_INTERVAL_SECONDS: Final = "interval_seconds"
CONF_SITE: Final = "site"
CONF_COMMUNITY: Final = "community"
CONF_CLIENT_ID: Final = "client_id"
CONF_CLIENT_SECRET: Final = "client_secret"  # noqa: S105
CONF_CLOUD_KEY: Final = "cloud_key"

CONF_SEND_PLACE: Final = "send_place"

# What its options hold: whether visiting cables are added by themselves, below which tap, and what is sent along.
CONF_VISITING_CABLES: Final = "visiting_cables"
CONF_VISITING_TAP: Final = "visiting_tap"
CONF_SEND_TELEMETRY: Final = "send_telemetry"  # voltage, current and power at the taps whose energy is reported

SUBENTRY_METER: Final = "meter"
SUBENTRY_TAP: Final = "tap"
SUBENTRY_CHARGER: Final = "charger"
SUBENTRY_CABLE: Final = "cable"
SUBENTRY_BATTERY: Final = "battery"

# What a subentry holds.
CONF_TAP: Final = "tap"
CONF_OWNER: Final = "owner"
CONF_OWNER_NAME: Final = "owner_name"
CONF_UPSTREAM: Final = "upstream"
CONF_PASSCODE: Final = "passcode"  # never kept: it goes from a form to the cloud
CONF_REPEATED: Final = "repeated"
CONF_RATED_POWER_W: Final = "rated_power_w"
CONF_SOURCE: Final = "source"
CONF_IMPORT_ENTITY: Final = "import_entity"
CONF_EXPORT_ENTITY: Final = "export_entity"
CONF_POWER_ENTITY: Final = "power_entity"
CONF_ENTITIES: Final = "entities"  # by quantity or command: other entities of the adopted device
CONF_INVERTED: Final = "inverted"
CONF_DIRECTION: Final = "direction"  # of energy at an adopted device; absent: what its entities say
CONF_LINE: Final = "line"  # absent: tcp
CONF_BAUDRATE: Final = "baudrate"
CONF_PARITY: Final = "parity"
CONF_STOPBITS: Final = "stopbits"
CONF_PART: Final = "part"  # of a SunSpec device
CONF_LINES: Final = "lines"  # never kept: where a search looks, and for whom
CONF_FIRST_UNIT_ID: Final = "first_unit_id"
CONF_LAST_UNIT_ID: Final = "last_unit_id"
CONF_FOUND: Final = "found"
CONF_UNIT_ID: Final = "unit_id"
CONF_PROFILE: Final = "profile"
CONF_SERIAL: Final = "serial"
CONF_PUBLIC_KEY: Final = "public_key"  # of a cable, as it was met first: DER in hex
CONF_VISITOR: Final = "visitor"  # a cable that was added by the standing consent, and goes by itself
CONF_BREAKER_ENTITY: Final = "breaker_entity"
CONF_ESSENTIAL: Final = "essential"
SECTION_MORE_OPTIONS: Final = "more_options"

SOURCE_ENTITIES: Final = "entities"
SOURCE_MODBUS: Final = "modbus"
SOURCE_SUNSPEC: Final = "sunspec"  # a choice in the dialogue: kept as a Modbus source
PROFILE_SUNSPEC: Final = "sunspec"  # in the place of a register map: the device itself says where everything stands

LINE_TCP: Final = "tcp"
LINE_RTU_OVER_TCP: Final = "rtu_over_tcp"
LINE_SERIAL: Final = "serial"

UPSTREAM_GRID: Final = "grid"

INTERVAL_SECONDS_DEFAULT: Final = 1800
INTERVAL_CHOICES: Final = (60, 300, 900, 1800)
POLLS_PER_INTERVAL: Final = 12
POLL_SECONDS_MIN: Final = 1
POLL_SECONDS_MAX: Final = 10
GRACE_POLLS: Final = 2  # so long a boundary waits for a meter that is late, and a meter may be late before it is silent

NAME_LENGTH_MAX: Final = 100  # what the wire carries of a name

CLOCK_OFFSET_MS_MAX: Final = 2_000
UNREACHABLE_SECONDS_MAX: Final = 3_600
