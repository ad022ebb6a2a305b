"""The code of an integration, read without running it: what the quality scale asks of every module."""

import ast
from collections.abc import Callable, Iterator
from pathlib import Path
import re

from homeassistant.const import Platform

from .actions import REGISTERS
from .reading import read_json, sources

PLATFORMS = {platform.value for platform in Platform}
ENTRY_HOOKS = {
    *("async_setup_entry", "async_unload_entry", "async_remove_entry", "async_migrate_entry"),
    *("async_remove_config_entry_device", "async_get_config_entry_diagnostics", "async_get_device_diagnostics"),
}
LISTENING = {"listen", "async_listen", "async_dispatcher_connect", "async_track_state_change_event", "async_subscribe"}
type Functions = dict[str, ast.FunctionDef | ast.AsyncFunctionDef]


def called_name(node: ast.Call) -> str:
    """Return the last word of what is called."""
    return node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")


def calls(tree: ast.AST) -> Iterator[ast.Call]:
    """Yield every call in a part of a module."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            yield node


def functions(tree: ast.AST) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    """Yield every function in a part of a module."""
    for node in ast.walk(tree):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            yield node


def classes(folder: Path) -> dict[str, tuple[Path, ast.ClassDef, set[str]]]:
    """Return every class of an integration with its file and the names of its bases."""
    return {
        node.name: (path, node, {_last(base) for base in node.bases})
        for path, module in sources(folder)
        for node in ast.walk(module)
        if isinstance(node, ast.ClassDef)
    }


def _last(base: ast.expr) -> str:
    """Return the name of a class as it stands among the bases of another."""
    if isinstance(base, ast.Subscript):
        base = base.value
    return base.attr if isinstance(base, ast.Attribute) else getattr(base, "id", "")


def _platform(path: Path, folder: Path) -> bool:
    return path.parent == folder and path.stem in PLATFORMS


def action_setup(folder: Path) -> list[str]:
    """Actions are there while no entry runs: whatever registers them is called by async_setup and nothing later."""
    bodies: dict[str, list[set[str]]] = {}
    entry_hooks: list[tuple[Path, set[str]]] = []
    for path, module in sources(folder):
        for function in functions(module):
            called = {called_name(call) for call in calls(function)}
            if any(
                isinstance(call.func, ast.Attribute) and "services" in ast.unparse(call.func.value)
                for call in calls(function)
                if called_name(call) in REGISTERS
            ):
                called.add("<registers>")
            if function.name == "async_setup_entry":
                entry_hooks.append((path, called))
            else:
                bodies.setdefault(function.name, []).append(called)
    registrars = {"<registers>"}
    while more := {name for name, found in bodies.items() if any(one & registrars for one in found)} - registrars:
        registrars |= more
    wrong = [f"{path.name}: an entry's setup registers actions" for path, called in entry_hooks if called & registrars]
    return wrong + ([] if "async_setup" in registrars else ["__init__.py: async_setup registers no action"])


def common_modules(folder: Path) -> list[str]:
    """Coordinators stand in coordinator.py, the entities' bases in entity.py, so that everybody finds them there."""
    places = {"DataUpdateCoordinator": "coordinator.py", "CoordinatorEntity": "entity.py"}
    found = classes(folder)
    wrong = [
        f"{path.name}: {name} belongs into {place}"
        for base, place in places.items()
        for name, (path, _, bases) in found.items()
        if base in bases and path.name != place
    ]
    return wrong + [
        f"{place}: nobody extends {base}"
        for base, place in places.items()
        if not any(base in bases for _, _, bases in found.values())
    ]


def polling(folder: Path) -> list[str]:
    """Every coordinator belongs to an entry, and has an interval of its own choice or is pushed."""
    wrong = []
    for name, (path, node, bases) in classes(folder).items():
        if "DataUpdateCoordinator" in bases:
            given = {
                keyword.arg for call in calls(node) if called_name(call) == "__init__" for keyword in call.keywords
            }
            wrong += [
                f"{path.name}: {name} gives no {key}" for key in ("config_entry", "update_interval") if key not in given
            ]
    wrong += [
        f"{path.name}: sets how often Home Assistant polls, though the coordinator does"
        for path, module in sources(folder)
        if _platform(path, folder) and re.search(r"\bSCAN_INTERVAL\b", ast.unparse(module))
    ]
    return wrong


