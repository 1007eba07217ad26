from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from er_bench.core.card import OfficialTexts
from er_bench.core.errors import DataError
from er_bench.data.upstream import constant, official_file

CONTENT = b"prompt = 'Plan.'\n"
SHA256 = hashlib.sha256(CONTENT).hexdigest()
TEXTS = OfficialTexts(repository="them/bench", commit="abc123", sha256={"bench/prompts.py": SHA256})


@pytest.fixture(autouse=True)
def _cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ER_BENCH_CACHE", str(tmp_path / "cache"))


def refuse(url: str) -> bytes:
    raise OSError(f"no network: {url}")


@pytest.mark.parametrize("path", ["bench/prompts.py", "prompts.py"])
def test_the_users_copy_is_read(path: str, tmp_path: Path) -> None:
    (tmp_path / path).parent.mkdir(exist_ok=True)
    (tmp_path / path).write_bytes(CONTENT)
    assert official_file(TEXTS, "bench/prompts.py", tmp_path, refuse) == CONTENT


def test_another_version_is_an_error_even_if_the_right_one_could_be_fetched(tmp_path: Path) -> None:
    (tmp_path / "prompts.py").write_bytes(CONTENT + b"#")
    with pytest.raises(DataError, match=r"abc123.*prompts\.py"):
        official_file(TEXTS, "bench/prompts.py", tmp_path, lambda url: CONTENT)


def test_it_is_fetched_once_at_the_cards_commit_and_kept(tmp_path: Path) -> None:
    asked: list[str] = []

    def get(url: str) -> bytes:
        asked.append(url)
        return CONTENT

    for _ in range(2):
        assert official_file(TEXTS, "bench/prompts.py", tmp_path, get) == CONTENT
    assert asked == ["https://raw.githubusercontent.com/them/bench/abc123/bench/prompts.py"]


def test_a_wrong_file_from_the_network_is_not_kept(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="expected " + SHA256):
        official_file(TEXTS, "bench/prompts.py", tmp_path, lambda url: b"else")
    assert not list((tmp_path / "cache").rglob("*.part"))
    assert official_file(TEXTS, "bench/prompts.py", tmp_path, lambda url: CONTENT) == CONTENT


def test_without_copy_and_network_the_message_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="checkout of commit abc123 with --data DIR"):
        official_file(TEXTS, "bench/prompts.py", tmp_path, refuse)


def test_constants_are_read_and_not_run() -> None:
    source = b"import nothing\nA = 'x' 'y'\nB = {'k': [1, 2.5, None]}\nC = open('x')\n"
    assert constant(source, "A", "f.py") == "xy"
    assert constant(source, "B", "f.py") == {"k": [1, 2.5, None]}
    for name in ("C", "D"):
        with pytest.raises(DataError, match=rf"{name}.*f\.py"):
            constant(source, name, "f.py")
    with pytest.raises(DataError, match="cannot be read"):
        constant(b"A = (", "A", "f.py")
