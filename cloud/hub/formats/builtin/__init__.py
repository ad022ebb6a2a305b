"""The formats that the hub brings along: nobody can register another under their codes."""

from collections.abc import Mapping

from cloud.hub.formats.book import Format

from . import echonet, ocmf, ocpp, prices, sunspec, unified, weather

PARTS = (unified, ocpp, sunspec, echonet, ocmf, prices, weather)

BUILT_IN: Mapping[str, Format] = {each.code: each for part in PARTS for each in part.FORMATS}