def _entities(folder: Path) -> Iterator[tuple[Path, ast.ClassDef, set[str]]]:
    """Yield the entities of the platforms, each with all its bases."""
    found = classes(folder)
    for path, node, bases in found.values():
        if _platform(path, folder) and any(base.endswith("Entity") for base in bases):
            everything = set(bases)
            while more := {base for name in everything & found.keys() for base in found[name][2]} - everything:
                everything |= more
            yield path, node, everything


def entity_bases(folder: Path) -> list[str]:
    """Every entity has a name below its device's and an id of its own: it extends a base that gives both."""
    found = classes(folder)
    bases = {name for name, (path, _, _) in found.items() if path == folder / "entity.py"}
    wrong = [
        f"{path.name}: {node.name} extends no base of entity.py"
        for path, node, all_bases in _entities(folder)
        if not all_bases & bases
    ]
    text = (folder / "entity.py").read_text()
    if "_attr_has_entity_name = True" not in text:
        wrong.append("entity.py: no _attr_has_entity_name")
    for name in bases:
        own = ast.unparse(found[name][1])
        has_one_already = bool(set(found[name][2]) & (bases - {"SiteEntity"}))  # with the tap or owner in it
        if "__init__" in own and "_attr_unique_id" not in own and not has_one_already:
            wrong.append(f"entity.py: {name} sets no unique id")
    for path, module in sources(folder):
        if "_attr_has_entity_name = False" in ast.unparse(module) or "_attr_name =" in ast.unparse(module):
            wrong.append(f"{path.name}: an entity has a name that nobody can translate")
    return wrong


def listening(folder: Path) -> list[str]:
    """Entities begin to listen when they are added, and let go when they are removed."""
    wrong = []
    for path, node, _ in _entities(folder):
        for function in functions(node):
            kept = {
                id(argument)
                for call in calls(function)
                if called_name(call) == "async_on_remove"
                for argument in call.args
            }
            for call in calls(function):
                if called_name(call) not in LISTENING:
                    continue
                if function.name != "async_added_to_hass":
                    wrong.append(f"{path.name}: {node.name} listens in {function.name}")
                if id(call) not in kept:
                    wrong.append(f"{path.name}: {node.name} listens for ever")
    return wrong


def runtime_data(folder: Path) -> list[str]:
    """Everything that runs lies in the entry's runtime_data, and every hook says of what type it is."""
    wrong = []
    text = "\n".join(ast.unparse(module) for _, module in sources(folder))
    [alias] = re.findall(r"^type (\w+ConfigEntry) = ConfigEntry\[\w+\]$", text, re.MULTILINE) or [None]
    if alias is None:
        return ["no `type …ConfigEntry = ConfigEntry[…]`"]
    if "entry.runtime_data = " not in (folder / "__init__.py").read_text():
        wrong.append("__init__.py: sets no runtime_data")
    if "hass.data[DOMAIN]" in text:
        wrong.append("hass.data[DOMAIN] is used")
    for path, module in sources(folder):
        for function in functions(module):
            if function.name in ENTRY_HOOKS and path.parent == folder:
                given = {ast.unparse(argument.annotation) for argument in function.args.args if argument.annotation}
                if alias not in given:
                    wrong.append(f"{path.name}: {function.name} takes an entry of no type")
    return wrong


def parallel_updates(folder: Path) -> list[str]:
    """Every platform says how many of its entities may talk at once."""
    return [
        f"{path.name}: no PARALLEL_UPDATES"
        for path, module in sources(folder)
        if _platform(path, folder)
        and not re.search(r"^PARALLEL_UPDATES(: \w+)? = [01]$", ast.unparse(module), re.MULTILINE)
    ]


