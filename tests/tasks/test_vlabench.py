import hashlib
import json
import shutil

import pytest

from er_bench.core.answer import Plan
from er_bench.core.errors import DataError
from er_bench.core.registry import Registry
from er_bench.core.sample import Image
from er_bench.tasks.vlabench import mini
from er_bench.tasks.vlabench.task import MINI_PROMPT_SHA256, PROMPT_FILE
from tests.judging import judge, open_task, scored

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
    task = open_task("vlabench", root)
    sample = next(s for s in task.samples() if s.id == "M&T/select_toy/example0")
    system, plain, between, tagged, end = shown(sample)
    assert system == mini.PROMPT + "\nInput picture\n"
    assert plain == ("select_toy", "example0", "input", "input.png")
    assert between == "\nInput picture with numbered tags\n"
    assert tagged == ("select_toy", "example0", "input", "input_mask.png")
    instruction = (root / "M&T/select_toy/example0/input/instruction.txt").read_text()
    assert end == (f"\nLanguage instruction:\n{instruction}\nPlease give the output skill sequence")


def test_a_shot_is_another_example_of_the_dimension_and_always_the_same():
    task = open_task("vlabench", MINI, "one_shot_cot")
    for sample in task.samples():
        parts = shown(sample)
        assert len(parts) == 9 and parts[1] != parts[5]
        output = parts[4].split("output skill sequence\n")[1].split("\nInput picture")[0]
        assert list(json.loads(output)) == ["skill_sequence"]
        assert parts[8].endswith("Please analyze the problem step by step and give the answer")
    again = open_task("vlabench", MINI, "one_shot_cot")
    assert [shown(s) for s in task.samples()] == [shown(s) for s in again.samples()]


def test_the_mini_instructions_are_trusted_by_their_hash(root):
    assert hashlib.sha256((MINI / "prompt.txt").read_bytes()).hexdigest() == MINI_PROMPT_SHA256
    (root / "prompt.txt").write_text("Do as you like.")
    (root / "eval_vlm_en.txt").write_text("Not the released text.")
    with pytest.raises(DataError, match="SHA-256"):
        next(open_task("vlabench", root).samples())


def test_the_card_names_the_released_instructions():
    texts = REGISTRY.task_card("vlabench").texts
    assert list(texts.sha256) == [PROMPT_FILE]


def test_misspelt_and_corrected_folders_are_one_dimension(root):
    (root / "CommenSence").rename(root / "CommonSense")
    (root / "PhysicsLaw").rename(root / "PhysicalLaw")
    before = [s.id for s in open_task("vlabench", MINI).samples()]
    assert [s.id for s in open_task("vlabench", root).samples()] == before
    assert {i.split("/")[0] for i in before} >= {"CommonSense", "PhysicsLaw"}


@pytest.mark.parametrize(
    ("released", "told"),
    [("CommenSence", "common_sense"), ("Spatial", "spatial"), ("PhysicsLaw", "Physics Law")],
)
def test_a_folder_whose_name_means_a_dimension_is_taken_for_it(root, released, told):
    (root / released).rename(root / told)
    before = [s.id for s in open_task("vlabench", MINI).samples()]
    assert [s.id for s in open_task("vlabench", root).samples()] == before


def test_no_folder_of_examples_is_left_out_without_a_word(root):
    (root / "Spatial").rename(root / "placement")
    with pytest.raises(DataError, match=r"name means none of M&T, Spatial.*rename it") as caught:
        list(open_task("vlabench", root).samples())
    assert caught.value.file == root / "placement"
    (root / "placement").rename(root / "Spatial")
    (task,) = [f for f in (root / "Spatial").iterdir() if f.is_dir()][:1]
    (task / "example0").rename(task / "sample0")
    with pytest.raises(DataError, match="expected a folder named example<N>") as caught:
        list(open_task("vlabench", root).samples())
    assert caught.value.file == task / "sample0"


def test_folders_that_hold_no_examples_are_passed_over(root):
    for name in (".cache/x/example0", "__MACOSX/x/example0", "configs/prompt", "notes"):
        (root / name).mkdir(parents=True)
    before = [s.id for s in open_task("vlabench", MINI).samples()]
    assert [s.id for s in open_task("vlabench", root).samples()] == before


