"""Changing a site: another address, new credentials, a cloud where there was none."""

from collections.abc import Callable

from homeassistant.config_entries import ConfigEntryState
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType

from custom_components.commonwatt.const import DOMAIN

from .fake_cloud import GOOD_CODE, FakeCloud, problem, serve
from .house import MockConfigEntry, key_files, site_of
from .test_cloud import until


async def test_a_cloud_that_forgot_the_site_leads_to_pairing_again(
    hass: HomeAssistant,
    cloud: FakeCloud,
    make_paired: Callable[..., MockConfigEntry],
    expected_logs: list[str],
) -> None:
    """A new one-time code, shown with the same key, brings new credentials; the site and its key stay."""
    expected_logs += ["no longer knows this site"]
    entry = make_paired()
    assert await hass.config_entries.async_setup(entry.entry_id)
    await hass.async_block_till_done()
    await entry.runtime_data.async_close(hass, entry.entry_id)
    cloud.authorised = False
    assert await hass.config_entries.async_reload(entry.entry_id)
    await until(hass, lambda: hass.config_entries.flow.async_progress_by_handler(DOMAIN))
    [flow] = hass.config_entries.flow.async_progress_by_handler(DOMAIN)
    assert flow["step_id"] == "reauth_confirm"

    result = await hass.config_entries.flow.async_configure(flow["flow_id"], {"code": "WRONG"})
    assert result["errors"] == {"base": "code_refused"}
    result = await hass.config_entries.flow.async_configure(flow["flow_id"], {"code": GOOD_CODE})
    assert (result["type"], result["reason"]) == (FlowResultType.ABORT, "reauth_successful")
    await hass.async_block_till_done()
    assert entry.data["client_secret"] == "client-secret-1"
    assert cloud.pairings[-1].name == "Home"
    assert entry.state is ConfigEntryState.LOADED


async def test_pairing_again_never_takes_over_another_site(
    hass: HomeAssistant, cloud: FakeCloud, make_paired: Callable[..., MockConfigEntry]
) -> None:
    """If the cloud answers with another site, nothing is changed."""
    entry = make_paired()
    cloud.site = "site-2"
    result = await entry.start_reauth_flow(hass)
    result = await hass.config_entries.flow.async_configure(result["flow_id"], {"code": GOOD_CODE})
    assert (result["type"], result["reason"]) == (FlowResultType.ABORT, "wrong_site")
    assert entry.data["client_secret"] == "client-secret-0"


async def test_pairing_again_needs_the_sites_own_key(
    hass: HomeAssistant, cloud: FakeCloud, make_paired: Callable[..., MockConfigEntry], expected_logs: list[str]
) -> None:
    """With the key gone the dialogue says so and makes no other."""
    expected_logs += ["The site's key"]
    entry = make_paired()
    for file in key_files(hass, entry):
        file.unlink()
    result = await entry.start_reauth_flow(hass)
    result = await hass.config_entries.flow.async_configure(result["flow_id"], {"code": GOOD_CODE})
    assert result["errors"] == {"base": "key_failed"}
    assert cloud.pairings == []


async def test_a_cloud_may_move(
    hass: HomeAssistant, cloud: FakeCloud, make_paired: Callable[..., MockConfigEntry], unused_tcp_port: int
) -> None:
    """A new address is taken only if the same cloud answers there, by its key, and knows the site."""
    entry = make_paired()
    assert await hass.config_entries.async_setup(entry.entry_id)
    flow = await entry.start_reconfigure_flow(hass)
    assert (flow["type"], flow["step_id"]) == (FlowResultType.FORM, "reconfigure")

    async def submit(url: str) -> dict[str, str]:
        result = await hass.config_entries.flow.async_configure(flow["flow_id"], {"url": url})
        assert result["type"] is FlowResultType.FORM
        return result["errors"] or {}

    stranger = FakeCloud()
    elsewhere = await serve(stranger)
    assert await submit("nonsense") == {"url": "invalid_url"}
    assert await submit(f"http://127.0.0.1:{unused_tcp_port}") == {"base": "cannot_connect"}
    assert await submit(stranger.url) == {"base": "not_this_cloud"}
    stranger.refusal = problem(404, "", "who?")
    assert await submit(stranger.url) == {"base": "not_this_cloud"}

    stranger.refusal, stranger.private = None, cloud.private
    result = await hass.config_entries.flow.async_configure(flow["flow_id"], {"url": stranger.url + "/"})
    assert (result["type"], result["reason"]) == (FlowResultType.ABORT, "reconfigure_successful")
    await hass.async_block_till_done()
    assert entry.data["url"] == stranger.url
    assert entry.state is ConfigEntryState.LOADED
    await elsewhere.close()


