"""The house holds: who may import whom, what a file's name allows it to touch, and how large it may grow."""

import ast
from collections.abc import Iterator
import filecmp
from pathlib import Path
import sys

import pytest

ROOT = Path(__file__).parent.parent
SITE = ROOT / "custom_components" / "commonwatt"
CLOUD = ROOT / "cloud"
DEMO = ROOT / "demo"

# A room may import itself, the rooms named here, and the words everybody shares.
SITE_ROOMS: dict[str, set[str]] = {
    "metering": set(),
    "link": set(),
    "credit": set(),
    "statement": set(),
    "v2g": {"metering"},
    "flexibility": {"metering"},
    "verify": set(),
    "devices": {"metering"},
    "openadr": {"flexibility", "metering"},
}
SITE_PURE = {"metering", "verify", "credit", "statement", "flexibility", "v2g"}
SITE_SHARED = {"wire", "errors"}

CLOUD_ROOMS: dict[str, set[str]] = {
    "sites": set(),
    "ledger": set(),
    "mirror": {"ledger"},  # a program of its own, on another machine
    "ingest": {"sites"},
    "notice": {"sites"},
    "hub": {"sites", "ingest"},
    "tariff": {"sites", "hub"},
    "payment": {"sites", "ledger", "notice"},
    "settlement": {"sites", "ingest", "tariff", "ledger", "notice"},
    "v2g": {"sites", "ingest", "hub", "tariff", "ledger", "notice", "settlement"},  # after it: nothing there knows v2g
    "reservation": {"sites", "ledger", "notice"},
    "flexibility": {"sites", "ingest", "hub", "tariff", "reservation", "ledger", "notice"},
}
CLOUD_FACES = {"openadr", "console"}  # may use any room's public functions
CLOUD_SHARED = {"wire", "guard", "errors", "problem", "endpoint", "principal", "database", "bulk", "config", "outbound"}
CLOUD_RIM = {"app", "doors", "__main__"}  # wire the rooms; nobody imports them

# What only a file of this name may import in a cloud room; every other file there is pure.
CLOUD_RIGHTS: dict[str, set[str]] = {
    "http.py": {"aiohttp", "asyncio"},
    "client.py": {"aiohttp", "asyncio", "aiomqtt", "paho"},
    "store.py": {"sqlalchemy"},
    "job.py": {"asyncio", "time"},
}
TOUCHES_THE_WORLD = {
    *(
        "aiohttp",
        "asyncio",
        "time",
        "socket",
        "os",
        "pathlib",
        "sqlite3",
        "sqlalchemy",
        "alembic",
        "random",
        "threading",
    ),
    *("subprocess", "tempfile", "shutil", "requests", "httpx", "homeassistant", "pymodbus", "modbus_connection"),
    *("aiomqtt", "paho"),
}
CLOCKS = {("datetime", "now"), ("datetime", "utcnow"), ("datetime", "today"), ("date", "today"), ("time", "time")}

FILE_LINES_MAX = 300
TABLE_FILES = {"sensor.py", "quantities.py"}  # description tables may be longer
TABLE_LINES_MAX = 500
FUNCTION_LINES_MAX = 60
FORBIDDEN_NAMES = {"utils.py", "util.py", "manager.py", "misc.py", "common.py"}


def python_files(*folders: Path) -> list[Path]:
    """Return the Python files of these folders, tests and caches left out."""
    return sorted(path for folder in folders for path in folder.rglob("*.py") if "__pycache__" not in path.parts)


def imports(path: Path, root: Path = ROOT) -> Iterator[str]:
    """Yield every module a file imports, relative ones resolved to full names."""
    package = path.relative_to(root).parts[:-1]
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = list(package[: len(package) - node.level + 1]) if node.level else []
            module = ".".join([*base, *([node.module] if node.module else [])])
            yield from (f"{module}.{alias.name}" for alias in node.names)


def room_of(module: str, top: str) -> str | None:
    """Return the room (or top-level file) of a side that a module's full name lies in."""
    if not module.startswith(top + "."):
        return None
    return module[len(top) + 1 :].split(".", maxsplit=1)[0]


