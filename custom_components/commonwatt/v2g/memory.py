"""The memory of a site's periods as one text: what was learnt outlives a restart."""

from collections.abc import Mapping
import json
from typing import Any

from .coverage import Learnt
from .period import Memory

FORM = 1  # of the text; another one is not read, and what it held is learnt anew


def memory_text(memory: Memory) -> str:
    """Write a memory."""
    data = {
        "form": FORM,
        "seconds": memory.seconds,
        "parents": dict(memory.parents),
        "before": [memory.before_end, dict(memory.before_wh)],
        "learnt": [[item.end, dict(item.residual_wh)] for item in memory.learnt],
    }
    return json.dumps(data, separators=(",", ":"))


def memory_of(text: str | None) -> Memory:
    """Read a memory; there is none yet where there is no text, or one of another form."""
    data: Mapping[str, Any] = {} if text is None else json.loads(text)
    if data.get("form") != FORM:
        return Memory()
    before_end, before_wh = data["before"]
    learnt = tuple(Learnt(end, residual_wh) for end, residual_wh in data["learnt"])
    return Memory(data["seconds"], data["parents"], before_end, before_wh, learnt)
