"""A model of lmms-eval, in lmms-eval's own Python: batches in, answers out, a JSON line each.

Run as a file, by an interpreter that has lmms-eval and need not have er-bench:

    <- {"model": "internvl_hf", "args": {"pretrained": "..", "batch_size": 1}}
    -> {"version": "0.7.3"}                                       or {"refused": "why"}
    <- {"documents": [{"text": "..", "messages": [..]}], "generation": {"max_new_tokens": 64}}
    -> {"answers": [{"text": "..", "tokens_in": 7, "tokens_out": 2}], "logged": []}
                                                                  or {"failed": "why"}

A picture is `{"type": "image", "path": ".."}`; a video `{"type": "video", "path": ".."}`. What the
model prints goes to standard error.
"""

from __future__ import annotations

import copy
import inspect
import json
import os
import sys
from importlib.metadata import PackageNotFoundError, version
from typing import Any, TextIO

TASK, SPLIT = "er_bench", "test"
SHOWN_CHARS = 600
FAILED = ("[LMMS_EVAL_REQUEST_FAILED", "[LMMS_EVAL_BUDGET_EXCEEDED]")
"""How lmms-eval 0.7.3 writes a failed request into the place of an answer."""
NO_CONTENT = 'Error: can only concatenate str (not "NoneType") to str'
"""What its `async_openai` makes of a reply without content."""


def main() -> None:
    """Open the model that the first line names, then answer batches until the input ends."""
    folder = os.path.dirname(os.path.realpath(__file__))
    # A file run by its path has its folder in front, where files are named for packages.
    sys.path[:] = [path for path in sys.path if os.path.realpath(path) != folder]
    inbox, outbox = _own_pipes()
    try:
        model = _opened(json.loads(inbox.readline()))
        reply = {"version": version("lmms-eval")}
    except Exception as error:
        _send(outbox, {"refused": _told(error)})
        return
    _send(outbox, reply)
    logged = _errors_logged()
    for line in inbox:
        logged.clear()
        try:
            _send(outbox, {"answers": _answers(model, **json.loads(line)), "logged": logged[:3]})
        except Exception as error:
            _send(outbox, {"failed": _told(error)})


def _own_pipes() -> tuple[TextIO, TextIO]:
    """The two ends of the wire; the model's own input is empty, its prints go to standard error."""
    inbox, outbox = os.fdopen(os.dup(0), "r", encoding="utf-8"), os.dup(1)
    with open(os.devnull) as nothing:
        os.dup2(nothing.fileno(), 0)
    os.dup2(2, 1)
    return inbox, os.fdopen(outbox, "w", encoding="utf-8")


def _send(outbox: TextIO, reply: dict[str, Any]) -> None:
    outbox.write(json.dumps(reply) + "\n")
    outbox.flush()


def _told(error: BaseException) -> str:
    return " ".join(f"{type(error).__name__}: {error}".split())[:SHOWN_CHARS]


def _opened(asked: dict[str, Any]) -> Any:
    """The model. Raises for a name that lmms-eval does not have, and for unknown arguments."""
    try:
        version("lmms-eval")
    except PackageNotFoundError:
        raise ValueError(f"{sys.executable} has no lmms-eval") from None
    from lmms_eval.models import get_model

    made = get_model(asked["model"])
    if made.is_simple:
        raise ValueError(
            f"{asked['model']} has no chat form in lmms-eval {version('lmms-eval')}: it takes one "
            "text with pictures before it, not a conversation"
        )
    taken = inspect.signature(made).parameters
    known = [name for name, one in taken.items() if one.kind is not one.VAR_KEYWORD]
    if unknown := sorted(set(asked["args"]) - set(known)):
        raise ValueError(
            f"unknown model arguments {', '.join(unknown)}; {asked['model']} takes "
            f"{', '.join(known)}; what it hands on to others: more_args={{..}}"
        )
    return made(**asked["args"], **asked.get("more_args", {}))


def _errors_logged() -> list[str]:
    """What lmms-eval logs as an error: several of its models answer an empty text then."""
    from loguru import logger

    found: list[str] = []
    logger.add(lambda message: found.append(" ".join(message.split())[:SHOWN_CHARS]), level="ERROR",
               format="{message}")  # fmt: skip
    return found


def _answers(
    model: Any, documents: list[dict[str, Any]], generation: dict[str, Any]
) -> list[dict[str, Any]]:
    from lmms_eval.api.instance import Instance, unwrap_generation_output

    docs = [_with_pictures(document["messages"]) for document in documents]
    model.task_dict[TASK] = {SPLIT: docs}
    requests = [
        Instance(
            request_type="generate_until",
            arguments=(document["text"], list, copy.deepcopy(generation), number, TASK, SPLIT),
            idx=0,
            metadata={"task": TASK, "doc_id": number, "repeats": 1},
        )
        for number, document in enumerate(documents)
    ]
    found = [unwrap_generation_output(made) for made in model.generate_until(requests)]
    if len(found) != len(documents):
        raise ValueError(f"{len(found)} answers to {len(documents)} requests")
    return [_answer(text, counts) for text, counts in found]


def _answer(text: Any, counts: Any) -> dict[str, Any]:
    if not isinstance(text, str):
        return {"failed": f"the answer is no text but a {type(text).__name__}"}
    if text.startswith(FAILED):
        return {"failed": text[:SHOWN_CHARS]}
    return {
        "text": "" if text == NO_CONTENT else text,
        "tokens_in": getattr(counts, "input_tokens", None),
        "tokens_out": getattr(counts, "output_tokens", None),
    }


def _with_pictures(messages: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The messages as lmms-eval's `ChatMessages` takes them, pictures decoded."""
    return [
        {"role": message["role"], "content": [_content(part) for part in message["content"]]}
        for message in messages
    ]


def _content(part: dict[str, Any]) -> dict[str, Any]:
    from PIL import Image

    if part["type"] == "image":
        with Image.open(part["path"]) as picture:
            return {"type": "image", "url": picture.convert("RGB")}
    if part["type"] == "video":
        return {"type": "video", "url": part["path"]}
    return part


if __name__ == "__main__":
    main()
