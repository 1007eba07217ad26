"""Write the JSON schemas of a run's files: `python docs/schemas.py`."""

from __future__ import annotations

from pathlib import Path

from er_bench.core import manifest, record
from er_bench.data.files import write_json
from er_bench.report import results

FOLDER = Path(__file__).parent
SCHEMAS = {
    "manifest.schema.json": manifest.Manifest.model_json_schema,
    "records.schema.json": record.json_schema,
    "results.schema.json": results.json_schema,
}

if __name__ == "__main__":
    for name, made in SCHEMAS.items():
        write_json(FOLDER / name, made())
