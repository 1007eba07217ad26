import hashlib
import json
import shutil

import pytest

from er_bench.core.completion import Completion
from er_bench.core.dialect import BENCHMARK
from er_bench.core.errors import DataError
from er_bench.core.registry import Registry
from er_bench.core.sample import Image
from er_bench.core.task import Scored
from er_bench.tasks.vlabench import mini
from er_bench.tasks.vlabench.task import MINI_PROMPT_SHA256, PROMPT_FILE

REGISTRY = Registry()
MINI = REGISTRY.mini_root("vlabench")


@pytest.fixture
def root(tmp_path):
    """A copy of the mini split that may be spoilt."""
    return shutil.copytree(MINI, tmp_path / "data")


def spoil(root, content):
    file = root / "M&T" / "select_toy" / "example1" / "output" / "operation_sequence.json"
    file.write_text(content if isinstance(content, str) else json.dumps(content))
    return file


def shown(sample):
    return [p.blob.path.parts[-4:] if isinstance(p, Image) else p.text for p in sample.parts]


def test_the_zero_shot_message(root):
    task = REGISTRY.open_task("vlabench", root)
    sample = next(s for s in task.samples() if s.id == "M&T/select_toy/example0")
    system, plain, between, tagged, end = shown(sample)
    assert system == mini.PROMPT + "\nInput picture\n"
    assert plain == ("select_toy", "example0", "input", "input.png")
    assert between == "\nInput picture with numbered tags\n"
    assert tagged == ("select_toy", "example0", "input", "input_mask.png")
    instruction = (root / "M&T/select_toy/example0/input/instruction.txt").read_text()
    assert end == (f"\nLanguage instruction:\n{instruction}\nPlease give the output skill sequence")


def test_a_shot_is_another_example_of_the_dimension_and_always_the_same():
    task = REGISTRY.open_task("vlabench", MINI, "one_shot_cot")
    for sample in task.samples():
        parts = shown(sample)
        assert len(parts) == 9 and parts[1] != parts[5]
        output = parts[4].split("output skill sequence\n")[1].split("\nInput picture")[0]
        assert list(json.loads(output)) == ["skill_sequence"]
        assert parts[8].endswith("Please analyze the problem step by step and give the answer")
    again = REGISTRY.open_task("vlabench", MINI, "one_shot_cot")
    assert [shown(s) for s in task.samples()] == [shown(s) for s in again.samples()]


def test_the_mini_instructions_are_trusted_by_their_hash(root):
    assert hashlib.sha256((MINI / "prompt.txt").read_bytes()).hexdigest() == MINI_PROMPT_SHA256
    (root / "prompt.txt").write_text("Do as you like.")
    (root / "eval_vlm_en.txt").write_text("Not the released text.")
    with pytest.raises(DataError, match="SHA-256"):
        next(REGISTRY.open_task("vlabench", root).samples())


def test_the_card_names_the_released_instructions():
    texts = REGISTRY.task_card("vlabench").texts
    assert list(texts.sha256) == [PROMPT_FILE]


def test_misspelt_and_corrected_folders_are_one_dimension(root):
    (root / "CommenSence").rename(root / "CommonSense")
    (root / "PhysicsLaw").rename(root / "PhysicalLaw")
    before = [s.id for s in REGISTRY.open_task("vlabench", MINI).samples()]
    assert [s.id for s in REGISTRY.open_task("vlabench", root).samples()] == before
    assert {i.split("/")[0] for i in before} >= {"CommonSense", "PhysicsLaw"}


def test_examples_come_in_the_order_of_their_numbers(root):
    task = root / "M&T" / "select_toy"
    for number in (10, 2):
        shutil.copytree(task / "example0", task / f"example{number}")
    ids = [s.id for s in REGISTRY.open_task("vlabench", root).samples() if "select_toy/" in s.id]
    assert [i.rsplit("example")[1] for i in ids] == ["0", "1", "2", "10"]


@pytest.mark.parametrize(
    "content", ["[", {}, {"skill_sequence": []}, {"skill_sequence": [{"name": "pick"}]}, [1], "NaN"]
)
def test_a_bad_truth_is_refused_by_name(root, content):
    file = spoil(root, content)
    with pytest.raises(DataError) as caught:
        list(REGISTRY.open_task("vlabench", root).samples())
    assert caught.value.file == file


def test_an_empty_folder_is_refused(tmp_path):
    shutil.copy(MINI / "prompt.txt", tmp_path)
    with pytest.raises(DataError, match="example<N>"):
        list(REGISTRY.open_task("vlabench", tmp_path).samples())


def test_the_headline_is_the_mean_of_dimensions_in_both_readings():
    task, scored = REGISTRY.open_task("vlabench", MINI), []
    for sample in task.samples():
        text = task.write(task.ideal(sample), sample, BENCHMARK)
        if sample.category == "Complex":
            text = text.replace("```json", "").replace("```", "")
        if sample.category != "Spatial" or sample.cluster.endswith("fruit_spatial"):
            judged = task.judge(sample, Completion(text), BENCHMARK)
            scored.append(Scored(sample.cluster, sample.category, judged.score))
    official, robust = task.aggregate(scored), task.aggregate(scored, "robust")
    assert official.score == pytest.approx(5 / 6)
    assert official.by_category["micro"] == pytest.approx(18 / 22)
    assert official.by_category["Complex"] == 0
    assert official.by_category["released_total"] == pytest.approx(0.8 * 5 / 6)
    assert (robust.score, robust.by_category["Complex"]) == (pytest.approx(1), pytest.approx(1))


def test_the_star_tasks_take_subtasks_in_any_order():
    task = REGISTRY.open_task("vlabench", MINI)
    for sample in (s for s in task.samples() if s.category == "Complex"):
        steps = task.ideal(sample).steps
        swapped = type(task.ideal(sample))((*steps[2:], *steps[:2]))
        text = task.write(swapped, sample, BENCHMARK)
        exact = task.judge(sample, Completion(text), BENCHMARK).score.parts["exact"]
        assert exact == (1 if "cook_dishes" in sample.id else 0)


def test_the_committed_mini_split_is_what_the_generator_makes(tmp_path):
    mini.write(tmp_path)
    for file in sorted(f.relative_to(tmp_path) for f in tmp_path.rglob("*.[jt]*") if f.is_file()):
        assert (tmp_path / file).read_text() == (MINI / file).read_text(), file
