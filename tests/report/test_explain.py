"""Why a number is not the published one: pixels behind a card of thousandths, and its kin."""

import json

import pytest
from typer.testing import CliRunner

import er_bench
from er_bench import explaining
from er_bench.cli.main import app
from er_bench.core.answer import Points
from er_bench.core.errors import UsageError
from er_bench.core.geometry import Unit
from er_bench.report.reported import Reported
from tests.judging import NAMES

CODE = "the official code; prompts and frames are not published"


@pytest.fixture
def published(monkeypatch):
    """A source whose model scores this much on where2place."""

    def publish(score: float, protocol: str = CODE, doubt: str = "") -> None:
        source = Reported(
            name="paper", title="A paper", source="-", date="2026", protocol=protocol,
            unit="percent", columns=["where2place", "erqa"], rows={"Model": [score, 40.0]},
            doubts={"Model": {"where2place": doubt}} if doubt else {},
        )  # fmt: skip
        monkeypatch.setattr(explaining, "read_reported", lambda name: source)

    return publish


def run_of(tmp_path, write, dialect="internvl_1000", task="where2place"):
    """A run on the mini split whose answers are made of the truth in pixels and the size."""
    opened = NAMES.open_mini(task, dialect)
    reference = NAMES.reference(opened)
    lines = []
    for number, sample in enumerate(opened.samples()):
        point = reference.ideal(sample).xy[0]
        text = write(number, point, reference.size_wh(sample))
        lines.append(json.dumps({"id": sample.id, "response": text}))
    (tmp_path / "answers.jsonl").write_text("\n".join(lines))
    er_bench.score_responses(
        task, tmp_path / "answers.jsonl", tmp_path / "run", split="mini", dialect=dialect
    )
    return tmp_path / "run"


def in_pixels(number, point, size):
    return (
        "<point>[[1, 1]]</point>"
        if number % 4 == 3
        else f"<point>[[{point[0]:.0f}, {point[1]:.0f}]]</point>"
    )


def thousandths(number, point, size):
    x, y = (round(p / n * 1000) for p, n in zip(point, size, strict=True))
    return f"<point>[[{x}, {y}]]</point>"


def test_pixels_behind_a_card_of_thousandths_are_named(tmp_path, published):
    published(74.0)
    (made,) = er_bench.explain(run_of(tmp_path, in_pixels), "Model@paper")
    assert made.apart
    assert made.conclusion.startswith("Read as pixels the same answers score 75.0%")
    assert "the run's dialect is internvl_1000" in made.conclusion
    best = made.otherwise[0]
    assert (best.kind, best.name, best.score) == ("frame", "pixels", pytest.approx(0.75))
    assert len(best.won) >= 16
    assert not best.lost


def test_swapped_axes_are_named(tmp_path, published):
    published(100.0)
    run = run_of(tmp_path, lambda n, p, s: thousandths(n, p[::-1], s[::-1]))
    (made,) = er_bench.explain(run, "reported:Model@paper", task="where2place")
    assert made.otherwise[0].name == "thousandths, axes swapped"
    assert made.conclusion.startswith(
        "Read as thousandths, axes swapped the same answers score 100"
    )


def test_numbers_that_agree_need_no_explaining(tmp_path, published):
    published(100.0)
    (made,) = er_bench.explain(run_of(tmp_path, thousandths), "Model@paper")
    assert not made.apart
    assert "nothing to explain" in made.conclusion


def test_a_gap_that_no_frame_closes_is_told(tmp_path, published):
    published(40.0, doubt="the same number stands in another column")
    (made,) = er_bench.explain(run_of(tmp_path, thousandths), "Model@paper")
    assert made.conclusion.startswith("No reading and no frame of the same answers turns 100.0%")
    assert made.doubt.startswith("the same number")
    assert {"prompt", "frames", "coordinates", "decoding"} <= set(made.unsaid)
    assert "reading" not in made.unsaid


def test_another_reading_that_gives_the_published_number_is_named(tmp_path, published):
    published(100.0, "greedy decoding; points normalized to 0..1000")
    run = run_of(tmp_path, lambda n, p, s: f"Thus: {thousandths(n, p, s)} or ({n}, 3)", "benchmark")
    (made,) = er_bench.explain(run, "Model@paper")
    assert not {"decoding", "coordinates"} & set(made.unsaid)
    assert {other.kind for other in made.otherwise} == {"reading", "frame"}
    assert max(made.otherwise, key=lambda other: other.score).name.startswith("internvl_1000")


def test_questions_without_places_have_readings_alone(tmp_path, published):
    published(1.0)
    er_bench.evaluate("reference/chance", ["erqa"], split="mini", out=tmp_path / "run")
    (made,) = er_bench.explain(tmp_path / "run", "Model@paper")
    assert {other.kind for other in made.otherwise} == {"reading"}


@pytest.mark.parametrize(
    ("row", "task", "told"),
    [("Modle@paper", None, "Model"), ("Model", None, "MODEL@SOURCE"),
     ("Model@paper", "erqa", "where2place")],
)  # fmt: skip
def test_wrong_names_are_told(tmp_path, published, row, task, told):
    published(50.0)
    with pytest.raises(UsageError, match=told):
        er_bench.explain(run_of(tmp_path, thousandths), row, task=task)


def test_the_command_says_it_in_words_and_as_data(tmp_path, published):
    published(74.0)
    run = str(run_of(tmp_path, in_pixels))
    done = CliRunner().invoke(app, ["explain", run, "--reported", "Model@paper"])
    assert done.exit_code == 0, done.output
    assert "this run 4.2%" in done.output
    assert "75.0%  as pixels:" in done.output
    assert "it does not say: prompt" in done.output
    done = CliRunner().invoke(
        app, ["explain", run, "--reported", "Model@paper", "--format", "json"]
    )
    assert json.loads(done.output)[0]["otherwise"][0]["name"] == "pixels"


def test_the_frames_of_boxes_too():
    task = NAMES.open_mini("affordance", "internvl_1000")
    from er_bench.run.other_dialects import OtherFrame, neighbours

    frames = list(neighbours(task.dialect, NAMES))
    assert len(frames) == len({frame.name for frame in frames}) == 2 * len(Unit) - 1
    turned = OtherFrame(task.dialect, Unit.PIXEL, turned=True)
    box = turned.read_boxes("<box>[[1, 2, 3, 4]]</box>").value
    assert (box.xyxy, box.unit) == (((2, 1, 4, 3),), Unit.PIXEL)
    point = turned.read_points_tolerant("(1, 2)").value
    assert point == Points(((2, 1),), Unit.PIXEL)
    assert turned.read_points("nothing").value is None


def test_few_samples_tell_nothing(tmp_path, published):
    published(60.0)
    er_bench.evaluate("reference/blind", ["where2place"], split="mini", limit=3, out=tmp_path / "r")
    (made,) = er_bench.explain(tmp_path / "r", "Model@paper")
    assert "3 of 3 samples are too few to tell" in made.conclusion
    assert made.settings["decoding"] == {}
