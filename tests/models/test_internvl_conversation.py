from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import er_bench
from er_bench.core.family import Rendered
from er_bench.core.message import Message, user
from er_bench.core.sample import Image, Part, Text, Video
from er_bench.data.rows import BytesBlob
from er_bench.models.internvl.conversation import Style, render
from er_bench.models.internvl.template import chat_template
from er_bench.models.internvl.tiny import SAMPLE_TEXTS, make_tokenizer
from er_bench.models.internvl.vocabulary import MARKUP, STRUCTURE, Vocabulary

SYSTEM = (
    "<|im_start|>system\n你是书生·万象，英文名是InternVL，是由上海人工智能实验室、"  # noqa: RUF001
    "清华大学及多家合作单位联合开发的多模态大语言模型。<|im_end|>\n"
)
ABSENT = Style("absent")
IMAGE, VIDEO = Image(BytesBlob("p.png", None)), Video(Path("v.mp4"))


@pytest.fixture(scope="module")
def vocabulary() -> Vocabulary:
    return Vocabulary(make_tokenizer(SAMPLE_TEXTS, 300))


class Writer:
    """Renders with images of two tokens and videos of two frames with two tokens each."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        self._vocabulary = vocabulary

    def render(self, messages: Sequence[Message], style: Style, **more: Any) -> Rendered:
        parts = [part for message in messages for part in message.parts]
        tokens = [[2] * (1 + isinstance(p, Video)) for p in parts if not isinstance(p, Text)]
        return render(messages, tokens, self._vocabulary, style, **more)

    def conversation(self, messages: Sequence[Message], style: Style = ABSENT, **more: Any) -> str:
        return self._vocabulary.text(self.render(messages, style, **more).ids)

    def __call__(self, *parts: Part | str, style: Style = ABSENT) -> str:
        return self.conversation([user(*parts)], style)


@pytest.fixture
def written(vocabulary: Vocabulary) -> Writer:
    return Writer(vocabulary)


PICTURE = "<img><IMG_CONTEXT><IMG_CONTEXT></img>"


def asked(question: str) -> str:
    return f"<|im_start|>user\n{question}<|im_end|>\n<|im_start|>assistant\n"


def said(role: str, *parts: Part | str) -> Message:
    return Message(role, user(*parts).parts)  # type: ignore[arg-type]


def test_one_image_comes_before_the_question_on_a_line_of_its_own(written: Writer) -> None:
    assert written(IMAGE, "Point to it.") == asked(f"{PICTURE}\nPoint to it.")


def test_a_picture_has_the_tokens_it_is_given(vocabulary: Vocabulary) -> None:
    found = render([user(IMAGE, "a", IMAGE)], [[3], [1]], vocabulary, ABSENT)
    context = vocabulary.id("<IMG_CONTEXT>")
    assert [found.ids[s.start : s.stop].count(context) for s in found.slots] == [3, 1]
    assert [len(s) for s in found.slots] == [5, 3]
    assert vocabulary.text(found.filled([context])) == asked(
        "Image-1: <IMG_CONTEXT>\na\nImage-2: <IMG_CONTEXT>"
    )
    with pytest.raises(ValueError):
        render([user(IMAGE)], [], vocabulary, ABSENT)


@pytest.mark.parametrize(
    ("setting", "opening"),
    [
        ("template", SYSTEM),
        ("none", "<|im_start|>system\nNone<|im_end|>\n"),
        ("absent", ""),
        ("You are a robot.", "<|im_start|>system\nYou are a robot.<|im_end|>\n"),
    ],
)
def test_system_message(written: Writer, setting: str, opening: str) -> None:
    assert written("Hi", style=Style(setting)) == opening + asked("Hi")


def test_a_system_message_of_the_prompt_wins(written: Writer) -> None:
    assert written.conversation([said("system", "Be brief."), user("Hi")], Style()) == (
        "<|im_start|>system\nBe brief.<|im_end|>\n" + asked("Hi")
    )


def test_several_images_are_numbered(written: Writer) -> None:
    """InternVL3 README: `Image-1: <image>\\nImage-2: <image>\\n` and the question."""
    assert written(IMAGE, IMAGE, "Which?") == asked(
        f"Image-1: {PICTURE}\nImage-2: {PICTURE}\nWhich?"
    )


def test_images_stay_where_they_stand(written: Writer) -> None:
    assert written("First", IMAGE, "then\n", IMAGE, "\nWhich?") == asked(
        f"First\nImage-1: {PICTURE}\nthen\nImage-2: {PICTURE}\nWhich?"
    )
    assert written("Look:", IMAGE) == asked(f"Look:\n{PICTURE}")


@pytest.mark.parametrize(("prefix", "shown"), [("Frame", "Frame1: "), ("Frame-", "Frame-1: ")])
def test_video_frames(written: Writer, prefix: Any, shown: str) -> None:
    second = shown.replace("1", "2")
    assert written(VIDEO, "What?", style=Style("absent", prefix)) == asked(
        f"{shown}{PICTURE}\n{second}{PICTURE}\nWhat?"
    )


def test_history_numbers_images_over_the_whole_conversation(written: Writer) -> None:
    history = [user(IMAGE, "one"), said("assistant", "A"), user(IMAGE, "two")]
    assert written.conversation(history) == (
        f"<|im_start|>user\nImage-1: {PICTURE}\none<|im_end|>\n"
        "<|im_start|>assistant\nA<|im_end|>\n" + asked(f"Image-2: {PICTURE}\ntwo")
    )


# model.md 3.3: answers and <|im_end|> are supervised, the final line break is not.
def test_a_conversation_to_learn_from_is_written_as_it_stands(
    written: Writer, vocabulary: Vocabulary
) -> None:
    talk = [
        user("<image> a ", IMAGE, " b", IMAGE, VIDEO, "c"),
        said("assistant", "\nOne."),
        user("d"),
        said("assistant", ""),
    ]
    found = written.render(talk, Style("absent", "Frame-", verbatim=True), reply=False)
    frames = f"Frame-1: {PICTURE}\nFrame-2: {PICTURE}"
    assert vocabulary.text(found.ids) == (
        f"<|im_start|>user\n<image> a {PICTURE} b{PICTURE}{frames}c<|im_end|>\n"
        "<|im_start|>assistant\n\nOne.<|im_end|>\n"
        "<|im_start|>user\nd<|im_end|>\n<|im_start|>assistant\n<|im_end|>\n"
    )
    learned = [i for i, on in zip(found.ids, found.supervised, strict=True) if on]
    assert vocabulary.text(learned) == "\nOne.<|im_end|><|im_end|>"
    assert not any(written.render(talk, ABSENT).supervised)


def test_an_answer_is_tokenised_as_the_model_will_write_it(vocabulary: Vocabulary) -> None:
    """Asked, two line breaks may be one token; learned, the answer's own stands alone."""
    talk = [user("a"), said("assistant", "\nb")]
    learned = render(talk, [], vocabulary, ABSENT, reply=False)
    answer = [*vocabulary.text_ids("\nb"), vocabulary.id("<|im_end|>")]
    on = [k for k, supervised in enumerate(learned.supervised) if supervised]
    assert list(learned.ids[on[0] : on[-1] + 1]) == answer
    head = vocabulary.text_ids("assistant\n")
    assert list(learned.ids[on[0] - len(head) : on[0]]) == head
    whole = vocabulary.text_ids("assistant\n\nb")
    shown = render(talk, [], vocabulary, ABSENT).ids
    assert any(list(shown[k : k + len(whole)]) == whole for k in range(len(shown)))


