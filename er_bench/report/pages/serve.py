"""Pages of runs of any size: the same page from 127.0.0.1, samples and pictures made when asked.

Of the records only the places in their file are held. Nothing but the page, its data and the
pictures that records name is ever served, and only to this machine's own name: another name would
be a page elsewhere that had itself resolved to 127.0.0.1.
"""

from __future__ import annotations

import asyncio
import hashlib
from array import array
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path

from aiohttp import web

from er_bench.core.errors import DataError
from er_bench.core.sample import MediaRef
from er_bench.data.files import safe_name
from er_bench.data.media import image_size
from er_bench.data.run_folder import RECORDS, read_manifest, read_prompts, record_of
from er_bench.report.pages.pictures import VIDEO_SUFFIXES, Pictures
from er_bench.report.pages.sample_view import View
from er_bench.report.pages.write import CHUNK, ShownRun, chunk, in_script, page, static
from er_bench.report.results import read_results

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
NAMES = ("127.0.0.1", "localhost")


@dataclass
class AskedPictures(Pictures):
    """Pictures that are made when somebody looks at them; till then their size is known."""

    asked: dict[str, tuple[str, MediaRef, str]] = field(default_factory=dict)
    """By the name in the address: task, reference and kind."""

    def _make(self, task: str, ref: MediaRef, kind: str, key: str) -> View:
        if Path(ref.file).suffix.lower() in VIDEO_SUFFIXES:
            w, h = 6 * 160, 120  # a strip; nothing is drawn on it
        else:
            w, h = image_size(self._reference(task).blob(ref))
        name = hashlib.sha256(key.encode()).hexdigest()[:20]
        self.asked[name] = (task, ref, kind)
        return {"src": f"media/{name}", "w": w, "h": h}

    def content(self, name: str) -> tuple[bytes, str]:
        """A picture's bytes and type. Raises KeyError, DataError."""
        task, ref, kind = self.asked[name]
        return self.encoded(task, ref, kind)


class Viewer:
    """One run behind an address."""

    def __init__(self, folder: Path) -> None:
        """Read where each record begins. Raises StoreError."""
        manifest = read_manifest(folder)
        self.shown = ShownRun(folder, manifest, read_results(folder), ())
        self._pictures = AskedPictures(folder, manifest, None)
        self._prompts = {prompt.sha256: prompt for prompt in read_prompts(folder)}
        self._file = folder / RECORDS
        self._places: dict[str, array[int]] = {}
        with self._file.open("rb") as lines:
            place = 0
            for line in lines:
                if line.endswith(b"\n") and line.strip():
                    label = record_of(line).task
                    self._places.setdefault(label, array("Q")).append(place)
                place += len(line)
        self.names = {
            f"{safe_name(label)}-{number:05d}.js": (label, number)
            for label, places in self._places.items()
            for number in range(-(-len(places) // CHUNK))
        }

    def app(self) -> web.Application:
        """The server's routes."""
        app = web.Application(middlewares=[_own_name_only])
        app.router.add_get("/", self._page)
        app.router.add_get("/{name:report\\.(?:js|css)}", self._static)
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

    async def _page(self, request: web.Request) -> web.Response:
        chunks: dict[str, list[str]] = {}
        for name, (label, _) in self.names.items():
            chunks.setdefault(label, []).append(f"data/{name}")
        text = page([self.shown], chunks, single=False)
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

    async def _medium(self, request: web.Request) -> web.Response:
        try:
            name = request.match_info["name"]
            content, kind = await asyncio.to_thread(self._pictures.content, name)
        except (KeyError, DataError):
            raise web.HTTPNotFound from None
        return web.Response(body=content, content_type=kind)


@web.middleware
async def _own_name_only(request: web.Request, handler: Handler) -> web.StreamResponse:
    host = request.host.rpartition(":")[0] if ":" in request.host else request.host
    if host not in NAMES:
        raise web.HTTPForbidden(text="this page is for this machine: open http://127.0.0.1")
    return await handler(request)
