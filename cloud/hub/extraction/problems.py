"""What can be wrong with a question, beside what the rim refuses."""

from typing import Final

from cloud.errors import ProblemKind

WITHOUT_END: Final = ProblemKind("without-end", 400, "An extraction has a beginning and an end, not too far apart")
CURSOR_REFUSED: Final = ProblemKind("cursor-refused", 400, "Nothing goes on here with this question")
TOO_MANY_EXTRACTIONS: Final = ProblemKind("too-many-extractions", 429, "Too many extractions run, wait")
