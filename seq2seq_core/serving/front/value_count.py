"""Whether a request holds too many values, known before it is parsed: 8 MB of them take seconds, in which nobody is answered."""

from __future__ import annotations

import re

MAX_VALUES_PER_ROW = 100
"""Values of a request, per row that it may have: cells, names, and lists around them."""
JSON_MARKS, CSV_MARKS = ",[{", ",\n\r"
"""What each value, but for the first, has before it."""


def has_more_values(text: str, marks: str, most: int) -> bool:
    """Whether a text has more values than it may; takes time in proportion to ``most``, and little for the text's length.

    Args:
        text: JSON or CSV, well formed or not.
        marks: ``JSON_MARKS`` or ``CSV_MARKS``.
        most: values that it may have.
    """
    if sum(map(text.count, marks)) <= most:
        return False
    if marks == JSON_MARKS:
        text = text.replace("\\\\", "").replace('\\"', "")  # so that each quotation mark that is left begins or ends a text
    found = 0
    for match in re.finditer(f'"[^"]*"?|[{re.escape(marks)}]', text):
        found += match[0][0] != '"'
        if found > most:
            return True
    return False
