"""Records to token ids, labels, weights and tiles."""

import numpy as np
import PIL.Image
import pytest

from er_bench.core.errors import DataError
from er_bench.train.data.examples import IGNORED, token_weight

from .conftest import talk, write_video


def learned(example, codec):
    return codec.decode([int(i) for i in example.labels if i != IGNORED])


def shown(example, codec):
    return codec.decode(example.ids.tolist())


def tiles_of(example):
    """`(N, S, S, 3)`: the tiles of all its pictures."""
    return np.concatenate([features.arrays["tiles_nhwc"] for features in example.features])


# model.md 3.3: answers and <|im_end|> are supervised, the final line break is not.
def test_only_answers_and_their_end_are_learned(one_source, reader, codec):
    turns = talk("<image>\nWhere?", "There.", "Sure?", "<box>[[1, 2, 3, 4]]</box>")
    example = reader().example(one_source({"image": "0.png", "conversations": turns}), 0, 0)
    assert shown(example, codec) == (
        "<|im_start|>system\nBe brief.<|im_end|>\n"
        "<|im_start|>user\n<img><IMG_CONTEXT></img>\nWhere?<|im_end|>\n"
        "<|im_start|>assistant\nThere.<|im_end|>\n"
        "<|im_start|>user\nSure?<|im_end|>\n"
        "<|im_start|>assistant\n<box>[[1, 2, 3, 4]]</box><|im_end|>\n"
    )
    assert learned(example, codec) == "There.<|im_end|><box>[[1, 2, 3, 4]]</box><|im_end|>"
    assert (example.labels[example.weights > 0] == example.ids[example.weights > 0]).all()
    assert ((example.weights > 0) == (example.labels != IGNORED)).all()
    assert example.labels[-1] == IGNORED and example.labels[-2] == codec.vocabulary.stops[0]


def test_a_record_brings_its_own_system_message(one_source, reader, codec):
    source = one_source({"conversations": talk("a", "b", system="Rhyme.")})
    assert shown(reader().example(source, 0, 0), codec).startswith(
        "<|im_start|>system\nRhyme.<|im_end|>\n<|im_start|>user\na"
    )


def test_text_cannot_write_control_tokens(one_source, reader, codec):
    source = one_source({"conversations": talk("a<|im_end|>\n<|im_start|>x<IMG_CONTEXT>", "b")})
    ids = reader().example(source, 0, 0).ids.tolist()
    assert ids.count(codec.vocabulary.id("<|im_end|>")) == 3
    assert codec.vocabulary.id("<IMG_CONTEXT>") not in ids


# 80x40 with at most 4 tiles: a 2x1 grid and the thumbnail; n images share: max(1, limit // n).
@pytest.mark.parametrize(
    ("images", "limit", "tiles"),
    [(["1.png"], 4, 3), (["1.png", "1.png"], 4, 6), (["1.png"] * 3, 4, 3), (["1.png"] * 5, 4, 5)],
)
def test_images_share_the_tiles(one_source, reader, codec, images, limit, tiles):
    question = "<image>" * len(images)
    source = one_source(
        {"image": images, "conversations": talk(question, "a")}, max_dynamic_patch=limit
    )
    example = reader().example(source, 0, 0)
    assert len(tiles_of(example)) == tiles
    context = codec.vocabulary.id("<IMG_CONTEXT>")
    assert example.ids.tolist().count(context) == tiles * codec.tile_tokens


def test_measuring_agrees_with_reading(one_source, reader, codec):
    source = one_source(
        {"conversations": talk("a", "b")},
        {"image": "2.png", "conversations": talk("<image> here", "b c d")},
        {"image": ["0.png", "1.png"], "conversations": talk("<image><image>", "b")},
    )
    for index in range(3):
        size, example = reader().measure(source, index), reader().example(source, index, 9)
        assert size.tokens == len(example.ids)
        assert size.supervised == (example.labels != IGNORED).sum()
        context = example.ids.tolist().count(codec.vocabulary.id("<IMG_CONTEXT>"))
        assert size.media == sum(f.tokens for f in example.features) == context


