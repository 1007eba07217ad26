"""`er-bench`: the commands, and what an error looks like to the user."""

from __future__ import annotations

import errno
import sys
from collections.abc import Sequence
from copy import copy
from typing import Annotated

import typer
from typer.models import CommandInfo, TyperInfo

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

HELP = ["-h", "--help"]
app = typer.Typer(
    name="er-bench",
    help=(
        "Take a vision-language model through embodied-reasoning benchmarks.\n\n"
        "Start with: er-bench run --model reference/chance --tasks all --split mini"
    ),
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": HELP},
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


def needed(words: Sequence[str]) -> typer.Typer:
    """As much of the command line as these words ask for.

    To make the options of every command takes longer than all the rest of most of them.
    """
    part, commands, groups = copy(app), app.registered_commands, app.registered_groups
    names = {command.name for command in commands} | {group.name for group in groups}
    if not words or words[0] in HELP:
        part.registered_commands = [_listed(command) for command in commands]
        part.registered_groups = [_listed_group(group) for group in groups]
    elif words[0] in names:
        part.registered_commands = [c for c in commands if c.name == words[0]]
        part.registered_groups = [g for g in groups if g.name == words[0]]
    return part


def _listed(command: CommandInfo) -> CommandInfo:
    """A command as the list of commands shows it: without options."""

    def shown() -> None:
        """Stand for the command."""

    shown.__doc__ = command.callback.__doc__
    listed = copy(command)
    listed.callback = shown
    return listed


def _listed_group(group: TyperInfo) -> TyperInfo:
    """A group as the list of commands shows it: without commands."""
    listed, inner = copy(group), copy(group.typer_instance)
    if inner is not None:
        inner.registered_commands, inner.registered_groups = [], []
    listed.typer_instance = inner
    return listed


def main() -> None:
    """Run the command line; errors of er-bench print without a traceback."""
    try:
        needed(sys.argv[1:])()
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
