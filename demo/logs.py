"""What cloud and site complained about in their logs: an unasked error fails a run, even if the sums fit."""

import json
from pathlib import Path
import re

SITE_ERROR = re.compile(r"^\S+ \S+ (?:ERROR|CRITICAL) .*commonwatt.*$", re.MULTILINE)
SHOWN_MAX = 5


def complaints(cloud: Path, assistant: Path) -> list[str]:
    """Return the first errors of the cloud's log and the integration's in Home Assistant's, one line each."""
    return [*_cloud_errors(cloud), *_site_errors(assistant)][:SHOWN_MAX]


def _cloud_errors(log: Path) -> list[str]:
    found = []
    for line in log.read_text(errors="replace").splitlines():
        try:
            record = json.loads(line)
        except ValueError:
            continue  # what a library printed without the cloud's logging
        if record["level"] in {"ERROR", "CRITICAL"}:
            cause = record.get("traceback", "").strip().rpartition("\n")[2]
            found.append(f"cloud: {record['logger']}: {record['message']} {cause}".rstrip())
    return found


def _site_errors(log: Path) -> list[str]:
    return [f"site: {line}" for line in SITE_ERROR.findall(log.read_text(errors="replace"))]
