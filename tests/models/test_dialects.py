"""The dialects: released readers, tolerant readers, writers, and texts that nobody meant."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from er_bench.cli.listing import describe
from er_bench.core.answer import Boxes, Points, Status
from er_bench.core.errors import UsageError
from er_bench.core.geometry import Unit
from er_bench.core.registry import Registry
from er_bench.models.dialects import DIALECTS
from er_bench.reading.coordinates import bracket_pairs

NAMES = sorted(DIALECTS)
SAME_READERS = {"fraction_tuples", "roborefer", "molmo_single", "qwen2_5_vl"}
DISTINCT = [name for name in NAMES if name not in SAME_READERS]
BOXERS = [name for name in NAMES if DIALECTS[name].box_template]
READERS = ("read_points", "read_points_tolerant", "read_boxes", "read_boxes_tolerant")


def points(name, text, tolerant=False):
    found = DIALECTS[name]
    answer = found.read_points_tolerant(text) if tolerant else found.read_points(text)
    return [] if answer.value is None else list(answer.value.xy)


# grounding.md 3, "The two Vlaser parsers differ": the released functions on these texts.
@pytest.mark.parametrize(
    ("text", "readme", "scripts"),
    [
        ("<point>[[500, 500], [250, 750]]</point>", 2, 2),
        ("[[500, 500]]", 0, 1),
        ("<point>[500, 500]</point>", 0, 1),
        ("<point>[[500, 500]</point>", 0, 1),
        ("<point>[[500, 500]] </point>", 0, 1),
        ("<point>[[500.5, 500.0]]</point>", 0, 1),
        ("<think>at [1, 2]</think><point>[[500, 500]]</point>", 1, 2),
        ("<point>[[500, 500]]</point> or <point>[[1, 1]]</point>", 1, 2),
        ("<point>[[1000, 1000]]</point>", 1, 1),
        ("<box>[[100, 100, 200, 200]]</box>", 0, 0),
        ("<point>[[1, 2]\n]</point>", 1, 1),
        ("<point>[[1, 2],\n[3, 4]]</point>", 0, 2),
        ("<point>[[1, 2],\n<point>[[3, 4]]</point>", 1, 2),
    ],
)
def test_vlasers_two_parsers(text, readme, scripts):
    assert len(points("internvl_1000", text)) == readme
    assert len(bracket_pairs(text)) == scripts


@pytest.mark.parametrize(
    ("name", "text", "xy", "unit"),
    [
        ("robopoint", "[(0.75, 0.25)]", [(0.75, 0.25)], Unit.FRACTION),
        ("robopoint", "[(480, 360)]", [(480, 360)], Unit.PIXEL),
        ("robopoint", "[(0, 0), (0.5, 1)]", [(0, 0), (0.5, 1)], Unit.FRACTION),
        ("roborefer", "[(0.234, 0.567)]", [(0.234, 0.567)], Unit.FRACTION),
        ("robobrain2", "<think>at (1, 2)</think> [(376, 309)]", [(376, 309)], Unit.PIXEL),
        ("embodied_r1", "<answer><point>[[212, 148.5]]</point></answer>", [(212, 148.5)], "pixel"),
        ("embodied_r1", "<answer><point>[[0.2, 0.5]]</point></answer>", [(0.2, 0.5)], "fraction"),
        ("embodied_r1", "<point>[[212, 148]]</point>", [], None),
        ("molmo_single", '<point x="63.5" y="44.5" alt="a">a</point>', [(63.5, 44.5)], "percent"),
        ("molmo_multi", '<points x1="1.5" y1="2" x2="101" y2="3">', [(1.5, 2)], "percent"),
        ("gemini", '```json\n[{"point": [750, 600], "label": "p"}]\n```', [(600, 750)], "per_1000"),
        ("qwen3_vl", '[{"point_2d": [925, 618], "label": "a"}]', [(925, 618)], "per_1000"),
        ("qwen2_5_vl", '{"point_2d": [925, 618]}', [(925, 618)], "pixel_sent"),
        ("paligemma", "<loc0100><loc0200><loc0300><loc0400> cup", [(300, 200)], "per_1024"),
        ("fractions", "[[0.5, 0.25]]", [(0.5, 0.25)], "fraction"),
        ("robobrain2_5", "[(376, 309)]", [(376, 309)], "per_1000"),
        ("molmo2", '<points coords="1 1 073 160 2 1000 600">a</points>',
         [(73, 160), (1000, 600)], "per_1000"),
        ("molmo2", "1 073 160", [], None),
        ("mimo_embodied", '</think>[{"points": [[394.9, 105]]}]', [(394, 105)], "pixel_sent"),
        ("mimo_embodied", "[1, 2]</think>(3, 4) [5, 6]", [(5, 6)], "pixel_sent"),
        ("mimo_embodied", '[{"points": [[394, 105]]}]', [], None),
    ],
)  # fmt: skip
def test_strict_readers_give_x_first_in_the_family_s_unit(name, text, xy, unit):
    answer = DIALECTS[name].read_points(text)
    assert ([] if answer.value is None else list(answer.value.xy)) == xy
    assert xy == [] or answer.value.unit == unit


@pytest.mark.parametrize(
    ("name", "text", "xy"),
    [
        ("internvl_1000", "<point>[[500, 500]] </point>", [(500, 500)]),
        ("internvl_1000", "<think>at [1, 2]</think>(30.5, .5)", [(30.5, 0.5)]),
        ("internvl_1000", 'It is <point x="5" y="6">', [(5, 6)]),
        ("gemini", "[374, 701]", [(701, 374)]),
        ("gemini", '```json\n[{"point": [374, 701], "label": "cut', [(701, 374)]),
        ("robopoint", "[( 0.75, 0.75 )]", [(0.75, 0.75)]),
        ("qwen3_vl", "[{'point_2d': [1, 2]}, {'point_2d': [3,", [(1, 2)]),
    ],
)
def test_tolerant_readers_read_what_can_be_meant(name, text, xy):
    assert points(name, text, tolerant=True) == xy
    for thought in ("<think>(1, 2)</think>", "<Thinking>[[3, 4]]</Thinking>", "<answer>x</answer>"):
        assert points(name, f"{thought}<answer>{text}</answer>", tolerant=True) == xy


def test_mixed_pixels_and_fractions_are_ambiguous():
    answer = DIALECTS["robopoint"].read_points("[(480, 360), (0.5, 0.5)]")
    assert (answer.status, answer.value) == (Status.AMBIGUOUS, None)


def test_a_point_off_the_frame_keeps_its_value():
    answer = DIALECTS["internvl_1000"].read_points("<point>[[1001, 5]]</point>")
    assert answer.status is Status.OUT_OF_RANGE
    assert answer.value == Points(((1001.0, 5.0),), Unit.PER_1000)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    "text",
    [
        "",
        "I cannot determine.",
        "<point>[[x1, y1], [x2, y2]]</point>",
        "<point>[[5",
        "<point>",
        "[(0.5, 0.",
        '<point x="6',
        "<loc0012><loc00",
        '```json\n[{"point": [NaN, NaN], "point_2d": [NaN, Infinity]}]\n```',
        "<point>[[" + "9" * 5000 + ", 1]]</point>",
        "[(" + "9" * 5000 + ", 1)]",
        '[{"point": [1, ' + "9" * 5000 + "]}]",
        '[{"point": [1, ' + "9" * 400 + '], "point_2d": [1, ' + "9" * 400 + "]}]",
        "<think>it could be at <point>[[5, 5]]</point> or (0.5, 0.5)",
        "[533, 132, 457]",
    ],
)
def test_half_open_tags_placeholders_runaway_digits_and_nan_are_unparsed(name, text):
    assert DIALECTS[name].read_points_tolerant(text).status is Status.UNPARSED
    if not text.startswith("<think>"):
        assert DIALECTS[name].read_points(text).status is Status.UNPARSED


@pytest.mark.parametrize("name", BOXERS)
@pytest.mark.parametrize("text", ["<box>[[", "[x1, y1, x2, y2]", "<|box_start|>(764,25),(1659,1)"])
def test_boxes_that_are_none(name, text):
    assert DIALECTS[name].read_boxes_tolerant(text).status is Status.UNPARSED


def test_box_readers():
    said = "<ref>cup</ref><box>[[761, 364, 912, 608]]</box>"
    vlaser = DIALECTS["internvl_1000"]
    assert vlaser.read_boxes(said).value == Boxes(((761, 364, 912, 608),), Unit.PER_1000)
    bare = vlaser.read_boxes("cup[[0.1, 0.2, 0.3, 0.4]]")
    assert bare.value == Boxes(((0.1, 0.2, 0.3, 0.4),), Unit.FRACTION)
    gemini = DIALECTS["gemini"].read_boxes('[{"box_2d": [57, 247, 385, 527]}]')
    assert gemini.value == Boxes(((247, 57, 527, 385),), Unit.PER_1000)
    assert DIALECTS["qwen2_5_vl"].read_boxes_tolerant("[1, 2, 3, 4]").value == Boxes(
        ((1, 2, 3, 4),), Unit.PIXEL_SENT
    )


@pytest.mark.parametrize("name", NAMES)
def test_its_own_example_is_read(name):
    found = DIALECTS[name]
    assert found.read_points(found.example).status is Status.OK
    assert found.source
    if found.box_example:
        assert found.read_boxes(found.box_example).status is Status.OK


UNITS = {"fraction": 1, "percent": 100, "per_1000": 1000, "per_1024": 1023}


@pytest.mark.parametrize("name", NAMES)
@given(xy=st.lists(st.tuples(st.floats(0.01, 0.99), st.floats(0.01, 0.99)), min_size=1, max_size=9))
def test_what_it_writes_it_reads(name, xy):
    found = DIALECTS[name]
    scale = UNITS.get(found.unit, 640)
    said = Points(tuple((x * scale, y * scale) for x, y in xy), found.unit)
    text = found.write_points(said)
    for answer in (found.read_points(text), found.read_points_tolerant(text)):
        assert len(answer.value.xy) == len(xy)
        for got, meant in zip(answer.value.xy, said.xy, strict=True):
            assert got == pytest.approx(meant, abs=1)


@pytest.mark.parametrize("name", BOXERS)
def test_boxes_it_writes_it_reads(name):
    found = DIALECTS[name]
    scale = UNITS.get(found.unit, 640)
    box = tuple(scale * n for n in (0.25, 0.5, 0.375, 0.75))
    text = found.write_boxes(Boxes((box,), found.unit))
    for answer in (found.read_boxes(text), found.read_boxes_tolerant(text)):
        assert answer.value.xyxy == (pytest.approx(box, abs=0.5),)


def test_families_without_boxes_say_so():
    for name in sorted(set(NAMES) - set(BOXERS)):
        with pytest.raises(UsageError, match=name):
            DIALECTS[name].box_prompt("Where?", "Where?")


@pytest.mark.parametrize("name", NAMES)
def test_prompts_hold_the_words_untouched(name):
    prompt = DIALECTS[name].point_prompt("Point to {referring} $1.", "Point to {referring} $1.")
    assert "Point to {referring} $1." in prompt


def test_vlasers_prompt_to_the_letter():
    assert DIALECTS["internvl_1000"].point_prompt("Where is it?", "it") == (
        "You are InternVL. Your task is to locate several points in the given image according to "
        'the task descriptions. Your answer should be formatted as "<point>[[x1, y1], [x2, y2],'
        '...]</point>". The point coordinates are normalized to integers between 0 and 1000. '
        "Return the answer in the point format directly. Where is it?"
    )


PIECES = st.sampled_from(
    [
        "<point>",
        "</point>",
        "[",
        "]",
        "(",
        ")",
        "1",
        "0.5",
        ",",
        " ",
        "-",
        "\n",
        "```json\n",
        "```",
        '{"point": ',
        '"point_2d": [',
        "}",
        "NaN",
        "<loc0001>",
        'x1="',
        '" y1="',
        "<think>",
        "9" * 30,
    ]
)


@pytest.mark.parametrize("name", NAMES)
@given(text=st.text() | st.lists(PIECES, max_size=60).map("".join))
def test_readers_never_raise(name, text):
    for reader in READERS:
        answer = getattr(DIALECTS[name], reader)(text)
        assert (answer.value is None) == (answer.status in (Status.UNPARSED, Status.AMBIGUOUS))


@pytest.mark.parametrize("name", DISTINCT)
@pytest.mark.parametrize(
    "unit",
    [
        "1",
        "[",
        "(",
        "<point>[[",
        "<point>[[1, 2]",
        "]</point>",
        "[1, ",
        "(1,",
        "[1, 2, 3, ",
        "1.",
        " ",
        "<think>",
        "```json\n[",
        'x1="1" ',
        '{"point": [',
        "<loc0001>",
        "]\n]</point>",
        "[ ",
        "x1",
    ],
)
def test_no_text_takes_long(name, unit):
    for text in (
        unit * (100_000 // len(unit)),
        "(" + unit * 50_000,
        "[" + unit * 50_000 + "</point>",
    ):
        for reader in READERS:
            started = time.process_time()
            getattr(DIALECTS[name], reader)(text)
            assert time.process_time() - started < 2.0


def test_the_registry_knows_them():
    assert Registry().dialect("gemini") is DIALECTS["gemini"]
    with pytest.raises(UsageError, match="internvl_1000"):
        Registry().dialect("klingon")


@pytest.mark.parametrize("name", NAMES)
def test_describe_prints_unit_order_words_and_an_example(name, capsys):
    describe(name)
    said, found = capsys.readouterr().out, DIALECTS[name]
    assert f"unit: {found.unit}; order: {', '.join(found.order)}" in said
    for text in (found.example, found.source, found.box_example or "writes no boxes"):
        assert text in said
