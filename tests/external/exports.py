"""Exports of runs over all mini splits against the schemas and the readers of those who read them.

pip download --no-deps --python-version 3.12 --only-binary=:all: every-eval-ever==0.3.0
unzip -q every_eval_ever-0.3.0-*.whl -d SCHEMAS
python tests/external/exports.py SCHEMAS/every_eval_ever/schemas
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path

import jsonschema

sys.path.insert(0, str(Path(__file__).parents[2]))

import er_bench
from er_bench.core.registry import Registry
from er_bench.report.exports.every_eval_ever import to_every_eval_ever
from er_bench.report.exports.finished import export


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("schemas", type=Path)
    folder = parser.parse_args().schemas
    aggregate, instance = (
        jsonschema.Draft7Validator(json.loads((folder / name).read_text()))
        for name in ("eval.schema.json", "instance_level_eval.schema.json")
    )
    tasks = [name for name, root in Registry().task_folders.items() if (root / "mini").is_dir()]
    faults = checked = 0
    with tempfile.TemporaryDirectory() as name:
        for model in ("oracle", "chance", "random-action"):
            run = Path(name) / model
            er_bench.evaluate(
                f"reference/{model}", tasks, split="mini", limit=6, out=run, allow_missing=True
            )
            total, samples = export(run, to_every_eval_ever, Path(name) / f"{model}-eee")
            documents = [(aggregate, json.loads(total.read_text()))]
            documents += [(instance, json.loads(line)) for line in samples.open()]
            for validator, document in documents:
                checked += 1
                for error in validator.iter_errors(document):
                    faults += 1
                    print(model, "/".join(map(str, error.path)), error.message[:200])
    print(f"{checked} documents of {len(tasks)} tasks and three models, {faults} faults")
    sys.exit(bool(faults))


if __name__ == "__main__":
    main()
