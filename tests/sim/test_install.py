"""`er-bench sim install`: an environment of its own, found by runs, whole or not there."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from er_bench.core.errors import UnavailableError, UsageError
from er_bench.sim.install import install
from er_bench.sim.simulators import Known, place, why_unavailable
from tests.conftest import Command

SERVER = """
import importlib.util

def missing(options):
    return "" if importlib.util.find_spec("tiny_world") else "this Python lacks tiny_world"
"""


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("ER_BENCH_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def server(tmp_path: Path) -> Path:
    file = tmp_path / "tiny.py"
    file.write_text(SERVER)
    return file


def wheel(folder: Path, module: str) -> str:
    """A package with one empty module."""
    file = folder / "tiny_world-1-py3-none-any.whl"
    info = "tiny_world-1.dist-info"
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr(f"{module}.py", "")
        archive.writestr(
            f"{info}/METADATA", "Metadata-Version: 2.1\nName: tiny_world\nVersion: 1\n"
        )
        archive.writestr(
            f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        archive.writestr(f"{info}/RECORD", "")
    return str(file)


def test_it_is_found_once_it_is_whole(cache: Path, server: Path, tmp_path: Path) -> None:
    known = Known("tiny", server, "by hand", packages=(wheel(tmp_path, "other"),))
    with pytest.raises(UnavailableError, match=r"installed and cannot run: .*lacks tiny_world"):
        install(known)
    assert place(known, {}) == "", "half an installation is none"
    known = Known("tiny", server, "by hand", packages=(wheel(tmp_path, "tiny_world"),))
    said: list[str] = []
    python = install(known, said.append)
    assert python == cache / "sim" / "tiny" / "bin" / "python" and len(said) == 1
    assert place(known, {}) == str(python) and why_unavailable(known, {}) is None
    assert place(known, {known.variable: "tcp://127.0.0.1:1"}).startswith("tcp:"), "told wins"
    assert install(known, said.append) == python and len(said) == 1, "what is there is kept"


@pytest.mark.usefixtures("cache")
def test_an_installer_that_fails_says_why(server: Path) -> None:
    known = Known("tiny", server, "by hand", packages=("./no-such-file.whl",))
    with pytest.raises(UnavailableError, match=r"pip install .* failed: .*no-such-file"):
        install(known)
    assert place(known, {}) == ""


def test_what_comes_by_other_ways_is_named(server: Path, er_bench: Command) -> None:
    with pytest.raises(UsageError, match="cannot be installed by er-bench: by hand"):
        install(Known("tiny", server, "by hand"))
    done = er_bench("sim", "install", "metawrold")
    assert done.returncode == 2 and "did you mean metaworld" in done.stderr
