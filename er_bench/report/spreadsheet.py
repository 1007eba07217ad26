"""Cells of CSV files that spreadsheets open as text, never as a formula."""

from __future__ import annotations

import re

_FORMULA = re.compile(r"[=+\-@\t\r]")
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")


def csv_cell(value: object) -> object:
    """A value for a CSV file: a text that begins as a formula does gets an apostrophe before it.

    Numbers, also those written as text, stay as they are. The rule is OWASP's (CSV Injection).
    """
    if isinstance(value, str) and _FORMULA.match(value) and not _NUMBER.fullmatch(value):
        return f"'{value}"
    return value
