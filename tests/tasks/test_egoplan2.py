import json
import shutil

import pytest

from er_bench.core.errors import DataError
from er_bench.core.registry import Registry
from er_bench.core.sample import Text, Video
from er_bench.data.video import decode_frames, frame_indices
from er_bench.tasks.egoplan2 import mini
from tests.judging import judge, open_task

REGISTRY = Registry()
MINI = REGISTRY.mini_root("egoplan2")
ROW = {
    "sample_id": "ca6e9ec9-46ac-4a02-8034-7c31157dc52c_2",
    "domain": "Hobbies",
    "scenario": "baking",
    "task_goal": "bake pastry",
    "choice_a": "open oven",
    "choice_b": "close oven",
    "choice_c": "take tray",
    "choice_d": "wash hands",
    "golden_choice_idx": "A",
    "answer": "open oven",
    "task_start_frame": 0,
    "current_observation_frame": 656,
    "task_progress_metadata": [],
}


def open_rows(root, *rows):
    (root / "EgoPlan-Bench2.json").write_text(json.dumps(rows))
    return open_task("egoplan2", root)


def test_the_prompt_is_the_released_template_line_breaks_and_all(tmp_path):
    (sample,) = open_rows(tmp_path, ROW).samples()
    assert sample.parts[1] == Text(
        "\nSelect the best answer to the following multiple-choice question based on the video. "
        "Respond with only the letter (A, B, C, or D) of the correct option.\n\n"
        "Considering the progress shown in the video and my current observation in the last "
        "frame, what action should I take next in order to bake pastry?\n\n"
        "A. open oven\nB. close oven\nC. take tray\nD. wash hands\n"
    )


def test_the_frames_are_eight_of_the_span_with_both_ends(tmp_path):
    (sample,) = open_rows(tmp_path, ROW).samples()
    video = sample.parts[0]
    assert (video.n_frames, video.sampling, video.label, video.fps) == (8, "linspace", "image", 30)
    frames = frame_indices(video.start_frame, video.stop_frame, video.n_frames, video.sampling)
    assert frames == [0, 93, 187, 281, 374, 468, 562, 656]
    assert video.path == tmp_path / "Ego4D/v1_288p/ca6e9ec9-46ac-4a02-8034-7c31157dc52c.mp4"
    assert sample.cluster == "ca6e9ec9-46ac-4a02-8034-7c31157dc52c"


def test_a_clip_cut_beforehand_is_taken_whole(tmp_path):
    clip = tmp_path / "clip_dir" / f"{ROW['sample_id']}.mp4"
    clip.parent.mkdir()
    shutil.copy(next(MINI.rglob("*.mp4")), clip)
    (sample,) = open_rows(tmp_path, ROW).samples()
    assert sample.parts[0] == Video(clip, n_frames=8, sampling="linspace", label="image")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("golden_choice_idx", "E"),
        ("golden_choice_idx", None),
        ("current_observation_frame", -1),
        ("current_observation_frame", 6.5),
        ("sample_id", "../../etc/x_1"),
        ("choice_c", 3),
    ],
)
def test_a_bad_row_names_file_row_and_field(tmp_path, field, value):
    with pytest.raises(DataError) as caught:
        list(open_rows(tmp_path, ROW, {**ROW, field: value}).samples())
    assert (caught.value.row, caught.value.field) == (1, field)


def test_official_and_robust_readings_differ_as_known(tmp_path):
    task = open_rows(tmp_path, {**ROW, "golden_choice_idx": "B"})
    (sample,) = task.samples()
    for text, official, robust in [
        ("As shown in the video, B", 0, 1),
        ("Best answer: A", 1, 0),
        ("(b)", 0, 1),
        ("close oven", 0, 1),
    ]:
        judged = judge(task, text, sample)
        assert (judged["official"].score, judged["robust"].score) == (official, robust), text


def test_domains_are_named_alike_whatever_their_case(tmp_path):
    (sample,) = open_rows(tmp_path, {**ROW, "domain": "Daily Life"}).samples()
    assert sample.category == "Daily life"


def test_the_committed_mini_split_is_what_the_generator_makes(tmp_path):
    mini.write(tmp_path)
    file = "EgoPlan-Bench2.json"
    assert json.loads((tmp_path / file).read_text()) == json.loads((MINI / file).read_text())
    for story in mini.stories()[:3]:
        name = f"Ego4D/v1_288p/{story.uid}.mp4"
        pair = [decode_frames(Video(root / name), 5, "linspace") for root in (tmp_path, MINI)]
        for a, b in zip(*pair, strict=True):
            assert max(abs(x - y) for x, y in zip(a.tobytes(), b.tobytes(), strict=True)) < 40


def test_the_clip_shows_what_the_row_says():
    """After k moves the first things lie in the tray and the others stand where they stood."""
    for story in mini.stories():
        frames = list(mini.frames(story))
        for row in (r for r in mini.rows() if r["sample_id"].startswith(story.uid)):
            last, done = frames[row["current_observation_frame"]], int(row["sample_id"][-1])
            under_the_gripper = (done - 1, done - 2)
            for number, thing in enumerate(story.things):
                x, y = mini._slot(number) if number < done else thing.centre_px_xy
                if number not in under_the_gripper:
                    assert last.getpixel((round(x), round(y))) == mini.COLOURS[thing.colour]
            assert row["answer"] == f"put the {story.things[done].label} into the tray"
