"""Adding a site: with a cloud, without one, and what a person sees when it does not work."""

from pathlib import Path
from typing import Any

from aiohttp import web
from homeassistant.config_entries import SOURCE_USER, ConfigFlowResult
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType
import pytest

from custom_components.commonwatt.const import DOMAIN, FOLDER
from custom_components.commonwatt.link import SiteKey

from .fake_cloud import GOOD_CODE, SITE, FakeCloud, problem
from .house import key_folders


async def begin(hass: HomeAssistant, option: str) -> str:
    """Open the menu, choose, and return the dialogue's id."""
    menu = await hass.config_entries.flow.async_init(DOMAIN, context={"source": SOURCE_USER})
    assert menu["type"] is FlowResultType.MENU
    assert menu["menu_options"] == ["pair", "local"]
    form = await hass.config_entries.flow.async_configure(menu["flow_id"], {"next_step_id": option})
    assert (form["type"], form["step_id"]) == (FlowResultType.FORM, option)
    return form["flow_id"]


async def submit(hass: HomeAssistant, flow_id: str, **fields: Any) -> ConfigFlowResult:
    """Send a form."""
    return await hass.config_entries.flow.async_configure(flow_id, fields)


def modes(*folders: Path) -> list[int]:
    """Return who may do what with these folders."""
    return [folder.stat().st_mode & 0o777 for folder in folders]


def pairing(cloud: FakeCloud, **changed: Any) -> dict[str, Any]:
    """Return a form filled in rightly but for what is changed."""
    return {"url": cloud.url, "code": GOOD_CODE, "name": "Home", "send_place": False} | changed


async def test_a_site_pairs_with_a_cloud(hass: HomeAssistant, cloud: FakeCloud) -> None:
    """A code makes a site: its key stays here, its credentials are kept, and nothing of the place is sent unasked."""
    flow_id = await begin(hass, "pair")
    result = await submit(hass, flow_id, **pairing(cloud, url=f" {cloud.url}/ ", code=GOOD_CODE.lower()))
    assert result["type"] is FlowResultType.CREATE_ENTRY
    entry = result["result"]
    assert (entry.title, entry.unique_id) == ("Home", SITE)
    assert dict(entry.data) == {
        "url": cloud.url,
        "key_id": entry.data["key_id"],
        "site": SITE,
        "community": "c",
        "client_id": "client",
        "client_secret": "client-secret-1",
        "cloud_key": cloud.key.public_key,
    }
    [asked] = cloud.pairings
    assert (asked.name, asked.time_zone) == ("Home", hass.config.time_zone)
    assert (asked.latitude_e6, asked.longitude_e6) == (None, None)
    [folder] = key_folders(hass)
    key = await hass.async_add_executor_job(SiteKey.load, folder)
    assert key.public_key == asked.public_key
    assert modes(folder, folder.parent) == [0o700, 0o700]
    await hass.async_block_till_done()


async def test_the_place_is_sent_when_asked_for(hass: HomeAssistant, cloud: FakeCloud) -> None:
    """Latitude and longitude go in millionths of a degree."""
    await submit(hass, await begin(hass, "pair"), **pairing(cloud, send_place=True))
    [asked] = cloud.pairings
    assert asked.latitude_e6 == round(hass.config.latitude * 1_000_000)
    assert asked.longitude_e6 == round(hass.config.longitude * 1_000_000)
    await hass.async_block_till_done()


@pytest.mark.parametrize(
    ("refusal", "errors", "words"),
    [
        (problem(403, "pairing-code-refused", "no"), {"base": "code_refused"}, {}),
        (problem(409, "other-community", "no"), {"base": "code_of_other_community"}, {}),
        (problem(429, "too-many-tries", "no", Retry_After="90"), {"base": "too_many_tries"}, {"minutes": "2"}),
        (problem(429, "too-many-tries", "no"), {"base": "too_many_tries"}, {"minutes": "15"}),
        (problem(422, "bad-key", "small order"), {"base": "refused"}, {"detail": "small order"}),
        (problem(503, "overloaded", "later"), {"base": "cannot_connect"}, {}),
        (web.Response(status=404, text="<html>"), {"base": "not_a_cloud"}, {}),
        (web.Response(status=200, text="<html>hello</html>"), {"base": "not_a_cloud"}, {}),
        (web.Response(status=302, headers={"Location": "/"}), {"base": "not_a_cloud"}, {}),
    ],
)
async def test_a_refused_pairing_says_why_and_can_be_tried_again(
    hass: HomeAssistant, cloud: FakeCloud, refusal: web.Response, errors: dict[str, str], words: dict[str, str]
) -> None:
    """Whatever the cloud answers, the form comes back with its reason, and the next try uses the same key."""
    flow_id = await begin(hass, "pair")
    cloud.refusal = refusal
    result = await submit(hass, flow_id, **pairing(cloud))
    assert result["type"] is FlowResultType.FORM
    assert result["errors"] == errors
    assert result["description_placeholders"] is not None
    assert words.items() <= result["description_placeholders"].items()
    cloud.refusal = None
    keys = [folder.name for folder in key_folders(hass)]
    result = await submit(hass, flow_id, **pairing(cloud))
    assert result["type"] is FlowResultType.CREATE_ENTRY
    assert [result["result"].data["key_id"]] == keys
    await hass.async_block_till_done()


