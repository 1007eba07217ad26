"""The drawn example of every dialect."""

import PIL.Image
import pytest
from typer.testing import CliRunner

from er_bench.cli.main import app
from er_bench.core.errors import StoreError
from er_bench.core.geometry import Unit
from er_bench.report.dialect_picture import SIZE_WH, UNITS, _places, draw
from tests.judging import NAMES

DIALECTS = [name for name in NAMES.dialect_names() if name != "benchmark"]


def test_axes_of_a_dialect_that_writes_y_first():
    points, boxes = _places(NAMES.dialect("gemini"), None)
    w, h = SIZE_WH
    assert points == [(pytest.approx(0.701 * w), pytest.approx(0.374 * h))]
    assert boxes[0] == pytest.approx((0.761 * w, 0.364 * h, 0.912 * w, 0.608 * h))


@pytest.mark.parametrize("name", DIALECTS)
def test_every_example_lies_on_the_picture(name):
    dialect = NAMES.dialect(name)
    sent = dialect.grid.fitted(SIZE_WH) if dialect.grid else None
    points, boxes = _places(dialect, sent)
    assert points and bool(boxes) == bool(dialect.box_example)
    for x, y in [*points, *((x, y) for x1, y1, x2, y2 in boxes for x, y in ((x1, y1), (x2, y2)))]:
        assert 0 <= x <= SIZE_WH[0] and 0 <= y <= SIZE_WH[1]


def test_the_command_draws_it(tmp_path):
    done = CliRunner().invoke(app, ["describe", "qwen2_5_vl", "--out", str(tmp_path / "q.png")])
    assert done.exit_code == 0, done.output
    with PIL.Image.open(tmp_path / "q.png") as picture:
        assert picture.width > 600
        assert len(picture.convert("RGB").getcolors(1 << 20)) > 20
    done = CliRunner().invoke(app, ["describe", "benchmark", "--out", str(tmp_path / "b.png")])
    assert "name a dialect" in str(done.exception)


def test_every_unit_has_words():
    assert UNITS.keys() == set(Unit)


def test_a_file_that_cannot_be_written_is_told(tmp_path):
    with pytest.raises(StoreError, match="nowhere"):
        draw(NAMES.dialect("gemini"), tmp_path / "nowhere" / "x.png")
