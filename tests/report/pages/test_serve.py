"""The viewer: the same page from this machine's address, samples and pictures when asked."""

from __future__ import annotations

import asyncio
import json
import re
import socket
from pathlib import Path
from typing import Any

import pytest
from aiohttp.test_utils import TestClient, TestServer

import er_bench as api
from er_bench.report.pages import write
from er_bench.report.pages.serve import Viewer
from er_bench.reporting import open_viewer
from tests.conftest import Command


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> api.Run:
    out = tmp_path_factory.mktemp("serve") / "r"
    return api.evaluate("reference/oracle", "erqa,where2place", split="mini", out=out)


def got(run: api.Run, *paths: str, host: str = "127.0.0.1") -> list[tuple[int, bytes]]:
    async def ask() -> list[tuple[int, bytes]]:
        async with TestClient(TestServer(Viewer(run.folder).app())) as client:
            found = []
            for path in paths:
                reply = await client.get(path, headers={"Host": host})
                found.append((reply.status, await reply.read()))
            return found

    return asyncio.run(ask())


def served(viewer: Viewer) -> list[dict[str, Any]]:
    return [
        json.loads(viewer.data(name).removeprefix("ER_CHUNK(").removesuffix(");\n"))
        for name in viewer.names
    ]


def test_samples_are_those_of_the_static_pages(
    run: api.Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(write, "CHUNK", 10)
    monkeypatch.setattr("er_bench.report.pages.serve.CHUNK", 10)
    page = api.write_report([run.folder], out=tmp_path / "report")
    static = [
        json.loads(file.read_text().removeprefix("ER_CHUNK(").removesuffix(");\n"))
        for file in page.parent.glob("data/*.js")
    ]
    asked = served(Viewer(run.folder))
    assert len(asked) == len(static) == 7

    def samples(chunks: list[dict[str, Any]]) -> dict[tuple[str, str], Any]:
        return {(s["task"], s["id"]): s["readings"]["official"]["score"]
                for chunk in chunks for s in chunk["samples"]}  # fmt: skip

    assert samples(asked) == samples(static)
    assert all(chunk["prompts"] for chunk in asked)


def test_page_data_and_pictures_are_served(run: api.Run) -> None:
    viewer = Viewer(run.folder)
    name = next(iter(viewer.names))

    async def ask() -> None:
        async with TestClient(TestServer(viewer.app())) as client:
            page = await (await client.get("/")).text()
            assert f"data/{name}" in page and "report.js" in page
            data = await (await client.get(f"/data/{name}")).text()
            sources = re.findall(r'"src":"(media/[0-9a-f]+)"', data)
            picture = await client.get(f"/{sources[0]}")
            assert picture.status == 200 and picture.content_type == "image/jpeg"
            assert (await picture.read())[:2] == b"\xff\xd8"
            assert "immutable" in picture.headers["Cache-Control"], "no picture comes twice"
            assert sources[0] not in Viewer(run.folder).data(name), "another server, other names"

    asyncio.run(ask())


@pytest.mark.parametrize(
    "path",
    ["/media/0", "/data/x.js", "/data/..%2f..%2fmanifest.json", "/records.jsonl", "/media/../x"],
)
def test_nothing_else_is_served(path: str, run: api.Run) -> None:
    assert got(run, path)[0][0] == 404


def test_another_name_of_the_host_is_refused(run: api.Run) -> None:
    for path in ("/", "/report.js"):
        assert got(run, path, host="evil.example:8080")[0][0] == 403
    assert got(run, "/", host="localhost:8080")[0][0] == 200


def test_a_port_that_is_taken_is_told(run: api.Run, er_bench: Command) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        done = er_bench("view", run.folder, "--port", port)
    assert done.returncode == 2 and f"port {port} cannot be used" in done.stderr


@pytest.fixture
def going(run: api.Run, tmp_path: Path) -> tuple[Path, list[bytes]]:
    """The run as it was after ten records, and the lines that it wrote then."""
    folder = tmp_path / "going"
    folder.mkdir()
    for name in ("manifest.json", "prompts.jsonl", "media.jsonl"):
        (folder / name).write_bytes((run.folder / name).read_bytes())
    lines = (run.folder / "records.jsonl").read_bytes().splitlines(keepends=True)
    (folder / "records.jsonl").write_bytes(b"".join(lines[:10]) + lines[10][:50])
    return folder, [lines[10][50:], *lines[11:]]


def test_a_run_that_is_still_going_is_followed(going: tuple[Path, list[bytes]]) -> None:
    folder, rest = going
    viewer = open_viewer(folder)
    assert (viewer.n_records, viewer.n_total) == (10, 56)
    made = viewer.shown.results
    assert sum(task.n_scored for task in made.tasks.values()) == 10
    assert {task.status for task in made.tasks.values()} == {"incomplete"}

    async def follow() -> None:
        async with TestClient(TestServer(viewer.app())) as client:
            assert '"progress":[10,56]' in await (await client.get("/")).text()
            assert await (await client.get("/progress")).json() == {"done": 10, "total": 56}
            with (folder / "records.jsonl").open("ab") as file:
                file.writelines(rest[:20])
            assert await (await client.get("/progress")).json() == {"done": 30, "total": 56}
            with (folder / "records.jsonl").open("ab") as file:
                file.writelines(rest[20:])
            assert '"progress":null' in await (await client.get("/")).text()

    asyncio.run(follow())
    samples = [s["id"] for chunk in served(viewer) for s in chunk["samples"]]
    assert len(samples) == viewer.n_records == 56
    assert {task.status for task in viewer.shown.results.tasks.values()} == {"complete"}
    assert not (folder / "results.json").exists(), "only the run itself writes there"


def test_results_that_a_run_has_written_are_taken(run: api.Run) -> None:
    viewer = open_viewer(run.folder)
    assert viewer.shown.results == run.results
    assert viewer.n_records == viewer.n_total


def test_a_run_without_a_record_yet(going: tuple[Path, list[bytes]]) -> None:
    folder, _ = going
    (folder / "records.jsonl").unlink()
    assert got_from(open_viewer(folder), "/")[0][0] == 200


def got_from(viewer: Viewer, path: str) -> list[tuple[int, bytes]]:
    async def ask() -> list[tuple[int, bytes]]:
        async with TestClient(TestServer(viewer.app())) as client:
            reply = await client.get(path)
            return [(reply.status, await reply.read())]

    return asyncio.run(ask())
