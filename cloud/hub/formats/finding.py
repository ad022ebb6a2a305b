"""Whether a message is of a format: any of its rules holds. Pure."""

from collections.abc import Callable, Sequence
from typing import Any

from .book import Matches
from .definition import CsvParse, FindRule, Parse
from .document import Document, UnreadableError
from .path import DefinitionError, UnfindableError, finder
from .tables import csv_lines, plain_name


def matcher(rules: Sequence[FindRule], parse: Parse) -> Matches:
    """Return what tells whether a message is of a format; raises DefinitionError. Without rules none ever is."""
    tests = [_test(rule, parse, f"find[{number}]") for number, rule in enumerate(rules)]
    return lambda document: any(test(document) for test in tests)


def _test(rule: FindRule, parse: Parse, where: str) -> Callable[[Document], bool]:
    if rule.path is not None:
        if parse.kind != "json":
            raise DefinitionError(where, f"a path finds JSON, and this is {parse.kind}")
        return _by_path(rule.path, rule.equals, f"{where}.path")
    if rule.columns is not None:
        if parse.kind != "csv" or not parse.header:
            raise DefinitionError(where, "columns are those of a table's header")
        return _by_columns(frozenset(plain_name(name) for name in rule.columns), parse)
    assert rule.magic is not None
    magic, offset = bytes.fromhex(rule.magic), rule.offset
    return lambda document: document.raw.startswith(magic, offset)


def _by_path(path: str, equals: Any, where: str) -> Callable[[Document], bool]:
    find = finder(path, where)

    def test(document: Document) -> bool:
        try:
            found = find(document.json()) if document.is_json else None
        except UnfindableError:
            return False
        if equals is None:
            return found is not None and found is not False
        return type(found) is type(equals) and bool(found == equals)

    return test


def _by_columns(columns: frozenset[str], parse: CsvParse) -> Callable[[Document], bool]:
    def test(document: Document) -> bool:
        if document.is_json:
            return False
        try:
            header = next(csv_lines(parse, document), [])
        except UnreadableError:
            return False
        return columns <= {plain_name(name) for name in header}

    return test
