"""The formats by name; `er_bench.exporters` adds to them."""

from __future__ import annotations

from collections.abc import Mapping

from er_bench.report.exports.every_eval_ever import to_every_eval_ever
from er_bench.report.exports.finished import Exporter
from er_bench.report.exports.hub_results import to_hub_results
from er_bench.report.exports.lm_eval import to_lm_eval
from er_bench.report.exports.spreadsheets import to_csv
from er_bench.report.exports.text_tables import to_latex, to_markdown

EXPORTERS: Mapping[str, Exporter] = {
    "csv": to_csv,
    "md": to_markdown,
    "latex": to_latex,
    "eee": to_every_eval_ever,
    "hf": to_hub_results,
    "lm-eval": to_lm_eval,
}
