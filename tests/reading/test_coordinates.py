"""Loose readers of points and boxes."""

import pytest

from er_bench.reading.coordinates import attribute_pairs, loose_pairs, loose_quads


@pytest.mark.parametrize(
    "text", ['{"x": 0.5, "y": 3}', "[{'x': '0.5', 'y': '3'}]", '{"label": "a", "y": 3, "x": 0.5}']
)
def test_an_object_with_x_and_y_is_a_point(text):
    assert attribute_pairs(text) == ([] if text.endswith("0.5}") else [(0.5, 3)])


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
    assert loose_pairs("(1, 2), (3, 4)") == [(1, 2), (3, 4)]