def test_a_record_that_is_too_long_is_refused_not_cut(one_source, reader):
    source = one_source({"conversations": talk("a", "b " * 40)})
    tokens = reader().measure(source, 0).tokens
    assert reader(sequence_length=tokens).measure(source, 0).tokens == tokens
    with pytest.raises(DataError, match=rf"row 1.*{tokens} tokens|{tokens} tokens.*row 1"):
        reader(sequence_length=tokens - 1).measure(source, 0)


def test_a_broken_image_names_file_and_line(one_source, reader, tmp_path):
    source = one_source({"image": "0.png", "conversations": talk("a", "b")})
    whole = (tmp_path / "0.png").read_bytes()
    (tmp_path / "0.png").write_bytes(whole[: len(whole) // 2])
    assert reader().measure(source, 0).media == 1  # its header is whole
    with pytest.raises(DataError, match=r"0\.png.*toy\.jsonl, row 1"):
        reader().example(source, 0, 0)


def test_degrading_depends_on_seed_and_place_alone(one_source, reader, tmp_path):
    record = {"image": "1.png", "conversations": talk("a", "b")}
    clean = one_source(record)
    sharp = tiles_of(reader().example(clean, 0, 3))
    source = one_source(record, data_augment=True)
    first, again, other = (tiles_of(reader().example(source, 0, place)) for place in (3, 3, 4))
    assert (first == again).all()
    assert (first != other).any() and (first != sharp).any()
    assert np.abs(first.astype(int) - sharp).mean() < 40  # still the same picture


@pytest.mark.parametrize(("n", "weights"), [(0, (0, 0, 0)), (1, (1, 1, 1)), (9, (1, 1 / 9, 1 / 3))])
def test_weights_of_the_reductions(n, weights):
    assert [token_weight(n, r) for r in ("token", "sample", "square")] == pytest.approx(weights)


def test_weights_reach_the_tokens(one_source, reader):
    source = one_source({"conversations": talk("a", "b c d e f")})
    for reduction in ("sample", "square"):
        example = reader(reduction=reduction).example(source, 0, 0)
        n = (example.labels != IGNORED).sum()
        weight = {"sample": 1 / n, "square": n**-0.5}[reduction]
        assert example.weights[example.labels != IGNORED] == pytest.approx(weight)


def test_a_video_is_frames_in_order_one_from_each_part(one_source, reader, codec, tmp_path):
    write_video(tmp_path / "v.mp4", 30)
    source = one_source({"video": "v.mp4", "conversations": talk("<video>\nWhat?", "Light.")})
    example = reader(video_frames=(5, 5)).example(source, 0, 1)
    image = "<img><IMG_CONTEXT></img>"
    frames = "".join(f"Frame-{k}: {image}\n" for k in range(1, 6))
    assert f"user\n{frames}What?" in shown(example, codec)
    brightness = tiles_of(example).mean(axis=(1, 2, 3)) / 255
    for k, value in enumerate(brightness):
        assert k / 5 - 0.05 <= value <= (k + 1) / 5 + 0.05
    other = reader(video_frames=(5, 5)).example(source, 0, 2)
    assert (tiles_of(other) != tiles_of(example)).any()
    assert (
        len(other.ids) == len(example.ids) == reader(video_frames=(5, 5)).measure(source, 0).tokens
    )


def test_a_clip_of_a_video(one_source, reader, tmp_path):
    write_video(tmp_path / "v.mp4", 30)
    turns = talk("What?", "Light.")
    source = one_source(
        {"video": "v.mp4", "clip": [2.0, 3.0], "conversations": turns},
        {"video": "v.mp4", "clip": [7.0, 9.0], "conversations": turns},
        {"video": "v.mp4", "clip": [3, 1], "conversations": turns},
    )
    tiles = tiles_of(reader(video_frames=(4, 4)).example(source, 0, 0))
    assert (tiles.mean(axis=(1, 2, 3)) / 255 > 0.6).all()
    for index in (1, 2):
        with pytest.raises(DataError, match="clip"):
            reader().measure(source, index)


def test_a_tile_is_the_picture(one_source, reader, tmp_path):
    source = one_source({"image": "0.png", "conversations": talk("a", "b")})
    PIL.Image.new("RGB", (56, 56), (255, 128, 0)).save(tmp_path / "0.png")
    tiles = tiles_of(reader().example(source, 0, 0))
    assert tiles.shape[1:] == (28, 28, 3)
    assert (tiles == np.array([255, 128, 0])).all()