def wrong_room_imports(root: Path, top: str, rooms: dict[str, set[str]], shared: set[str]) -> list[str]:
    """Return every import of a room that its house does not allow."""
    folder = root.joinpath(*top.split("."))
    return [
        f"{path.relative_to(root)} imports {name}"
        for path in python_files(folder)
        if (room := path.relative_to(folder).parts[0]) in rooms
        for name in imports(path, root)
        if (room_of(name, top) or room) not in rooms[room] | shared | {room}
    ]


def test_site_rooms_import_only_what_the_house_allows() -> None:
    """Rooms never import the shell, and one another only along the table."""
    assert wrong_room_imports(ROOT, "custom_components.commonwatt", SITE_ROOMS, SITE_SHARED) == []


def test_cloud_rooms_import_only_what_the_house_allows() -> None:
    """A room of the cloud sees only the rooms before it in the flow."""
    assert wrong_room_imports(ROOT, "cloud", CLOUD_ROOMS, CLOUD_SHARED) == []


@pytest.mark.parametrize(("folder", "rooms"), [(SITE, set(SITE_ROOMS)), (CLOUD, set(CLOUD_ROOMS) | CLOUD_FACES)])
def test_every_folder_is_a_room_of_the_house(folder: Path, rooms: set[str]) -> None:
    """A new folder of code must first be given its place in the table above."""
    others = {"wire", "flows", "schema", "translations", "brand", "panel", "__pycache__"}
    found = {path.name for path in folder.iterdir() if path.is_dir() and any(path.rglob("*.py"))}
    assert found - others <= rooms


def test_nobody_imports_the_rim_of_the_cloud() -> None:
    """`app` and `__main__` wire the rooms; a room that needs them would turn the flow around."""
    wrong = [
        f"{path.relative_to(ROOT)} imports {name}"
        for path in python_files(CLOUD)
        if path.stem not in CLOUD_RIM
        for name in imports(path)
        if room_of(name, "cloud") in CLOUD_RIM
    ]
    assert wrong == []


def test_cloud_files_touch_the_world_only_where_their_name_says_so() -> None:
    """`http.py` speaks HTTP, `store.py` SQL, `job.py` knows the clock; every other file of a room is pure."""
    wrong = []
    for path in python_files(*(CLOUD / room for room in [*CLOUD_ROOMS, *CLOUD_FACES] if (CLOUD / room).exists())):
        rights = {"aiohttp", "asyncio"} if path.parent.name == "drivers" else CLOUD_RIGHTS.get(path.name, set())
        touched = {name.split(".")[0] for name in imports(path)} & TOUCHES_THE_WORLD
        wrong += [f"{path.relative_to(ROOT)} touches {name}" for name in sorted(touched - rights)]
    assert wrong == []


def test_pure_rooms_of_the_site_touch_nothing() -> None:
    """Metering, flexibility and agreement are values in, values out."""
    wrong = [
        f"{path.relative_to(ROOT)} touches {name}"
        for path in python_files(*(SITE / room for room in SITE_PURE if (SITE / room).exists()))
        for name in imports(path)
        if name.split(".")[0] in TOUCHES_THE_WORLD
    ]
    assert wrong == []


def test_only_the_shell_and_the_devices_know_home_assistant() -> None:
    """Everything else of the site runs, and is tested, without it."""
    wrong = [
        f"{path.relative_to(ROOT)} imports {name}"
        for room in [*SITE_ROOMS, "wire"]
        if room != "devices" and (SITE / room).exists()
        for path in python_files(SITE / room)
        for name in imports(path)
        if name.split(".")[0] == "homeassistant"
    ]
    assert wrong == []


