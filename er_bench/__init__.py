"""er-bench: an embodied-reasoning benchmark suite for vision-language models.

    import er_bench
    run = er_bench.evaluate("vlaser-tiny", ["erqa"], split="mini")
    run.results.tasks["erqa"].score

Names are looked up when they are asked for, so that importing this package is quick.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from er_bench.api import (
        Evaluation,
        Run,
        evaluate,
        evaluate_async,
        load_run,
        prepare,
    )
    from er_bench.core.errors import ErBenchError
    from er_bench.core.record import Record
    from er_bench.report.results import Results
    from er_bench.scoring import score, score_responses

__all__ = [
    "ErBenchError",
    "Evaluation",
    "Record",
    "Results",
    "Run",
    "compare",
    "evaluate",
    "evaluate_async",
    "explain",
    "leaderboard",
    "load_run",
    "merge",
    "prepare",
    "score",
    "score_responses",
    "write_report",
    "write_site",
]

_HOMES = {
    "ErBenchError": "er_bench.core.errors",
    "Record": "er_bench.core.record",
    "Results": "er_bench.report.results",
    "compare": "er_bench.comparing",
    "explain": "er_bench.explaining",
    "leaderboard": "er_bench.ranking",
    "merge": "er_bench.merging",
    "score": "er_bench.scoring",
    "score_responses": "er_bench.scoring",
    "write_report": "er_bench.reporting",
    "write_site": "er_bench.ranking",
}


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


def __getattr__(name: str) -> object:
    from importlib import import_module

    if name == "__version__":
        from er_bench.run.machine_facts import own_version

        return own_version()
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES.get(name, "er_bench.api")), name)
