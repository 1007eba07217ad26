"""The notebook of `examples/`, executed as a reader would, in an empty folder."""

from __future__ import annotations

from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

NOTEBOOK = Path(__file__).parents[2] / "examples" / "notebook.ipynb"


@pytest.fixture(scope="module")
def executed(tmp_path_factory: pytest.TempPathFactory) -> nbformat.NotebookNode:
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    folder = tmp_path_factory.mktemp("notebook")
    client = NotebookClient(notebook, timeout=120, resources={"metadata": {"path": str(folder)}})
    return client.execute()


def outputs(notebook: nbformat.NotebookNode, of: str) -> list[nbformat.NotebookNode]:
    """What the cell with some code in it has put out."""
    (cell,) = [c for c in notebook.cells if c.cell_type == "code" and of in c.source]
    return list(cell.outputs)


def test_it_runs_from_top_to_bottom(executed: nbformat.NotebookNode) -> None:
    (again,) = outputs(executed, "er_bench.score(")
    assert again.data["text/plain"] == "True"
    (mine,) = outputs(executed, "class AlwaysB")
    assert 0 < float(mine.data["text/plain"]) < 1


def test_it_shows_the_picture_and_the_table(executed: nbformat.NotebookNode) -> None:
    assert any("image/png" in o.get("data", {}) for o in outputs(executed, "ImageDraw"))
    (table,) = outputs(executed, "to_pandas")
    assert "text/html" in table.data


def test_it_is_kept_without_outputs() -> None:
    cells = nbformat.read(NOTEBOOK, as_version=4).cells
    assert not any(c.get("outputs") for c in cells)
