"""EB-Habitat's episode files: numpy pickles, read with nothing but numpy allowed in them."""

from __future__ import annotations

import io
import json
import pickle
import pickletools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from er_bench.core.errors import DataError
from er_bench.core.json_types import JsonObject
from er_bench.core.limits import DEPTH, FILE_BYTES, VALUES
from er_bench.core.plain_text import whole_text
from er_bench.data.text_files import read_bytes, refuse_pointer

_ALLOWED = {
    ("numpy", "ndarray"),
    ("numpy", "dtype"),
    ("numpy.core.multiarray", "_reconstruct"),
    ("numpy._core.multiarray", "_reconstruct"),
}


class _NumpyOnly(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in _ALLOWED:
            raise pickle.UnpicklingError(f"{module}.{name} is not allowed here")
        if name == "_reconstruct":
            return np._core.multiarray._reconstruct  # type: ignore[attr-defined]
        return getattr(np, name)


@dataclass(frozen=True, slots=True)
class HabitatEpisode:
    """One episode, names resolved."""

    index: int
    """Position in its file; the released run visits the episodes in a shuffled order."""
    episode_id: str
    scene_id: str
    instruction: str
    goal: JsonObject
    """A logical expression, see `er_bench.scorers.goals.goal_holds`."""
    subgoals: Sequence[Sequence[str]]
    """Predicates that were true together at each step of a recorded run."""
    start_predicates: Sequence[str]
    objects: Mapping[str, NDArray[np.float64]]
    """World transform `(4, 4)` of each rigid object, by handle such as `013_apple_:0000`."""
    receptacle_of: Mapping[str, str]
    """The receptacle that each object starts on, by handle."""
    sampled_entities: JsonObject


def load(path: Path) -> Any:
    """The content of a pickle that holds builtin values and numpy arrays only.

    Raises DataError for anything else in it, and for a damaged file.
    """
    refuse_pointer(path)
    content = read_bytes(path)
    try:
        _check_memo(content)
        found = _NumpyOnly(io.BytesIO(content)).load()
        _check_size(found)
        return found
    except Exception as error:  # unpickling raises whatever its opcodes lead to
        why = " ".join(str(error).split()) or type(error).__name__
        raise DataError(f"not an episode file: {why:.300}", file=path) from error


def _check_memo(content: bytes) -> None:
    """Refuse a place in the memo beyond the file's size: the unpickler would make room for it."""
    for opcode, argument, _ in pickletools.genops(content):
        place = int(argument or 0) if opcode.name.endswith("PUT") else 0
        if not 0 <= place <= len(content):
            raise ValueError(f"a memo of {place} places")


def _check_size(found: object) -> None:
    """Refuse what is too deep, or too large with shared values counted each time."""
    level, count, n_bytes = [found], 0, 0
    for _ in range(DEPTH.most + 1):
        inner: list[object] = []
        for value in level:
            if isinstance(value, dict):
                inner += [*value, *value.values()]
            elif isinstance(value, (list, tuple, set, frozenset)):
                inner += value
            elif isinstance(value, np.ndarray):
                n_bytes += value.nbytes
                if value.dtype.hasobject:
                    raise ValueError("an array of objects")
            if count + len(inner) > VALUES.most:
                raise ValueError(VALUES.passed(count + len(inner)))
        if n_bytes > FILE_BYTES.most:
            raise ValueError(FILE_BYTES.passed(n_bytes))
        if not inner:
            return
        count, level = count + len(inner), inner
    raise ValueError(f"nested too deep; {DEPTH.passed(DEPTH.most + 1)}")


def episodes(path: Path) -> list[HabitatEpisode]:
    """The episodes of one file, in the file's order. Raises DataError naming row and field."""
    content = load(path)
    if not isinstance(content, dict) or not {"all_transforms", "idx_to_name", "all_eps"} <= set(
        content
    ):
        raise DataError("expected all_transforms, idx_to_name and all_eps", file=path)
    names, transforms = content["idx_to_name"], content["all_transforms"]
    found = []
    if not isinstance(content["all_eps"], (list, tuple)):
        raise DataError("expected a list", file=path, field="all_eps")
    for index, fields in enumerate(content["all_eps"]):
        try:
            found.append(_episode(index, fields, names, transforms))
        except (LookupError, TypeError, ValueError, AttributeError, OverflowError) as error:
            why = f"not an episode: {error!r:.200}"
            raise DataError(why, file=path, row=index) from error
    return found


def _text(fields: JsonObject, name: str) -> str:
    found = fields[name]
    if not isinstance(found, (str, int)) or not whole_text(str(found)):
        raise TypeError(f"{name}: expected text, found {found!r:.60}")
    return str(found)


def _episode(
    index: int,
    fields: JsonObject,
    names: Mapping[int, str],
    transforms: NDArray[np.float64],
) -> HabitatEpisode:
    json.dumps(fields["goal_preds"])
    counts: dict[str, int] = {}
    objects: dict[str, NDArray[np.float64]] = {}
    for name_index, transform_index in fields["rigid_objs"]:
        # habitat names the k-th copy of x.object_config.json "x_:000k"
        base = names[int(name_index)].split(".")[0]
        copy = counts.get(base, 0)
        counts[base] = copy + 1
        objects[f"{base}_:{copy:04d}"] = np.asarray(transforms[int(transform_index)], np.float64)
    return HabitatEpisode(
        index=index,
        episode_id=_text(fields, "episode_id"),
        scene_id=_text(fields, "scene_id"),
        instruction=_text(fields, "instruction"),
        goal=fields["goal_preds"],
        subgoals=[list(map(str, subgoal)) for subgoal in fields["subgoals"]],
        start_predicates=[str(p) for p in fields["start_preds"]],
        objects=objects,
        receptacle_of={names[int(o)]: names[int(r)] for o, r in fields["name_to_receptacle"]},
        sampled_entities=fields["sampled_entities"],
    )
