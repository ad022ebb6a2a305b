"""A golden statement and its root: both sides read them alike, hash them alike, and write them again to the byte."""

from collections.abc import Callable
import json
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
import pytest

from cloud.wire import compact_parts, detached_parts, digest, from_base64url, root as cloud_root, to_bytes
from cloud.wire.merkle import holds
from cloud.wire.statement_reader import parse_statement as cloud_statement
from custom_components.commonwatt.wire import WireError, root as site_root
from custom_components.commonwatt.wire.statement_reader import parse_statement as site_statement

GOLDEN: dict[str, Any] = json.loads((Path(__file__).parent / "vectors" / "statement.json").read_text(encoding="utf-8"))
RAW = GOLDEN["statement"]["text"].encode()
KEY = Ed25519PublicKey.from_public_bytes(from_base64url(GOLDEN["cloud_key"]["public_key"], "key"))

each_side = pytest.mark.parametrize("parse", [cloud_statement, site_statement], ids=["cloud", "site"])


@each_side
def test_a_statement_read_and_written_again_is_the_same_to_the_byte(parse: Callable[[bytes], Any]) -> None:
    """There is one canonical form, and both sides write it."""
    assert to_bytes(parse(RAW)) == RAW
    assert digest(RAW) == GOLDEN["statement"]["sha256"]


@pytest.mark.parametrize("parse", [cloud_root.parse_root, site_root.parse_root], ids=["cloud", "site"])
def test_a_root_read_and_written_again_is_the_same_to_the_byte(parse: Callable[[bytes], Any]) -> None:
    """Its payload is what the next root names."""
    raw = GOLDEN["root"]["text"].encode()
    assert to_bytes(parse(raw)) == raw
    assert digest(raw) == GOLDEN["root"]["sha256"]


def test_both_are_signed_by_the_cloud() -> None:
    """The statement detached over its raw bytes, the root with its payload inside."""
    kid, signed, proof = detached_parts(GOLDEN["statement"]["signature"], RAW)
    KEY.verify(proof, signed)
    assert kid == GOLDEN["cloud_key"]["kid"]
    _, payload, signed, proof = compact_parts(GOLDEN["root"]["compact"])
    KEY.verify(proof, signed)
    assert payload == GOLDEN["root"]["text"].encode()


def test_every_entry_lies_under_the_root() -> None:
    """By nothing but what is written in the file."""
    statement = json.loads(RAW)
    root = json.loads(compact_parts(statement["roots"][0])[1])
    for entry in statement["entries"]:
        leaf = bytes.fromhex(digest(to_bytes(entry["public"])))
        path = [bytes.fromhex(item) for item in entry["path"]]
        assert holds(leaf, entry["index"], root["count"], path, bytes.fromhex(root["root"]))
        assert digest(entry["document"].encode()) == entry["public"]["evidence"]


@each_side
@pytest.mark.parametrize(
    ("path", "value", "where"),
    [
        (("v",), 2, "statement.v"),
        (("to",), "2026-11-21T00:00:00Z", "statement.to"),
        (("opening_micro",), 1.5, "body"),
        (("lines", 0, "quality"), "fine", "statement.lines.quality"),
        (("lines", 0, "net_wh"), "7", "statement.lines.net_wh"),
        (("corrections", 0, "revision"), 0, "statement.corrections.revision"),
        (("movements", 0, "cause"), "", "statement.movements.cause"),
        (("transfers", 0, "came"), 1, "statement.transfers.came"),
        (("entries", 0, "path"), ["x"], "statement.entries.path"),
        (("entries", 0, "postings"), [["a"]], "statement.entries.postings"),
        (("roots",), [7], "statement.roots"),
        (("lines",), {}, "statement.lines"),
    ],
)
def test_a_wrong_member_is_named(
    parse: Callable[[bytes], Any], path: tuple[str | int, ...], value: Any, where: str
) -> None:
    """Whoever gets it wrong is told where."""
    data = json.loads(RAW)
    place = data
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    with pytest.raises(ValueError, match=where):
        parse(json.dumps(data).encode())
    assert issubclass(WireError, ValueError)
