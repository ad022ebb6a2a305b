"""A JMESPath as a function on JSON data, compiled once; what could grow without end is refused beforehand. Pure."""

from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
import re
from typing import Any

import jmespath
from jmespath.exceptions import JMESPathError

PATH_LETTERS_MAX = 200
BRANCHES_MAX = 8  # members of all `[a, b]` and `{a: b}` in one path: each may repeat the data once more
PLAIN = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*", re.ASCII)

type Finder = Callable[[Any], Any]


class DefinitionError(ValueError):
    """A definition that cannot be used; `where` names its member, `why` is for people."""

    def __init__(self, where: str, why: str) -> None:
        """Keep both."""
        super().__init__(f"{where}: {why}")
        self.where = where
        self.why = why


class UnfindableError(ValueError):
    """Data on which a path makes no sense."""


def finder(path: str, where: str) -> Finder:
    """Return what finds the place a path leads to, None where there is nothing; raises DefinitionError.

    The function raises UnfindableError where the path asks for what cannot be done, such as sorting words and numbers.
    """
    if PLAIN.fullmatch(path):
        return _plain(tuple(path.split(".")))
    if len(path) > PATH_LETTERS_MAX:
        raise DefinitionError(where, f"is longer than {PATH_LETTERS_MAX} letters")
    return _compiled(path, where)


def _plain(names: tuple[str, ...]) -> Finder:
    """Return the same for names with points between them, which is what most paths are, without an interpreter."""
    if len(names) == 1:
        (name,) = names
        return lambda data: data.get(name) if isinstance(data, Mapping) else None

    def find(data: Any) -> Any:
        for name in names:
            if not isinstance(data, Mapping):
                return None
            data = data.get(name)
        return data

    return find


@lru_cache(maxsize=512)
def _compiled(path: str, where: str) -> Finder:
    try:
        compiled = jmespath.compile(path)
    except (JMESPathError, ValueError, RecursionError) as error:
        raise DefinitionError(where, f"is not a JMESPath: {' '.join(str(error).split())[:120]}") from None
    branches = 0
    for node in _nodes(compiled.parsed):
        if node["type"] in ("multi_select_list", "multi_select_dict"):
            branches += len(node["children"])
        if node["type"] == "literal" and isinstance(node["value"], (list, dict)):
            raise DefinitionError(where, "has a literal that is no text, number, true, false or null")
    if branches > BRANCHES_MAX:
        raise DefinitionError(where, f"picks more than {BRANCHES_MAX} members side by side")

    def find(data: Any) -> Any:
        try:
            return compiled.search(data)
        except (JMESPathError, ArithmeticError, TypeError, ValueError, AttributeError, RecursionError) as error:
            raise UnfindableError(f"{path}: {type(error).__name__}") from None

    return find


def _nodes(tree: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    waiting = [tree]
    while waiting:
        node = waiting.pop()
        yield node
        waiting += [child for child in node.get("children", ()) if isinstance(child, Mapping)]
