"""Fetching a data set through the real hub client, from a stand-in hub on this machine."""

from __future__ import annotations

import hashlib
import io
import json
import threading
import zipfile
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar

import PIL.Image
import pytest

from er_bench.report.results import read_results
from tests.conftest import Command

SHA = "0123456789abcdef0123456789abcdef01234567"


def archive(name: str, content: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as opened:
        opened.writestr(name, content)
    return out.getvalue()


class Hub(BaseHTTPRequestHandler):
    """The two calls that a snapshot makes: the revision's file list, and each file."""

    protocol_version = "HTTP/1.1"
    files: ClassVar[dict[str, bytes]] = {}

    def do_HEAD(self) -> None:
        self.reply(body=False)

    def do_GET(self) -> None:
        self.reply(body=True)

    def reply(self, body: bool) -> None:
        path = self.path.partition("?")[0]
        if path.startswith("/api/datasets/lab/toy/revision/"):
            listing = {"id": "lab/toy", "sha": SHA, "private": False, "downloads": 0, "tags": [],
                       "siblings": [{"rfilename": name} for name in self.files]}  # fmt: skip
            return self.send(200, json.dumps(listing).encode(), body, {})
        if path.startswith("/api/datasets/lab/toy/tree/"):
            tree = [{"type": "file", "path": name, "size": len(content), "oid": "0" * 40}
                    for name, content in self.files.items()]  # fmt: skip
            return self.send(200, json.dumps(tree).encode(), body, {})
        name = path.rpartition(f"/resolve/{SHA}/")[2]
        if path.startswith("/datasets/lab/toy/") and name in self.files:
            content = self.files[name]
            etag = hashlib.sha256(content).hexdigest()
            return self.send(200, content, body, {"ETag": f'"{etag}"', "X-Repo-Commit": SHA})
        return self.send(404, b"", body, {"X-Error-Code": "RepoNotFound"})

    def send(self, status: int, content: bytes, body: bool, headers: dict[str, str]) -> None:
        self.send_response(status)
        for key, value in {"Content-Length": str(len(content)), **headers}.items():
            self.send_header(key, value)
        self.end_headers()
        if body:
            self.wfile.write(content)

    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[dict[str, str]]:
    """The environment that points the client at the stand-in."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield {
        "HF_ENDPOINT": f"http://127.0.0.1:{server.server_port}",
        "HF_HOME": str(tmp_path / "cache"),
        "HF_HUB_OFFLINE": "0",
        "HF_HUB_DISABLE_XET": "1",
    }
    server.shutdown()
    server.server_close()


@pytest.fixture
def task_on_the_hub(toy_path: Path, tmp_path: Path) -> Path:
    folder = tmp_path / "include" / "toy"
    folder.mkdir(parents=True)
    card = (toy_path / "toy" / "card.yaml").read_text()
    told = f"{{id: lab/toy, revision: {SHA}, files: [rows.jsonl, '*.zip'], licence: MIT, rows: 2}}"
    (folder / "card.yaml").write_text(
        card.replace("{id: null, licence: MIT, rows: null}", told).replace(
            "default_split: mini", ""
        )
    )
    for name in ("task.py", "reference.py"):
        (folder / name).write_text((toy_path / "toy" / name).read_text())
    return folder.parent


def png() -> bytes:
    out = io.BytesIO()
    PIL.Image.new("RGB", (4, 4)).save(out, "PNG")
    return out.getvalue()


def rows(n: int) -> bytes:
    return b"".join(
        json.dumps({"id": f"q{k}", "question": "say A", "answer": "A", "scene": "s",
                    "kind": "k", "image": f"pictures/{k}.png"}).encode() + b"\n"
        for k in range(n)
    )  # fmt: skip


def run(er_bench: Command, include: Path, hub: dict[str, str], *more: str) -> tuple[int, str]:
    done = er_bench("run", "--model", "reference/oracle", "--tasks", "toy", "--include-path",
                    include, "--out", "r", *more, **hub)  # fmt: skip
    return done.returncode, done.stderr


def test_a_snapshot_is_fetched_unpacked_and_checked(
    er_bench: Command, task_on_the_hub: Path, hub: dict[str, str], tmp_path: Path
) -> None:
    pictures = io.BytesIO()
    with zipfile.ZipFile(pictures, "w") as opened:
        for k in range(2):
            opened.writestr(f"pictures/{k}.png", png())
            opened.writestr(f"__MACOSX/pictures/._{k}.png", b"litter")
    Hub.files = {"rows.jsonl": rows(2), "pictures.zip": pictures.getvalue(), "README.md": b"x"}
    code, told = run(er_bench, task_on_the_hub, hub)
    assert code == 0, told
    assert not list(tmp_path.rglob("__MACOSX"))
    result = read_results(tmp_path / "r").tasks["toy"]
    assert (result.split, result.score, result.dataset.revision) == ("official", 1.0, SHA)


def test_another_mirror_is_refused_with_what_was_expected(
    er_bench: Command, task_on_the_hub: Path, hub: dict[str, str], tmp_path: Path
) -> None:
    Hub.files = {"rows.jsonl": rows(3).replace(b'"image"', b'"photo"')}
    code, told = run(er_bench, task_on_the_hub, hub)
    assert code == 2 and "rows: expected 2, found 3" in told and "--accept-data" in told
    code, told = run(er_bench, task_on_the_hub, hub, "--accept-data")
    assert code == 0, told
    result = read_results(tmp_path / "r").tasks["toy"]
    assert (result.split, result.dataset.accepted) == ("custom", ["rows: expected 2, found 3"])


def test_an_archive_that_leaves_its_folder_is_refused(
    er_bench: Command, task_on_the_hub: Path, hub: dict[str, str], tmp_path: Path
) -> None:
    Hub.files = {"rows.jsonl": rows(2), "evil.zip": archive("../../evil.txt", b"x")}
    code, told = run(er_bench, task_on_the_hub, hub)
    assert code == 2 and "path outside it" in told
    assert not list(tmp_path.rglob("evil.txt"))


def test_an_archive_that_grows_out_of_proportion_is_refused(
    er_bench: Command, task_on_the_hub: Path, hub: dict[str, str], tmp_path: Path
) -> None:
    bomb = io.BytesIO()
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as opened:
        opened.writestr("a.bin", bytes(200_000))
    Hub.files = {"rows.jsonl": rows(2), "a.zip": bomb.getvalue()}
    name = "ER_BENCH_MAX_UNPACKED_BYTES"
    code, told = run(er_bench, task_on_the_hub, {**hub, name: "1000"})
    assert code == 2 and f"the limit is 1000; if you trust the file, set {name}=200000" in told
    assert not list(tmp_path.rglob("a.bin"))


def test_without_the_hub_the_way_out_is_named(
    er_bench: Command, task_on_the_hub: Path, hub: dict[str, str], tmp_path: Path
) -> None:
    code, told = run(er_bench, task_on_the_hub, {**hub, "HF_ENDPOINT": "http://127.0.0.1:9"})
    assert code == 3 and "--data DIR" in told and "--split mini" in told
    result = read_results(tmp_path / "r").tasks["toy"]
    assert (result.status, result.score, result.n_total) == ("unavailable", None, 0)
