"""`er-bench data check` and `convert`: recorded robot episodes, looked over and kept anew."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from er_bench.cli import options as o
from er_bench.cli.terminal import show, tell
from er_bench.core.errors import DataError, UsageError
from er_bench.core.paths import resolved

if TYPE_CHECKING:
    from er_bench.cli.tables import Output
    from er_bench.core.space import Space
    from er_bench.data.robot_episodes.episode import RobotData, RobotEpisode
    from er_bench.data.robot_episodes.open import Looked

Folder = Annotated[
    Path, typer.Argument(help="A LeRobot folder (v2.0, v2.1, v3.0), or an RLDS one, NAME/1.0.0.")
]
Robot = Annotated[
    Path | None,
    typer.Option(help="YAML that tells units and frame of actions and state: docs/robot-data.md."),
]
Rate = Annotated[float | None, typer.Option(help="Control steps a second; RLDS tells none.")]
Action = Annotated[
    str | None, typer.Option(help="RLDS: the features of the action, with commas; action.")
]
State = Annotated[
    str | None,
    typer.Option(help="RLDS: the features of the state, with commas; observation/state."),
]
Instruction = Annotated[str | None, typer.Option(help="RLDS: the feature of the instruction.")]


def check(
    folder: Folder,
    decode: Annotated[
        bool, typer.Option("--decode", help="Decode every frame, too: takes its time.")
    ] = False,
    statistics: Annotated[
        Path | None,
        typer.Option(help="Write what policies normalise by to this file; all must be good."),
    ] = None,
    robot: Robot = None,
    rate_hz: Rate = None,
    action: Action = None,
    state: State = None,
    instruction: Instruction = None,
    format_name: o.Format = "table",
    quiet: o.Quiet = False,
) -> None:
    """See that recorded robot episodes are whole; each bad one is named by folder, episode, field.

    Lengths, order, timestamps, finite numbers, a video frame for every step. Statistics that lie
    in the folder are compared with those of its episodes. Ends with 2 where anything is wrong.
    """
    from er_bench.cli.tables import Output
    from er_bench.data.robot_episodes.lerobot_write import STATISTICS
    from er_bench.data.robot_episodes.open import Looked, good_episodes
    from er_bench.data.robot_episodes.statistics import (
        differences,
        read_statistics,
        statistics_of,
        write_statistics,
    )

    data = _opened(folder, robot, rate_hz, action, state, instruction)
    looked = Looked()
    found = None
    episodes = good_episodes(data, looked, decode=decode)
    if first := next(episodes, None):
        found = statistics_of(chain([first], episodes))
    _print_looked(folder, looked, data, Output(format_name, quiet))
    wrong = [str(error) for error in looked.bad]
    if found is not None and (folder / STATISTICS).is_file() and not looked.bad:
        kept = read_statistics(folder / STATISTICS)
        wrong += [f"{STATISTICS}: kept and counted differ: {d}" for d in differences(kept, found)]
    for line in wrong:
        tell(line)
    if wrong or found is None:
        told = f"{len(looked.bad)} of {len(data)} episodes are bad"
        if not looked.bad:
            told = "its statistics are not those of its episodes" if wrong else "no episodes"
        raise DataError(told, file=folder)
    if statistics is not None:
        write_statistics(statistics, found)
        tell(f"statistics: {statistics}")


def convert(
    folder: Folder,
    out: Annotated[Path, typer.Option(help="New folder, LeRobot v3.0.")],
    pictures: Annotated[
        str, typer.Option(help="video (H.264) or image (PNG in the rows, exact).")
    ] = "video",
    skip_bad: Annotated[
        bool, typer.Option("--skip-bad", help="Leave bad episodes out, naming each.")
    ] = False,
    robot: Robot = None,
    rate_hz: Rate = None,
    action: Action = None,
    state: State = None,
    instruction: Instruction = None,
) -> None:
    """Keep recorded robot episodes as a LeRobot v3.0 folder, with units, frame and statistics.

    A bad episode is refused, or with --skip-bad left out, named, and told in the new folder's
    provenance. Nothing is left of a folder that was not finished.
    """
    from er_bench.data.robot_episodes.lerobot_write import write_lerobot
    from er_bench.data.robot_episodes.open import Looked, good_episodes

    if pictures not in ("video", "image"):
        raise UsageError(f"--pictures takes video or image, not {pictures!r}")
    data = _opened(folder, robot, rate_hz, action, state, instruction)
    looked = Looked()

    def wanted() -> Iterator[RobotEpisode]:
        for episode in good_episodes(data, looked):
            if looked.bad and not skip_bad:
                raise looked.bad[0]
            yield episode
        if looked.bad and not skip_bad:
            raise looked.bad[0]

    n, steps = write_lerobot(
        out,
        wanted(),
        pictures="video" if pictures == "video" else "image",
        provenance=lambda: {
            "converted_from": resolved(folder).name,
            "left_out": [f"{bad.row}: {bad.problem}" for bad in looked.bad],
        },
    )
    show(f"{n} episodes, {steps} steps, {len(looked.bad)} left out: {out}")
    for error in looked.bad:
        tell(str(error))


def _print_looked(folder: Path, looked: Looked, data: RobotData, output: Output) -> None:
    """What was found, as a table."""
    from er_bench.report.sheet import Cell, Sheet, columns

    rows: list[list[Cell]] = [
        ["episodes", f"{looked.n_episodes} good, {len(looked.bad)} bad of {len(data)}"],
        ["steps", str(looked.n_steps)],
        ["instructions", f"{len(looked.instructions)}: {'; '.join(looked.instructions)[:200]}"],
    ]
    if looked.n_told:
        rows.append(["successes", f"{looked.n_successes} of {looked.n_told} that tell"])
    if (first := looked.first) is not None:
        rows.append(["steps a second", f"{first.rate_hz:g}"])
        rows.append(["action", _words(first.action_space)])
        if first.state_space is not None:
            rows.append(["state", _words(first.state_space)])
        rows += [
            [f"camera {name}", "{} x {} pixels".format(*camera.size_wh)]
            for name, camera in first.cameras.items()
        ]
        rows += [[f"track {n}", _words(track.space)] for n, track in first.tracks.items()]
    layout = getattr(data, "layout", None)
    if layout is not None and layout.unread:
        rows.append(["not read", ", ".join(layout.unread)])
    output.put(Sheet(folder.name, columns("about", "what is known"), rows))


def _words(space: Space) -> str:
    told = ", ".join(f"{n} ({u})" for n, u in zip(space.names, space.units, strict=True))
    return f"{told}; {space.frame}" if len(told) < 300 else f"{space.dimension} components"


def _opened(
    folder: Path,
    robot: Path | None,
    rate_hz: float | None,
    action: str | None,
    state: str | None,
    instruction: str | None,
) -> RobotData:
    """The episodes of a folder. Raises DataError, ConfigError, UsageError."""
    from er_bench.data.robot_episodes.open import open_robot_data
    from er_bench.data.robot_episodes.rlds import RldsNames

    if rate_hz is not None and not rate_hz > 0:
        raise UsageError(f"--rate-hz must be above 0, not {rate_hz:g}")
    usual = RldsNames()
    names = RldsNames(
        tuple(action.split(",")) if action else usual.action,
        tuple(state.split(",")) if state else usual.state,
        instruction or "",
    )
    spaces = _spaces(robot) if robot else None
    return open_robot_data(folder, spaces=spaces, rate_hz=rate_hz, names=names)


def _spaces(robot: Path) -> dict[str, Space]:
    from er_bench.data.robot_episodes.lerobot_layout import ACTION, STATE
    from er_bench.vla.robot import read_robot

    told = read_robot(robot)
    return {ACTION: told.action_space} | ({STATE: told.state_space} if told.state_space else {})
