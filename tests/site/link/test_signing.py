"""The site's key survives what disks do, and nothing is believed that another key, or another text, was signed for."""

from pathlib import Path
import stat

from nacl.signing import VerifyKey
import pytest

from custom_components.commonwatt.errors import BadSignature, KeyFileError
from custom_components.commonwatt.link import SiteKey, verify_compact, verify_detached
from custom_components.commonwatt.wire import base64url, compact_header, detached_parts, from_base64url

from .cloud_double import CloudKey
from .material import CLOUD_SEED, key

NAMES = ("site.key", "site.key.copy")


def test_a_key_is_the_same_after_a_restart(tmp_path: Path) -> None:
    """Two files for the owner's eyes only, and the same identity whenever they are read."""
    created = SiteKey.create(tmp_path / "keys")
    loaded = SiteKey.load(tmp_path / "keys")
    assert (loaded.public_key, loaded.kid) == (created.public_key, created.kid)
    for name in NAMES:
        assert stat.S_IMODE((tmp_path / "keys" / name).stat().st_mode) == 0o600


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("damage", ["gone", "empty", "torn", "flipped"])
def test_one_damaged_file_is_healed_from_the_other(tmp_path: Path, name: str, damage: str) -> None:
    """A power cut or a bad sector costs one file, not the identity."""
    public_key = SiteKey.create(tmp_path).public_key
    path = tmp_path / name
    whole = path.read_bytes()
    match damage:
        case "gone":
            path.unlink()
        case "empty":
            path.write_bytes(b"")
        case "torn":
            path.write_bytes(whole[:40])
        case "flipped":
            path.write_bytes(whole[:20] + (b"A" if whole[20:21] != b"A" else b"B") + whole[21:])
    assert SiteKey.load(tmp_path).public_key == public_key
    assert path.read_bytes() == whole


def test_a_lost_key_is_never_replaced_silently(tmp_path: Path) -> None:
    """With neither file whole there is an error, and no new identity."""
    with pytest.raises(KeyFileError):
        SiteKey.load(tmp_path)
    SiteKey.create(tmp_path)
    for name in NAMES:
        (tmp_path / name).write_bytes(b"\xff\x00")
    with pytest.raises(KeyFileError):
        SiteKey.load(tmp_path)


def test_two_different_keys_are_in_doubt(tmp_path: Path) -> None:
    """Which of them is the identity is for a person to say."""
    SiteKey.create(tmp_path / "a")
    SiteKey.create(tmp_path / "b")
    (tmp_path / "a" / NAMES[1]).write_bytes((tmp_path / "b" / NAMES[1]).read_bytes())
    with pytest.raises(KeyFileError, match="different"):
        SiteKey.load(tmp_path / "a")


@pytest.mark.parametrize("name", NAMES)
def test_an_identity_is_never_overwritten(tmp_path: Path, name: str) -> None:
    """Creating refuses where either file is."""
    (tmp_path / name).write_bytes(b"")
    with pytest.raises(KeyFileError, match="there already"):
        SiteKey.create(tmp_path)


def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    """A file where the folder should be is an error of its own kind."""
    (tmp_path / "keys").write_bytes(b"")
    with pytest.raises(KeyFileError):
        SiteKey.create(tmp_path / "keys")
    with pytest.raises(KeyFileError):
        SiteKey.load(tmp_path / "keys")


def test_a_detached_signature_holds_for_its_bytes_only() -> None:
    """One changed byte, another key or a mangled header, and it is not believed."""
    site, raw = key(), b'{"v":1}'
    signature = site.sign(raw)
    verify_detached(site.public_key, signature, raw)
    other = CloudKey(CLOUD_SEED)
    header, _, proof = signature.split(".")
    for public_key, claimed, body in (
        (site.public_key, signature, b'{"v":2}'),
        (other.public_key, signature, raw),
        (site.public_key, other.sign(raw), raw),
        (site.public_key, f"{header}..{proof[:-4]}AAAA", raw),
        (site.public_key, f"{header}.{proof}", raw),
        (site.public_key, "", raw),
        (site.public_key[:-4], signature, raw),
    ):
        with pytest.raises(BadSignature):
            verify_detached(public_key, claimed, body)


def test_a_second_implementation_agrees_on_the_signature() -> None:
    """What one library signs another verifies over the same bytes."""
    site, raw = key(), b"anything at all"
    _, signed, proof = detached_parts(site.sign(raw), raw)
    assert VerifyKey(from_base64url(site.public_key, "key")).verify(signed, proof) == signed


def test_a_compact_message_is_its_signers_own() -> None:
    """The payload comes out only under the right key, and no other header is taken."""
    cloud = CloudKey(CLOUD_SEED)
    token = cloud.compact(b'{"id":"n1"}')
    assert verify_compact(cloud.public_key, token) == b'{"id":"n1"}'
    header, payload, proof = token.split(".")
    unsigned = base64url(b'{"alg":"none"}')
    for public_key, claimed in (
        (key().public_key, token),
        (cloud.public_key, f"{header}.{base64url(b'{"id":"n2"}')}.{proof}"),
        (cloud.public_key, f"{compact_header(key().kid)}.{payload}.{proof}"),
        (cloud.public_key, f"{unsigned}.{payload}."),
        (cloud.public_key, "rubbish"),
    ):
        with pytest.raises(BadSignature):
            verify_compact(public_key, claimed)