async def test_an_unreachable_cloud_is_named(hass: HomeAssistant, cloud: FakeCloud, unused_tcp_port: int) -> None:
    """Nobody listens at the address; corrected, it works."""
    flow_id = await begin(hass, "pair")
    result = await submit(hass, flow_id, **pairing(cloud, url=f"http://127.0.0.1:{unused_tcp_port}"))
    assert result["errors"] == {"base": "cannot_connect"}
    assert (await submit(hass, flow_id, **pairing(cloud)))["type"] is FlowResultType.CREATE_ENTRY
    await hass.async_block_till_done()


@pytest.mark.parametrize(
    ("url", "error"),
    [
        ("cloud.example.org", "invalid_url"),
        ("ftp://cloud.example.org", "invalid_url"),
        ("https://", "invalid_url"),
        ("https://user:secret@cloud.example.org", "invalid_url"),
        ("https://cloud.example.org:99999", "invalid_url"),
        ("http://cloud.example.org", "insecure_url"),
        ("http://93.184.216.34", "insecure_url"),
    ],
)
async def test_a_wrong_address_is_never_asked(hass: HomeAssistant, url: str, error: str) -> None:
    """What is no address, or would send secrets in the clear over the internet, is refused at the field."""
    result = await submit(hass, await begin(hass, "pair"), url=url, code="x", name="Home", send_place=False)
    assert result["errors"] == {"url": error}
    assert key_folders(hass) == []


async def test_a_name_and_a_code_are_needed(hass: HomeAssistant) -> None:
    """Blank fields are refused at the field."""
    flow_id = await begin(hass, "pair")
    result = await submit(hass, flow_id, url="https://cloud.example.org", code="  ", name=" ", send_place=False)
    assert result["errors"] == {"code": "code_refused", "name": "invalid_name"}


async def test_the_same_site_is_not_added_twice(hass: HomeAssistant, cloud: FakeCloud) -> None:
    """A second pairing that leads to the same site ends at once."""
    await submit(hass, await begin(hass, "pair"), **pairing(cloud))
    result = await submit(hass, await begin(hass, "pair"), **pairing(cloud))
    assert (result["type"], result["reason"]) == (FlowResultType.ABORT, "already_configured")
    await hass.async_block_till_done()


async def test_the_key_of_an_abandoned_pairing_is_shown_again(hass: HomeAssistant, cloud: FakeCloud) -> None:
    """The answer may have been lost: the cloud knows the code by its first key, so a new dialogue shows that key."""
    flow_id = await begin(hass, "pair")
    cloud.refusal = problem(503, "overloaded", "later")
    await submit(hass, flow_id, **pairing(cloud))
    [first] = key_folders(hass)
    hass.config_entries.flow.async_abort(flow_id)
    cloud.refusal = None
    result = await submit(hass, await begin(hass, "pair"), **pairing(cloud))
    assert result["result"].data["key_id"] == first.name
    await hass.async_block_till_done()


async def test_two_dialogues_at_once_never_share_a_key(hass: HomeAssistant, cloud: FakeCloud) -> None:
    """Each site has its own identity, however its dialogues overlap."""
    cloud.refusal = problem(503, "overloaded", "later")
    for flow_id in (await begin(hass, "pair"), await begin(hass, "pair")):
        await submit(hass, flow_id, **pairing(cloud))
    assert len(key_folders(hass)) == 2


async def test_a_site_runs_without_a_cloud(hass: HomeAssistant) -> None:
    """Name, main owner and the length of an interval are all it needs; its key waits for a later pairing."""
    flow_id = await begin(hass, "local")
    result = await submit(hass, flow_id, name="Home", main_owner=" ", interval_seconds="900")
    assert result["errors"] == {"main_owner": "invalid_name"}
    result = await submit(hass, flow_id, name="Home", main_owner="Anna Bauer", interval_seconds="900")
    assert result["type"] is FlowResultType.CREATE_ENTRY
    entry = result["result"]
    assert dict(entry.data) == {
        "key_id": entry.unique_id,
        "main_owner": "anna_bauer",
        "main_owner_name": "Anna Bauer",
        "interval_seconds": 900,
    }
    assert [folder.name for folder in key_folders(hass)] == [entry.data["key_id"]]
    await hass.async_block_till_done()


async def test_a_folder_that_cannot_be_written_is_told(
    hass: HomeAssistant, tmp_path: Path, expected_logs: list[str]
) -> None:
    """Without a place for its key a site is not made."""
    expected_logs.append("The site's key: cannot be written")
    in_the_way = tmp_path / FOLDER
    in_the_way.touch()
    flow_id = await begin(hass, "local")
    result = await submit(hass, flow_id, name="Home", main_owner="Anna", interval_seconds="900")
    assert result["errors"] == {"base": "key_failed"}
    in_the_way.unlink()
    result = await submit(hass, flow_id, name="Home", main_owner="Anna", interval_seconds="900")
    assert result["type"] is FlowResultType.CREATE_ENTRY
    await hass.async_block_till_done()


async def test_folders_that_are_no_keys_are_left_alone(hass: HomeAssistant, tmp_path: Path) -> None:
    """What was put aside, a key under another name, and whatever else lies there: a new site gets a key of its own."""
    (tmp_path / FOLDER / "removed-20260101").mkdir(parents=True)
    SiteKey.create(tmp_path / FOLDER / "copied")
    flow_id = await begin(hass, "local")
    result = await submit(hass, flow_id, name="Home", main_owner="Anna", interval_seconds="900")
    assert result["result"].data["key_id"] not in ("copied", "removed-20260101")
    assert {"copied", "removed-20260101"} < {folder.name for folder in key_folders(hass)}
    await hass.async_block_till_done()
