"""Pages of runs of any size: the same page from 127.0.0.1, samples and pictures made when asked.

Of the records only the places in their file are held. Nothing but the page, its data and the
pictures that records name is ever served, and only to this machine's own name: another name would
be a page elsewhere that had itself resolved to 127.0.0.1.
"""

from __future__ import annotations

import asyncio
from array import array
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from secrets import token_hex
from tempfile import TemporaryDirectory
from threading import Lock

from aiohttp import web

from er_bench.core.errors import DataError
from er_bench.core.sample import MediaRef
from er_bench.data.clip import why_no_h264
from er_bench.data.files import safe_name
from er_bench.data.media import image_size
from er_bench.data.run_folder import RECORDS, read_manifest, read_prompts, record_of
from er_bench.report.pages.pictures import VIDEO_SUFFIXES, Pictures, name_of
from er_bench.report.pages.sample_view import View
from er_bench.report.pages.write import CHUNK, ShownRun, chunk, in_script, page, static
from er_bench.report.results import Results, read_results

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
NAMES = ("127.0.0.1", "localhost")
KEPT = {"Cache-Control": "private, max-age=86400, immutable"}
"""Of pictures and videos: a page that loads again takes them from the browser."""


@dataclass
class AskedPictures(Pictures):
    """Pictures that are made when somebody looks at them; till then their size is known."""

    asked: dict[str, tuple[str, MediaRef, str]] = field(default_factory=dict)
    """By the name in the address: task, reference and kind."""
    films: dict[str, tuple[str, Sequence[MediaRef]]] = field(default_factory=dict)
    """By the name in the address: task and frames."""
    _server: str = field(default_factory=lambda: token_hex(8))
    """Part of every name, for browsers keep what an address held."""
    _making: Lock = field(default_factory=Lock)

    def _make(self, task: str, ref: MediaRef, kind: str, key: str) -> View:
        if Path(ref.file).suffix.lower() in VIDEO_SUFFIXES:
            w, h = 6 * 160, 120  # a strip; nothing is drawn on it
        else:
            w, h = image_size(self._reference(task).blob(ref))
        name = name_of(f"{self._server} {key}")
        self.asked[name] = (task, ref, kind)
        return {"src": f"media/{name}", "w": w, "h": h}

    def content(self, name: str) -> tuple[bytes, str]:
        """A picture's bytes and type. Raises KeyError, DataError."""
        task, ref, kind = self.asked[name]
        return self.encoded(task, ref, kind)

    def film_file(self, name: str) -> Path:
        """A video in `folder`, made by the first who asks. Raises KeyError, DataError."""
        task, frames = self.films[name]
        assert self.folder is not None, "set while the app runs"
        file = self.folder / name
        with self._making:
            if not file.exists():
                self.write_film(task, frames, file)
        return file

    def _why_no_film(self) -> str | None:
        return why_no_h264()

    def _film(self, task: str, frames: Sequence[MediaRef], name: str) -> str:
        address = f"{name_of(f'{self._server} {name}')}.mp4"
        self.films[address] = (task, frames)
        return f"media/{address}"


