"""Backups: what is copied is whole, whatever is measured meanwhile, and a restored copy is believed."""

from pathlib import Path
import shutil

from homeassistant.components.backup.const import DATA_MANAGER
from homeassistant.components.backup.manager import BackupManager
from homeassistant.core import HomeAssistant
from homeassistant.setup import async_setup_component
import pytest

from custom_components.commonwatt.errors import OutboxError
from custom_components.commonwatt.link import Outbox

from .house import MockConfigEntry, site_of
from .link.material import LENGTH, START, boundaries, interval


@pytest.fixture
async def manager(hass: HomeAssistant, local: MockConfigEntry, expected_logs: list[str]) -> BackupManager:
    """Return Home Assistant's backups, which have found our platform."""
    expected_logs += ["zlib_ng and isal are not available", "Setting up"]
    assert await async_setup_component(hass, "backup", {})
    await hass.async_block_till_done()
    return hass.data[DATA_MANAGER]


def outbox_file(hass: HomeAssistant, entry: MockConfigEntry) -> Path:
    """Return where a site's outbox lies."""
    return Path(hass.config.path("commonwatt", entry.data["key_id"], "outbox.db"))


async def keep(entry: MockConfigEntry, number: int) -> None:
    """Keep an interval."""
    await entry.runtime_data.store.async_keep(interval(number), boundaries(number))


def starts(path: Path, tmp_path: Path) -> list[int]:
    """Return which intervals lie in a copy of the one file alone."""
    copy = tmp_path / "restored" / "outbox.db"
    copy.parent.mkdir()
    shutil.copy(path, copy)
    outbox = Outbox.open(copy)
    found = [item.interval.start for item in outbox.witnessed(0, START + 100 * LENGTH)]
    outbox.close()
    shutil.rmtree(copy.parent)
    return found


async def test_a_copy_made_during_a_backup_is_whole(
    hass: HomeAssistant, local: MockConfigEntry, manager: BackupManager, tmp_path: Path
) -> None:
    """What was measured before is in the one file; what is measured meanwhile does not touch it, and comes after it."""
    file = outbox_file(hass, local)
    await keep(local, 0)
    await manager.async_pre_backup_actions()
    copied = file.read_bytes()
    assert starts(file, tmp_path) == [START]
    for number in range(1, 4):
        await keep(local, number)
    assert file.read_bytes() == copied
    await manager.async_post_backup_actions()
    await manager.async_pre_backup_actions()
    assert starts(file, tmp_path) == [START + number * LENGTH for number in range(4)]
    await manager.async_post_backup_actions()


async def test_a_site_that_closes_during_a_backup_leaves_the_file_alone(
    hass: HomeAssistant, local: MockConfigEntry, manager: BackupManager
) -> None:
    """SQLite would bring everything into the file as its last connection ends; and a closed site stops no backup."""
    file = outbox_file(hass, local)
    await manager.async_pre_backup_actions()
    copied = file.read_bytes()
    await keep(local, 0)
    assert await hass.config_entries.async_unload(local.entry_id)
    assert file.read_bytes() == copied
    await manager.async_post_backup_actions()
    assert await hass.config_entries.async_setup(local.entry_id)
    assert (await local.runtime_data.store.async_begin())[0] == START + LENGTH


async def test_an_outbox_opened_anew_during_a_backup_still_stands_still(hass: HomeAssistant, tmp_path: Path) -> None:
    """After a failure of the disk the file is opened again, and the backup is not over."""
    path = tmp_path / "outbox.db"
    outbox = Outbox.open(path)
    outbox.rest()
    copied = path.read_bytes()
    outbox.close()
    outbox.keep_interval(interval(0), boundaries(0))
    outbox.close()
    assert path.read_bytes() == copied
    outbox.resume()
    outbox.depth()
    outbox.close()
    assert path.read_bytes() != copied


@pytest.mark.parametrize(("step", "words"), [("rest", "the backup may lack"), ("resume", "could not go on")])
async def test_an_outbox_that_fails_stops_no_backup(  # noqa: PLR0917
    hass: HomeAssistant,
    local: MockConfigEntry,
    manager: BackupManager,
    expected_logs: list[str],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    step: str,
    words: str,
) -> None:
    """The rest of the house is backed up, and the log says what may be lacking."""

    def fail(_outbox: Outbox) -> None:
        raise OutboxError("disk I/O error")

    expected_logs.append(words)
    monkeypatch.setattr(Outbox, step, fail)
    await manager.async_pre_backup_actions()
    await manager.async_post_backup_actions()
    assert "disk I/O error" in caplog.text
    assert site_of(local).last_update_success
