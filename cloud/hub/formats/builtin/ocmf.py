"""Meter registers out of a record in the Open Charge Metering Format. Its signature is not looked at here. Pure.

What a record *proves* is judged where cables are; here it is one more way to tell what a meter said. The register of a
transaction has the point `transaction`, the meter's own has none.
"""

import re
from typing import Literal

from cloud.hub.formats.book import Format
from cloud.hub.formats.document import Document, UnreadableError
from cloud.hub.formats.gathered import Gathered
from cloud.hub.formats.units import NoNumber, unit_of, whole_of
from cloud.hub.quantity import Quantity
from cloud.hub.reading import Reading
from cloud.wire import Refused, parse_ocmf

# of an OBIS code: 1 and B are import, 2 and C export; B2, B3, C2 and C3 begin anew with each transaction
REGISTER = re.compile(r"(?:.*[-:])?(1|2|[BC][0-3])(?:\.|$).*", re.ASCII)

type Direction = Literal["B", "C"]


def matches(document: Document) -> bool:
    """Tell whether a message is a record."""
    return document.raw.startswith(b"OCMF|")


def reads(document: Document, into: Gathered) -> int | None:
    """Take the registers of a record; what its meter itself marks as wrong is a fault."""
    record = parse_ocmf(document.text(("utf-8",)).strip())
    if isinstance(record, Refused):
        raise UnreadableError("wrong-shape", f"the record is {record.reason}", record.where)
    for number, reading in enumerate(record.readings):
        if reading.register_wh is None:
            continue
        if reading.state != "G" or "E" in reading.errors:
            into.fault(number, "meter-not-good", "ST", f"the meter says of itself {reading.state}{reading.errors}")
            continue
        match = REGISTER.fullmatch(reading.obis or "1")
        if match is None:
            into.fault(number, "unknown-register", "RI", f"{reading.obis} is no register of energy")
            continue
        unit = unit_of(Quantity.IMPORT_REGISTER, "Wh")
        assert unit is not None
        whole = whole_of(reading.register_wh, unit)
        assert not isinstance(whole, NoNumber)  # the record's reader bounds it
        export = match[1][0] in "2C"
        quantity = Quantity.EXPORT_REGISTER if export else Quantity.IMPORT_REGISTER
        point = "transaction" if match[1][1:] in ("2", "3") else ""
        into.add(number, "RV", Reading("", point, quantity, reading.at_ms, 0, whole))
    return None


FORMATS = (Format("ocmf", 1, "OCMF records (their signature is not looked at)", matches, reads, built_in=True),)