class Viewer:
    """One run behind an address."""

    def __init__(self, folder: Path, results: Callable[[], Results] | None = None) -> None:
        """Read where each record begins; `results` makes those of a run that is still going.

        Raises StoreError.
        """
        self._folder, self._manifest = folder, read_manifest(folder)
        self._results = results or (lambda: read_results(folder))
        self._pictures = AskedPictures(folder, self._manifest, None)
        self._file = folder / RECORDS
        self._places: dict[str, array[int]] = {}
        self._next = 0
        self.names: dict[str, tuple[str, int]] = {}
        self.refresh()

    @property
    def n_records(self) -> int:
        """How many records there are."""
        return sum(map(len, self._places.values()))

    @property
    def n_total(self) -> int:
        """How many there will be once the run is complete."""
        return sum(plan.n_total for plan in self._manifest.tasks.values())

    def refresh(self) -> None:
        """Take in what the run has written since. Raises StoreError."""
        if not self._file.exists() or self._file.stat().st_size < self._next:
            self._places, self._next = {}, 0
        before = self.n_records
        if self._file.exists():
            with self._file.open("rb") as lines:
                lines.seek(self._next)
                for line in lines:
                    if not line.endswith(b"\n"):
                        break
                    if line.strip():
                        label = record_of(line).task
                        self._places.setdefault(label, array("Q")).append(self._next)
                    self._next += len(line)
        if self.names and self.n_records == before:
            return
        self._prompts = {prompt.sha256: prompt for prompt in read_prompts(self._folder)}
        self.shown = ShownRun(self._folder, self._manifest, self._results(), ())
        self.names = {
            f"{safe_name(label)}-{number:05d}.js": (label, number)
            for label, places in self._places.items()
            for number in range(-(-len(places) // CHUNK))
        }

    def app(self) -> web.Application:
        """The server's routes."""
        app = web.Application(middlewares=[_own_name_only])
        app.cleanup_ctx.append(self._room_for_films)
        app.router.add_get("/", self._page)
        app.router.add_get("/{name:report\\.(?:js|css)}", self._static)
        app.router.add_get("/progress", self._progress)
        app.router.add_get("/data/{name}", self._data)
        app.router.add_get("/media/{name}", self._medium)
        return app

    def data(self, name: str) -> str:
        """A chunk of samples as a script. Raises KeyError."""
        label, number = self.names[name]
        places = self._places[label][number * CHUNK : (number + 1) * CHUNK]
        records = []
        with self._file.open("rb") as file:
            for place in places:
                file.seek(place)
                records.append(record_of(file.readline()))
        made = chunk([self.shown], [self._pictures], label, number, records, {}, self._prompts)
        return f"ER_CHUNK({in_script(made)});\n"

    async def _room_for_films(self, app: web.Application) -> AsyncIterator[None]:
        with TemporaryDirectory() as folder:
            self._pictures.folder = Path(folder)
            yield

    async def _progress(self, request: web.Request) -> web.Response:
        await asyncio.to_thread(self.refresh)
        return web.json_response({"done": self.n_records, "total": self.n_total})

    async def _page(self, request: web.Request) -> web.Response:
        await asyncio.to_thread(self.refresh)
        chunks: dict[str, list[str]] = {}
        for name, (label, _) in self.names.items():
            chunks.setdefault(label, []).append(f"data/{name}")
        progress = (self.n_records, self.n_total)
        text = page([self.shown], chunks, single=False, progress=progress)
        return web.Response(text=text, content_type="text/html")

    async def _static(self, request: web.Request) -> web.Response:
        name = request.match_info["name"]
        kind = "text/css" if name.endswith("css") else "text/javascript"
        return web.Response(text=static(name), content_type=kind)

    async def _data(self, request: web.Request) -> web.Response:
        try:
            text = await asyncio.to_thread(self.data, request.match_info["name"])
        except KeyError:
            raise web.HTTPNotFound from None
        return web.Response(text=text, content_type="text/javascript")

    async def _medium(self, request: web.Request) -> web.StreamResponse:
        name = request.match_info["name"]
        try:
            if name.endswith(".mp4"):
                file = await asyncio.to_thread(self._pictures.film_file, name)
                return web.FileResponse(file, headers=KEPT)
            content, kind = await asyncio.to_thread(self._pictures.content, name)
        except (KeyError, DataError):
            raise web.HTTPNotFound from None
        return web.Response(body=content, content_type=kind, headers=KEPT)


@web.middleware
async def _own_name_only(request: web.Request, handler: Handler) -> web.StreamResponse:
    host = request.host.rpartition(":")[0] if ":" in request.host else request.host
    if host not in NAMES:
        raise web.HTTPForbidden(text="this page is for this machine: open http://127.0.0.1")
    return await handler(request)