def dialogues(folder: Path) -> list[str]:
    """Sites can be added, paired again when their credentials are refused, and changed; every field is described."""
    texts = read_json(folder / "translations" / "en.json")
    flows = [module for path, module in sources(folder) if path.name == "config_flow.py" or path.parent.name == "flows"]
    steps = {function.name for module in flows for function in functions(module)}
    needed = ("async_step_user", "async_step_reauth", "async_step_reauth_confirm", "async_step_reconfigure")
    wrong = [f"config_flow.py: no {step}" for step in needed if step not in steps]
    if not any(called_name(call) == "async_set_unique_id" for module in flows for call in calls(module)):
        wrong.append("config_flow.py: sets no unique id")
    told = {"config": texts.get("config", {})} | texts.get("config_subentries", {})
    for name, words in told.items():
        for step_id, step in words.get("step", {}).items():
            for part in (step, *step.get("sections", {}).values()):
                undescribed = part.get("data", {}).keys() - part.get("data_description", {}).keys()
                wrong += [f"{name}.{step_id}: {field} is not described" for field in sorted(undescribed)]
    return wrong


def subentry_dialogues(folder: Path) -> list[str]:
    """Whatever can be added to a site can be changed too, and both are said in words."""
    texts = read_json(folder / "translations" / "en.json").get("config_subentries", {})
    return [
        f"config_subentries.{kind}: nobody can begin {start}"
        for kind, words in texts.items()
        for start in ("user", "reconfigure")
        if start not in words["initiate_flow"] or start not in words["step"]
    ]


def devices(folder: Path) -> list[str]:
    """Every entity belongs to a device below its site; what is gone is removed, by itself or by a person."""
    code = "\n".join(ast.unparse(module) for _, module in sources(folder))
    needed = ("_attr_device_info", "via_device_id", "async_remove_config_entry_device", "async_remove_device")
    return [f"no {word}" for word in needed if word not in code]


def unloading(folder: Path) -> list[str]:
    """Entries can be unloaded, and what they listen to is let go with them."""
    setup = (folder / "__init__.py").read_text()
    return [f"__init__.py: no {word}" for word in ("async_unload_platforms", "async_on_unload") if word not in setup]


def setup_tested(folder: Path) -> list[str]:
    """Entries can fail to set up, and say how: for a while, for good, or for want of credentials."""
    raised = {called_name(call) for _, module in sources(folder) for call in calls(module)}
    return [
        f"nothing raises {name}"
        for name in ("ConfigEntryNotReady", "ConfigEntryError", "ConfigEntryAuthFailed")
        if name not in raised
    ]


def diagnostics(folder: Path) -> list[str]:
    """There are diagnostics of a site and of each of its devices."""
    text = (folder / "diagnostics.py").read_text()
    hooks = ("async_get_config_entry_diagnostics", "async_get_device_diagnostics")
    return [f"diagnostics.py: no {hook}" for hook in hooks if f"async def {hook}" not in text]


def discovery(folder: Path) -> list[str]:
    """Something on the network is found by itself, and where it moves its address follows."""
    manifest = read_json(folder / "manifest.json")
    steps = {function.name for _, module in sources(folder) for function in functions(module)}
    wrong = [] if {"zeroconf", "dhcp"} & manifest.keys() else ["manifest.json: nothing is discovered"]
    return wrong + [
        f"config_flow.py: no async_step_{kind}"
        for kind in ("zeroconf", "dhcp")
        if kind in manifest and f"async_step_{kind}" not in steps
    ]


def config_schema(folder: Path) -> list[str]:
    """Whatever is set up without an entry says that it takes nothing from YAML."""
    [(_, module)] = [(path, module) for path, module in sources(folder) if path == folder / "__init__.py"]
    has_setup = any(function.name in {"setup", "async_setup"} for function in functions(module))
    names = {
        target.id
        for node in module.body
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    return ["__init__.py: async_setup and no CONFIG_SCHEMA"] if has_setup and "CONFIG_SCHEMA" not in names else []


type Check = Callable[[Path], list[str]]
