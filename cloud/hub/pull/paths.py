"""JMESPath in descriptions: checked when it is given, looked up within an answer. Pure."""

from functools import lru_cache
import json
from typing import Annotated, Any

import jmespath
from jmespath.exceptions import JMESPathError
from jmespath.parser import ParsedResult
from pydantic import AfterValidator, Field

from .driver import PullFailed


@lru_cache(maxsize=1000)
def _compiled(expression: str) -> ParsedResult:
    return jmespath.compile(expression)


def _checked(expression: str) -> str:
    try:
        _compiled(expression)
    except (JMESPathError, RecursionError) as error:
        raise ValueError(f"is no JMESPath expression: {type(error).__name__}") from None
    return expression


Expression = Annotated[str, Field(min_length=1, max_length=300), AfterValidator(_checked)]


def found(expression: str, data: Any) -> Any:
    """Return what stands at an expression, None where nothing does."""
    try:
        return _compiled(expression).search(data)
    except JMESPathError, RecursionError, TypeError, ValueError:
        return None


def plain(raw: bytes) -> Any:
    """Return an answer as JSON data."""
    try:
        return json.loads(raw)
    except ValueError, RecursionError:
        raise PullFailed("unreadable", "the answer is not JSON, so its paging cannot be read") from None
