"""JMESPath in descriptions: checked when it is given, looked up within an answer. Pure."""

import json
from typing import Annotated, Any

from pydantic import AfterValidator, Field

from cloud.hub.formats.path import PATH_LETTERS_MAX, DefinitionError, UnfindableError, finder

from .driver import PullFailed


def _checked(expression: str) -> str:
    try:
        finder(expression, "it")
    except DefinitionError as error:
        raise ValueError(error.why) from None
    return expression


Expression = Annotated[str, Field(min_length=1, max_length=PATH_LETTERS_MAX), AfterValidator(_checked)]


def found(expression: str, data: Any) -> Any:
    """Return what stands at an expression, None where nothing does."""
    try:
        return finder(expression, "it")(data)
    except UnfindableError:
        return None


def plain(raw: bytes) -> Any:
    """Return an answer as JSON data."""
    try:
        return json.loads(raw)
    except ValueError, RecursionError:
        raise PullFailed("unreadable", "the answer is not JSON, so its paging cannot be read") from None