def test_examples_come_in_the_order_of_their_numbers(root):
    task = root / "M&T" / "select_toy"
    for number in (10, 2):
        shutil.copytree(task / "example0", task / f"example{number}")
    ids = [s.id for s in open_task("vlabench", root).samples() if "select_toy/" in s.id]
    assert [i.rsplit("example")[1] for i in ids] == ["0", "1", "2", "10"]


@pytest.mark.parametrize(
    "content", ["[", {}, {"skill_sequence": []}, {"skill_sequence": [{"name": "pick"}]}, [1], "NaN"]
)
def test_a_bad_truth_is_refused_by_name(root, content):
    file = spoil(root, content)
    with pytest.raises(DataError) as caught:
        list(open_task("vlabench", root).samples())
    assert caught.value.file == file


def test_an_empty_folder_is_refused(tmp_path):
    shutil.copy(MINI / "prompt.txt", tmp_path)
    with pytest.raises(DataError, match="example<N>"):
        list(open_task("vlabench", tmp_path).samples())


def test_the_headline_is_the_mean_of_dimensions_in_both_readings():
    task, answers = open_task("vlabench", MINI), []
    truth = REGISTRY.reference(task)
    for sample in task.samples():
        text = truth.write(truth.ideal(sample), sample)
        if sample.category == "Complex":
            text = text.replace("```json", "").replace("```", "")
        if sample.category != "Spatial" or sample.cluster.endswith("fruit_spatial"):
            answers.append((sample, text))
    official, robust, released = (
        task.readings[name].aggregate(scored(task, answers, name))
        for name in ("official", "robust", "released_total")
    )
    assert official.score == pytest.approx(5 / 6)
    assert official.metrics["micro"] == pytest.approx(18 / 22)
    assert official.categories["Complex"] == 0
    assert official.metrics["released_total"] == pytest.approx(0.8 * 5 / 6)
    assert (robust.score, robust.categories["Complex"]) == (pytest.approx(1), pytest.approx(1))
    assert released.score == official.metrics["released_total"]
    assert released.metrics["total"] == official.score
    assert released.metrics["micro"] == pytest.approx(0.8 * 18 / 22)
    assert released.categories["Complex"] == 0


def test_the_released_sum_is_at_most_four_fifths_and_reads_the_fence():
    task = open_task("vlabench", MINI)
    truth = REGISTRY.reference(task)
    for sample in task.samples():
        text = truth.write(truth.ideal(sample), sample)
        judged = judge(task, text, sample)
        assert judged["released_total"].score == pytest.approx(0.8)
        assert judged["released_total"].score <= 0.8
        assert judged["official"].score == pytest.approx(1)
        assert judge(task, text.replace("```", ""), sample)["released_total"].score == 0


def test_the_released_sum_does_not_see_the_order_of_subtasks():
    task = open_task("vlabench", MINI)
    truth = REGISTRY.reference(task)
    chains = [s for s in task.samples() if s.category == "Complex" and not s.target.star]
    assert len(chains) == 2
    for sample in chains:
        steps = truth.ideal(sample).steps
        judged = judge(task, truth.write(Plan((*steps[2:], *steps[:2])), sample), sample)
        assert judged["released_total"].score == pytest.approx(0.8)
        assert judged["official"].score == pytest.approx(0.9)


def test_the_star_tasks_take_subtasks_in_any_order():
    task = open_task("vlabench", MINI)
    truth = REGISTRY.reference(task)
    for sample in (s for s in task.samples() if s.category == "Complex"):
        steps = truth.ideal(sample).steps
        swapped = truth.write(Plan((*steps[2:], *steps[:2])), sample)
        exact = judge(task, swapped, sample)["official"].parts["exact"]
        assert exact == (1 if "cook_dishes" in sample.id else 0)


def test_the_committed_mini_split_is_what_the_generator_makes(tmp_path):
    mini.write(tmp_path)
    for file in sorted(f.relative_to(tmp_path) for f in tmp_path.rglob("*.[jt]*") if f.is_file()):
        assert (tmp_path / file).read_text() == (MINI / file).read_text(), file
