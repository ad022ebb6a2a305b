"""Errors in the logs are found, and nothing else is."""

import json
from pathlib import Path

from demo.logs import complaints

ASSISTANT_LOG = """\
2026-11-21 09:03:28.302 WARNING (SyncWorker_0) [homeassistant.loader] We found a custom integration commonwatt
2026-11-21 09:03:28.544 ERROR (MainThread) [haffmpeg.core] FFmpeg fails
2026-11-21 09:03:29.000 ERROR (MainThread) [custom_components.commonwatt.coordinator] the outbox failed
Traceback (most recent call last):
"""


def test_errors_of_cloud_and_integration_are_found_with_their_causes(tmp_path: Path) -> None:
    """The cause is the last line of a traceback; other programs' troubles are not ours."""
    cloud, assistant = tmp_path / "cloud.log", tmp_path / "homeassistant.log"
    failed = {
        "level": "ERROR",
        "logger": "cloud.job",
        "message": "settling failed",
        "traceback": "Trace:\n  x\nOops: y\n",
    }
    settled = {"level": "INFO", "logger": "cloud.job", "message": "settled"}
    cloud.write_text(f"a library's own line\n{json.dumps(settled)}\n{json.dumps(failed)}\n")
    assistant.write_text(ASSISTANT_LOG)
    assert complaints(cloud, assistant) == [
        "cloud: cloud.job: settling failed Oops: y",
        "site: 2026-11-21 09:03:29.000 ERROR (MainThread) [custom_components.commonwatt.coordinator] the outbox failed",
    ]


def test_quiet_logs_have_nothing_to_complain_about(tmp_path: Path) -> None:
    """Warnings and information are no errors."""
    cloud, assistant = tmp_path / "cloud.log", tmp_path / "homeassistant.log"
    cloud.write_text("")
    assistant.write_text(ASSISTANT_LOG.splitlines()[0])
    assert complaints(cloud, assistant) == []
