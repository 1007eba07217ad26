"""Lines and cells of CSV files that spreadsheets open as text, never as a formula."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Sequence

_FORMULA = re.compile(r"[=+\-@\t\r]")
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")


def csv_cell(value: object) -> object:
    """A value for a CSV file: a text that begins as a formula does gets an apostrophe before it.

    Numbers, also those written as text, stay as they are. The rule is OWASP's (CSV Injection).
    """
    if isinstance(value, str) and _FORMULA.match(value) and not _NUMBER.fullmatch(value):
        return f"'{value}"
    return value


def csv_line(row: Sequence[object]) -> str:
    """A line of a CSV file, of safe cells; None is empty."""
    # Told of another line end than CRLF, Python 3.11 leaves a carriage return without quotes.
    out = io.StringIO()
    csv.writer(out, lineterminator="\r\n").writerow(map(csv_cell, row))
    return out.getvalue().removesuffix("\r\n") + "\n"
