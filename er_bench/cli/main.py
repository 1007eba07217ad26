"""`er-bench`: the commands, and what an error looks like to the user."""

from __future__ import annotations

import errno
import sys
from typing import Annotated

import typer

from er_bench.cli import (
    ablate,
    compare,
    convert,
    data,
    doctor,
    explain,
    export,
    leaderboard,
    listing,
    lmms_eval_path,
    merge,
    power,
    report,
    reported,
    rl,
    run,
    score,
    sft,
    sim,
    view,
    vla,
)
from er_bench.cli.terminal import show, tell
from er_bench.core.errors import ErBenchError

app = typer.Typer(
    name="er-bench",
    help=(
        "Take a vision-language model through embodied-reasoning benchmarks.\n\n"
        "Start with: er-bench run --model reference/chance --tasks all --split mini"
    ),
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("run")(run.run)
app.command("score")(score.score)
app.command("tasks")(listing.tasks)
app.command("models")(listing.models)
app.command("dialects")(listing.dialects)
app.command("describe")(listing.describe)
app.command("leaderboard")(leaderboard.leaderboard)
app.command("compare")(compare.compare)
app.command("explain")(explain.explain)
app.command("power")(power.power)
app.command("report")(report.report)
app.command("view")(view.view)
app.command("reported")(reported.reported)
app.command("export")(export.export)
app.command("lmms-eval-path")(lmms_eval_path.lmms_eval_path)
app.command("merge")(merge.merge)
app.command("convert")(convert.convert)
app.command("sft")(sft.sft)
app.command("rl")(rl.rl)
app.add_typer(data.app, name="data")
app.add_typer(sim.app, name="sim")
app.add_typer(vla.app, name="vla")
app.command("ablate")(ablate.ablate)
app.command("doctor")(doctor.doctor)


@app.callback(invoke_without_command=True)
def _version(
    version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
) -> None:
    if version:
        from er_bench import __version__

        show(__version__)
        raise typer.Exit()


def main() -> None:
    """Run the command line; errors of er-bench print without a traceback."""
    try:
        app()
    except ErBenchError as error:
        tell(f"er-bench: {error}")
        sys.exit(error.exit_code)
    except OSError as error:
        if error.errno == errno.ENAMETOOLONG:
            tell(f"er-bench: {error.strerror}: {str(error.filename)[:80]}..")
            sys.exit(2)
        if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EROFS):
            raise
        tell(
            f"er-bench: cannot write {error.filename or 'the output'}: {error.strerror}; make "
            "room, then give the same command again, with --resume where it has one"
        )
        sys.exit(3)


if __name__ == "__main__":
    main()
