"""A stand-in for the hub on this machine, a task whose rows it has, and what may go wrong there."""

from __future__ import annotations

import hashlib
import io
import json
import socket
import struct
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar

import PIL.Image
import pytest

SHA = "0123456789abcdef0123456789abcdef01234567"


class Hub(BaseHTTPRequestHandler):
    """The calls that a snapshot makes: the revision, its file list, and each file."""

    protocol_version = "HTTP/1.1"
    files: ClassVar[dict[str, bytes]] = {}
    refusal: ClassVar[tuple[int, str] | None] = None
    """Status and error code of every answer; of files alone where the set is gated."""
    cut: ClassVar[str] = ""
    """A file of which half is sent before the connection is lost."""
    asked: ClassVar[list[str]] = []
    """The files that were sent or begun."""

    def do_HEAD(self) -> None:
        self.reply(body=False)

    def do_GET(self) -> None:
        self.reply(body=True)

    def reply(self, body: bool) -> None:
        path = self.path.partition("?")[0]
        if self.refusal and ("/resolve/" in path or self.refusal[1] != "GatedRepo"):
            return self.send(self.refusal[0], b"", body, {"X-Error-Code": self.refusal[1]})
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
            if body:
                self.asked.append(name)
            etag = hashlib.sha256(content).hexdigest()
            return self.send(200, content, body, {"ETag": f'"{etag}"', "X-Repo-Commit": SHA})
        return self.send(404, b"", body, {"X-Error-Code": "RepoNotFound"})

    def send(self, status: int, content: bytes, body: bool, headers: dict[str, str]) -> None:
        self.send_response(status)
        for key, value in {"Content-Length": str(len(content)), **headers}.items():
            self.send_header(key, value)
        self.end_headers()
        if body and self.cut and self.path.partition("?")[0].endswith(self.cut):
            self.wfile.write(content[: len(content) // 2])
            self.reset()
        elif body:
            self.wfile.write(content)

    def reset(self) -> None:
        """End the connection as a network that fails does, not as a server that has done."""
        self.close_connection = True
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.rfile.close()
        self.connection.close()

    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[dict[str, str]]:
    """The environment that points the client at the stand-in."""
    Hub.files, Hub.refusal, Hub.cut, Hub.asked = {}, None, "", []
    server = ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
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
