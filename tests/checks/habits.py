"""Habits of the code: what is raised has words, nothing holds the event loop, no session but the shared one."""

import ast
from collections.abc import Iterator
from pathlib import Path
import string
from typing import Any

from .code import called_name, calls
from .reading import read_json, sources

TRANSLATED = {
    *("HomeAssistantError", "ServiceValidationError", "UpdateFailed"),
    *("ConfigEntryError", "ConfigEntryNotReady", "ConfigEntryAuthFailed"),
}
BLOCKING = {"requests", "urllib.request", "urllib3", "http.client", "httplib2", "smtplib", "telnetlib", "paho"}
BLOCKING_CALLS = {("time", "sleep"), ("socket", "create_connection"), ("subprocess", "run")}


def exceptions(folder: Path) -> list[str]:
    """Everything raised to a person has words in their language, with all that fills them."""
    words = read_json(folder / "translations" / "en.json").get("exceptions", {})
    wrong, used = [], set()
    for path, module in sources(folder):
        for call in calls(module):
            if called_name(call) not in TRANSLATED:
                continue
            keywords = {keyword.arg: keyword.value for keyword in call.keywords if keyword.arg}
            key = keywords.get("translation_key")
            place = f"{path.name}:{call.lineno}"
            if "translation_domain" not in keywords or key is None:
                wrong.append(f"{place} raises what nobody can translate")
                continue
            for name in _constants(key):
                used.add(name)
                wrong += [
                    f"{place} {found}" for found in _filled(name, words, keywords.get("translation_placeholders"))
                ]
            if not _constants(key):
                wrong.append(f"{place} raises words that are not written there")
    return wrong + [f"exceptions.{key} is never raised" for key in sorted(words.keys() - used)]


def _constants(node: ast.expr) -> list[str]:
    """Return the texts an expression can be: a constant, or one of two by a condition."""
    if isinstance(node, ast.IfExp):
        return _constants(node.body) + _constants(node.orelse)
    return [node.value] if isinstance(node, ast.Constant) and isinstance(node.value, str) else []


def _filled(key: str, words: dict[str, Any], placeholders: ast.expr | None) -> Iterator[str]:
    if key not in words:
        yield f"raises {key}, which has no words"
        return
    needed = {field for _, field, _, _ in string.Formatter().parse(words[key]["message"]) if field}
    if isinstance(placeholders, ast.Dict):
        given = {name.value for name in placeholders.keys if isinstance(name, ast.Constant)}
        if missing := needed - given:
            yield f"does not fill {', '.join(sorted(map(str, missing)))} of {key}"
    elif placeholders is None and needed:
        yield f"does not fill {', '.join(sorted(needed))} of {key}"


def sessions(folder: Path) -> list[str]:
    """Nothing opens an HTTP session of its own: Home Assistant's is handed in."""
    return [
        f"{path.name}:{call.lineno} opens a session of its own"
        for path, module in sources(folder)
        for call in calls(module)
        if called_name(call) in {"ClientSession", "async_create_clientsession", "AsyncClient"}
    ]


def blocking(folder: Path) -> list[str]:
    """Nothing that holds the event loop is imported or called."""
    wrong = []
    for path, module in sources(folder):
        for node in ast.walk(module):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom) and not node.level:
                names = [node.module or "", *(f"{node.module}.{alias.name}" for alias in node.names)]
            wrong += [f"{path.name} imports {name}" for name in names if {name, name.split(".")[0]} & BLOCKING]
            if (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Attribute)
                and isinstance(node.func.value, ast.Name)
            ):
                called = (node.func.value.id, node.func.attr)
                if called in BLOCKING_CALLS:
                    wrong.append(f"{path.name}:{node.lineno} calls {'.'.join(called)}")
    return wrong
