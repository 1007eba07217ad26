"""The dialects that er-bench knows, by name."""

from __future__ import annotations

from er_bench.models.dialects.families import FAMILIES
from er_bench.models.dialects.family import FamilyDialect

DIALECTS: dict[str, FamilyDialect] = {dialect.name: dialect for dialect in FAMILIES}

__all__ = ["DIALECTS", "FamilyDialect"]
