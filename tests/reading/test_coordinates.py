"""Loose readers of points and boxes."""

import pytest

from er_bench.reading.coordinates import (
    attribute_pairs,
    loose_pairs,
    loose_quads,
    named_quads,
    place_texts,
)


@pytest.mark.parametrize(
    "text",
    [
        '{"x": 0.5, "y": 3}',
        '{"y": 3, "x": 0.5}',
        "[{'x': '0.5', 'y': '3'}]",
        '{"label": "a", "y": 3, "x": 0.5}',
        '{"point": {"y": 3, "x": 0.5}}',
        '<point y="3" x="0.5" alt="a">',
        "y = 3, x = 0.5",
        "x: 0.5 and y: 3",
    ],
)
def test_a_point_whose_axes_are_named_is_read_by_name(text):
    assert attribute_pairs(text) == [(0.5, 3)]


@pytest.mark.parametrize(
    "text",
    [
        '{"x1": 1, "y1": 2, "x2": 3, "y2": 4}',
        '{"ymax": 4, "xmax": 3, "ymin": 2, "xmin": 1, "label": "cup"}',
        '{"box": {"left": 1, "top": 2, "right": 3, "bottom": 4}}',
    ],
)
def test_a_box_whose_corners_are_named_is_read_by_name_and_is_no_point(text):
    assert named_quads(text) == [(1, 2, 3, 4)]
    assert (loose_pairs(text), attribute_pairs(text)) == ([], [])


def test_places_that_are_taken_back_are_not_looked_at_first():
    assert place_texts("(1, 2). No wait, (3, 4)") == ("(3, 4)", "(1, 2). No wait, (3, 4)")
    assert place_texts("(1, 2) - no: (3, 4)")[0] == "(3, 4)"
    assert place_texts("\uff081\uff0c2\uff09") == ("(1,2)",)
    labelled = '[{"label": "correction tape", "point_2d": [1, 2]}]'
    assert place_texts(labelled) == (labelled,)


@pytest.mark.parametrize(
    "text",
    [
        "<box>(1, 2),(3, 4)</box>",
        "<|box_start|>(1,2),(3,4)<|box_end|>",
        '{"bbox_2d": [[1, 2], [3, 4]]}',
        "[1, 2, 3, 4]",
    ],
)
def test_a_box_is_one_box_and_no_two_points(text):
    assert (loose_pairs(text), attribute_pairs(text)) == ([], [])
    assert loose_quads(text) == [(1, 2, 3, 4)]


def test_points_beside_a_box_are_read():
    assert loose_pairs("<box>(1,2),(3,4)</box> at (5, 6)") == [(5, 6)]
    assert attribute_pairs('{"x": 1, "y": 2, "width": 3, "height": 4}') == []
    assert attribute_pairs("<box x1=1 y1=2 x2=3 y2=4>") == []
    assert loose_pairs("(1, 2), (3, 4)") == [(1, 2), (3, 4)]