async def test_a_site_without_a_cloud_may_get_one(
    hass: HomeAssistant, cloud: FakeCloud, local: MockConfigEntry
) -> None:
    """The key it always had becomes its key at the cloud, and its taps stay."""
    key_id = local.data["key_id"]
    menu = await local.start_reconfigure_flow(hass)
    assert (menu["type"], menu["menu_options"]) == (FlowResultType.MENU, ["pair", "local"])
    await hass.config_entries.flow.async_configure(menu["flow_id"], {"next_step_id": "pair"})
    joining = {"url": cloud.url, "code": GOOD_CODE, "name": "New home", "send_place": False}
    result = await hass.config_entries.flow.async_configure(menu["flow_id"], joining)
    assert (result["type"], result["reason"]) == (FlowResultType.ABORT, "reconfigure_successful")
    await hass.async_block_till_done()
    assert (local.unique_id, local.title, local.data["key_id"]) == (cloud.site, "New home", key_id)
    assert "main_owner" not in local.data
    assert set(site_of(local).taps) == {"T1", "T2"}
    assert local.runtime_data.cloud is not None


async def test_a_site_without_a_cloud_may_change_its_interval(hass: HomeAssistant, local: MockConfigEntry) -> None:
    """Name, main owner's name and interval change; the owner's id stays, for intervals are kept under it."""
    menu = await local.start_reconfigure_flow(hass)
    await hass.config_entries.flow.async_configure(menu["flow_id"], {"next_step_id": "local"})
    changed = {"name": "Old home", "main_owner": "Anna B.", "interval_seconds": "300"}
    result = await hass.config_entries.flow.async_configure(menu["flow_id"], changed)
    assert result["reason"] == "reconfigure_successful"
    await hass.async_block_till_done()
    assert local.title == "Old home"
    assert site_of(local).settings.interval_seconds == 300
    assert site_of(local).settings.owners == {"anna": "Anna B.", "ben": "Ben"}


async def test_a_site_is_not_paired_twice(
    hass: HomeAssistant, cloud: FakeCloud, local: MockConfigEntry, make_paired: Callable[..., MockConfigEntry]
) -> None:
    """If the code leads to a site that is set up already, the one without a cloud stays as it was."""
    make_paired()
    menu = await local.start_reconfigure_flow(hass)
    await hass.config_entries.flow.async_configure(menu["flow_id"], {"next_step_id": "pair"})
    joining = {"url": cloud.url, "code": GOOD_CODE, "name": "Home", "send_place": False}
    result = await hass.config_entries.flow.async_configure(menu["flow_id"], joining)
    assert (result["type"], result["reason"]) == (FlowResultType.ABORT, "already_configured")
    assert "site" not in local.data


async def test_a_new_address_is_not_tried_without_the_sites_key(
    hass: HomeAssistant, cloud: FakeCloud, make_paired: Callable[..., MockConfigEntry], expected_logs: list[str]
) -> None:
    """Nothing could be signed there."""
    expected_logs += ["The site's key"]
    entry = make_paired()
    for file in key_files(hass, entry):
        file.unlink()
    flow = await entry.start_reconfigure_flow(hass)
    result = await hass.config_entries.flow.async_configure(flow["flow_id"], {"url": cloud.url})
    assert result["errors"] == {"base": "key_failed"}