def test_ids_are_those_of_the_rendered_text(written: Writer, vocabulary: Vocabulary) -> None:
    talk = [
        user(IMAGE, IMAGE, "Where is <ref>the cup</ref>? 12 é\n\n  x"),
        said("assistant", "<box>[[1, 2, 3, 4]]</box>"),
        user("And now?"),
    ]
    ids = written.render(talk, Style()).ids
    whole = vocabulary.tokenizer.encode(vocabulary.text(ids), add_special_tokens=False)
    assert list(ids) == whole


TOKENS = st.sampled_from([*STRUCTURE, *MARKUP, "<image>", "user\n", "<|im_", "start|>", " a", "\n"])
TEXTS = st.lists(TOKENS | st.text(max_size=5), max_size=8).map("".join)


@settings(deadline=None)
@given(TEXTS)
def test_text_cannot_change_the_structure(vocabulary: Vocabulary, text: str) -> None:
    found = render([user(IMAGE, text)], [[6]], vocabulary, ABSENT)
    count = {name: found.ids.count(vocabulary.id(name)) for name in STRUCTURE}
    assert count == {
        "<|im_start|>": 2,
        "<|im_end|>": 1,
        "<|endoftext|>": 0,
        "<img>": 1,
        "</img>": 1,
        "<IMG_CONTEXT>": 6,
    }
    (slot,) = found.slots
    assert list(found.ids[slot.start : slot.stop]) == vocabulary.picture_ids(6)


PARTS = st.lists(
    st.sampled_from([*map(Text, ("a", "b\n", "\nc", "", "<image>", "Frame 2")), IMAGE, VIDEO])
    | st.sampled_from([Video(Path("v.mp4"), label="image")]),
    max_size=6,
)
ROLES = st.sampled_from(["system", "user", "assistant"])
TALKS = st.lists(st.builds(lambda r, p: said(r, *p), ROLES, PARTS), min_size=1, max_size=4)
SYSTEMS = st.sampled_from(["template", "none", "absent", 'say "hi"\n{{ x }}'])


def chat(messages: Sequence[Message], prefix: str) -> list[dict[str, Any]]:
    """The conversation as a chat server gets it: frames are images, with their names."""

    def content(part: Part) -> list[dict[str, str]]:
        if isinstance(part, Text):
            return [{"type": "text", "text": part.text}]
        if isinstance(part, Image) or part.label == "image":
            return [{"type": "image"}] * (1 + isinstance(part, Video))
        names = (f"{prefix}{k}: " for k in (1, 2))
        return [c for n in names for c in ({"type": "text", "text": n}, {"type": "image"})]

    return [
        {"role": m.role, "content": [c for part in m.parts for c in content(part)]}
        for m in messages
    ]


@settings(deadline=None, max_examples=300)
@given(TALKS, SYSTEMS, st.sampled_from(["Frame", "Frame-"]), st.booleans())
def test_the_chat_template_writes_what_render_does(
    vocabulary: Vocabulary, talk: list[Message], system: str, prefix: Any, reply: bool
) -> None:
    from transformers.utils.chat_template_utils import render_jinja_template

    style = Style(system, prefix)
    found = Writer(vocabulary).render(talk, style, reply=reply)
    (text,), _ = render_jinja_template(
        conversations=[chat(talk, prefix)],
        chat_template=chat_template(style.system_text()),
        add_generation_prompt=reply,
    )
    assert text == vocabulary.text(found.filled([vocabulary.id("<IMG_CONTEXT>")]))


def test_the_shipped_template_is_this_one() -> None:
    shipped = Path(er_bench.__file__).parent / "models" / "vlaser-tiny" / "chat_template.jinja"
    assert shipped.read_text("utf-8") == chat_template(Style().system_text())
