"""The media of a run: looked at once, and told apart from others that lie under the same rows."""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter, deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

from er_bench.core.sample import Blob, Image, Video
from er_bench.core.task import AnySample, AnyTask
from er_bench.data.media_look import Kind, Look, kind_of_truth, look
from er_bench.data.rows import BytesBlob
from er_bench.data.run_folder import StoredMedium

AT_ONCE, AHEAD = 4, 32
"""Files that are looked at together, and samples that are read ahead for it."""
SHOWN = 5
"""How many files a message names before it counts the rest."""


class MediaLook:
    """A look at the media of one task's samples; a file that many rows name is looked at once."""

    def __init__(self, task: AnyTask) -> None:
        self._task = task
        self._files: dict[str, Look] = {}
        self._coming: dict[str, Future[Look]] = {}
        self.found: list[StoredMedium] = []
        self.wrong = Counter[str]()
        """How many media are wrong, by what they are."""

    def ahead(
        self, samples: Iterable[AnySample], limit: int | None, *, all_media: bool
    ) -> Iterator[AnySample]:
        """The samples, while threads look at the files of the next ones, up to a limit."""
        waiting: deque[AnySample] = deque()
        pool = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="looking")
        try:
            for number, sample in enumerate(samples):
                waiting.append(sample)
                for _, medium, kind in self._there(sample, all_media):
                    name = _file_name(medium, kind)
                    if (limit is None or number < limit) and name and name not in self._files:
                        if name not in self._coming:
                            self._coming[name] = pool.submit(look, medium, kind)
                if len(waiting) > AHEAD:
                    yield waiting.popleft()
            yield from waiting
        finally:
            pool.shutdown(cancel_futures=True)

    def faults(self, sample: AnySample, *, all_media: bool = True) -> Iterator[tuple[str, str]]:
        """Look at a sample's media that are there; file and fault of each that cannot be used.

        Without `all_media` at those of its truth alone, the masks.
        """
        for position, medium, kind in self._there(sample, all_media):
            seen = self._seen(medium, kind)
            name = relative_name(medium, self._task.root)
            self.found.append(
                StoredMedium(
                    task=self._task.label, id=sample.id, position=position, file=name,
                    n_bytes=seen.n_bytes, sha256=seen.sha256,
                )
            )  # fmt: skip
            if seen.fault:
                yield name, seen.fault

    def _there(self, sample: AnySample, all_media: bool) -> Iterator[tuple[int, Blob | Path, Kind]]:
        """A sample's media that are there and to be looked at: position, medium, what it is."""
        parts: dict[int, Kind] = {
            id(part.blob if isinstance(part, Image) else part.path): (
                "picture" if isinstance(part, Image) else "video"
            )
            for part in sample.parts
            if isinstance(part, Image | Video)
        }
        for position, medium in enumerate(self._task.media(sample)):
            kind = parts.get(id(medium))
            if not missing(medium) and (kind is None or all_media):
                yield position, medium, kind or kind_of_truth(medium)

    def _seen(self, medium: Blob | Path, kind: Kind) -> Look:
        if not (name := _file_name(medium, kind)):
            return self._counted(look(medium, kind))
        if name not in self._files:
            coming = self._coming.pop(name, None)
            self._files[name] = self._counted(coming.result() if coming else look(medium, kind))
        return self._files[name]

    def _counted(self, seen: Look) -> Look:
        if seen.fault:
            self.wrong[re.split("[:,]", seen.fault)[0]] += 1
        return seen


def _file_name(medium: Blob | Path, kind: Kind) -> str:
    """What a file that is looked at once goes by; empty for bytes that lie in a row."""
    if isinstance(medium, BytesBlob):
        return ""
    return f"{kind} {medium if isinstance(medium, Path) else medium.name}"


def missing(medium: Blob | Path) -> bool:
    """Whether a medium is not there, found out without reading it."""
    return not medium.is_file() if isinstance(medium, Path) else medium.missing()


def relative_name(medium: Blob | Path, root: Path) -> str:
    """A medium's name, seen from the task's data folder where it lies inside."""
    path = medium if isinstance(medium, Path) else Path(medium.name)
    return str(path.relative_to(root)) if path.is_relative_to(root) else str(path)


def fingerprint(media: Iterable[StoredMedium]) -> str:
    """Identity of media by what they hold, whatever their order and names; empty without any."""
    total, n = 0, 0
    for medium in media:
        body = [medium.id, medium.position, medium.n_bytes, medium.sha256]
        total += int.from_bytes(hashlib.sha256(json.dumps(body).encode()).digest())
        n += 1
    return f"{total % 2**256:064x}" if n else ""


def changed(then: Iterable[StoredMedium], now: Sequence[StoredMedium]) -> list[str]:
    """The files that hold something else than before, were not there, or are no longer there."""
    before: Mapping[tuple[str, int], StoredMedium] = {(m.id, m.position): m for m in then}
    after = {(m.id, m.position): m for m in now}
    names = []
    for place in sorted({*before, *after}):
        old, new = before.get(place), after.get(place)
        if old is None or new is None:
            names.append(f"{(old or new or now[0]).file} ({'is new' if new else 'is gone'})")
        elif (old.n_bytes, old.sha256) != (new.n_bytes, new.sha256):
            names.append(new.file)
    return list(dict.fromkeys(names))


def told(names: Sequence[str]) -> str:
    """The names, the first of them where there are many."""
    rest = len(names) - SHOWN
    return ", ".join(names[:SHOWN]) + (f" and {rest} more" if rest > 0 else "")