def test_pure_files_take_the_time_as_an_argument() -> None:
    """Nobody but an edge asks the clock."""
    pure = [path for room in CLOUD_ROOMS if (CLOUD / room).exists() for path in python_files(CLOUD / room)]
    pure = [path for path in pure if path.name not in CLOUD_RIGHTS]
    pure += [path for room in SITE_PURE if (SITE / room).exists() for path in python_files(SITE / room)]
    assert [place for path in pure for place in clock_readings(path)] == []


def clock_readings(path: Path) -> Iterator[str]:
    """Yield the places where a file asks what time it is."""
    for node in ast.walk(ast.parse(path.read_text())):
        if (
            isinstance(node, ast.Attribute)
            and isinstance(node.value, ast.Name)
            and (node.value.id, node.attr) in CLOCKS
        ):
            yield f"{path.relative_to(ROOT)}:{node.lineno}"


def test_site_and_cloud_share_words_and_no_code() -> None:
    """Home Assistant installs the integration alone: neither side imports the other, and the demo imports neither."""
    wrong = [
        f"{path.relative_to(ROOT)} imports {name}"
        for path in python_files(SITE)
        for name in imports(path)
        if name.split(".")[0] in {"cloud", "demo"}
    ]
    wrong += [
        f"{path.relative_to(ROOT)} imports {name}"
        for path in python_files(CLOUD)
        for name in imports(path)
        if name.split(".")[0] in {"custom_components", "homeassistant", "voluptuous", "demo"}
    ]
    wrong += [
        f"{path.relative_to(ROOT)} imports {name}"
        for path in python_files(DEMO)
        for name in imports(path)
        if name.split(".")[0] in {"cloud", "custom_components"}
    ]
    assert wrong == []


def test_both_sides_speak_the_same_language_to_the_byte() -> None:
    """`wire` stands twice because neither side may import the other; the copies are equal."""
    names = [path.name for path in sorted((SITE / "wire").glob("*.py"))]
    assert names == [path.name for path in sorted((CLOUD / "wire").glob("*.py"))]
    _, different, missing = filecmp.cmpfiles(SITE / "wire", CLOUD / "wire", names, shallow=False)
    assert (different, missing) == ([], [])


def test_the_language_needs_the_standard_library_only() -> None:
    """A maker can read it, or carry it into another program, as it is."""
    outside = {
        name.split(".")[0]
        for path in python_files(CLOUD / "wire")
        for name in imports(path)
        if not name.startswith("cloud.wire")
    }
    assert outside <= set(sys.stdlib_module_names)


def test_files_and_functions_stay_small_enough_to_read() -> None:
    """A file is one thought; a function needs no table of contents."""
    wrong = []
    for path in python_files(SITE, CLOUD, DEMO):
        text = path.read_text()
        most = TABLE_LINES_MAX if path.name in TABLE_FILES or "versions" in path.parts else FILE_LINES_MAX
        if (lines := text.count("\n")) > most:
            wrong.append(f"{path.relative_to(ROOT)} has {lines} lines")
        if path.name in FORBIDDEN_NAMES:
            wrong.append(f"{path.relative_to(ROOT)} names no job")
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and "versions" not in path.parts:
                length = (node.end_lineno or node.lineno) - node.lineno
                if length > FUNCTION_LINES_MAX:
                    wrong.append(f"{path.relative_to(ROOT)}:{node.lineno} {node.name} has {length} lines")
    assert wrong == []


def test_the_house_would_notice_a_wrong_import(tmp_path: Path) -> None:
    """The rule can fail: a room that imports the shell, a later room or the rim is named, however it spells it."""
    (tmp_path / "cloud" / "ledger").mkdir(parents=True)
    planted = tmp_path / "cloud" / "ledger" / "posting.py"
    planted.write_text(
        "from ..sites import owner\nfrom .. import app\nimport cloud.settlement.share\nfrom ..errors import x\n"
    )
    assert wrong_room_imports(tmp_path, "cloud", CLOUD_ROOMS, CLOUD_SHARED) == [
        "cloud/ledger/posting.py imports cloud.sites.owner",
        "cloud/ledger/posting.py imports cloud.app",
        "cloud/ledger/posting.py imports cloud.settlement.share",
    ]
