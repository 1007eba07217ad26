"""The dialects that er-bench knows, by name."""

from __future__ import annotations

from er_bench.dialect import Dialect

DIALECTS: dict[str, Dialect] = {}
