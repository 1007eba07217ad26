"""The backends `vla-eval` and `openpi`: a policy that somebody serves, evaluated by er-bench."""

from __future__ import annotations

import importlib.util
import os
import re
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    Json,
    JsonValue,
    StringConstraints,
    field_validator,
)

from er_bench.core.completion import Completion
from er_bench.core.errors import ConfigError, MissingExtraError, ModelError, UsageError
from er_bench.core.model import Model, ModelSettings, Subject
from er_bench.core.prompt import Prompt
from er_bench.models.settings import check_names, pick_args

if TYPE_CHECKING:
    from er_bench.models.policy_servers.openpi_talk import Inputs
    from er_bench.models.policy_servers.served_policy import ServedPolicy, Talk

URL = "ws://127.0.0.1:8000"
PACKAGES = ("msgpack", "websockets")
INPUT = re.compile(r"instruction|state|(image|array):.+")
LIBERO_INPUTS: Inputs = {
    "observation/image": "image:head_rgb",
    "observation/state": "state",
    "prompt": "instruction",
}
"""The inputs of openpi's LIBERO policies (`examples/libero/main.py`) but the wrist camera's."""
Word = Annotated[str, StringConstraints(min_length=1)]


class ServerArgs(BaseModel):
    """Settings that both backends have (`--model-args`)."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    url: str = Field(URL, description="Where the server is: ws://HOST:PORT or wss://..")
    replan_steps: int | None = Field(
        None, ge=1, description="How many actions of a chunk are carried out; all by default"
    )
    max_reply_bytes: int = Field(4 * 2**20, ge=1, description="Largest message that is read")


class VlaEvalArgs(ServerArgs):
    """Settings of a client of vla-eval's protocol."""

    cameras: Json[dict[Word, Word]] | dict[Word, Word] | None = Field(
        None,
        description="The server's names of cameras and the environment's, {primary: head_rgb}, in "
        "the order in which they are sent; all by default",
    )
    arrays: list[Word] = Field(
        default_factory=list, description="Other arrays of the environment that are sent, by name"
    )
    suite: str = Field("", description="What the server is told the suite of tasks is")
    check_specs: bool = Field(
        True, description="Refuse a server whose specs do not fit the environment"
    )


class OpenpiArgs(ServerArgs):
    """Settings of a client of openpi's protocol."""

    api_key_env: str = Field(
        "OPENPI_API_KEY",
        pattern="^[A-Za-z_][A-Za-z0-9_]*$",
        description="The variable that holds the key, if the server wants one",
    )
    inputs: Json[dict[str, Any]] | dict[str, Any] = Field(
        default_factory=lambda: dict(LIBERO_INPUTS),
        description="The policy's inputs by name, each instruction, state, image:CAMERA or "
        "array:NAME; maps may be nested",
    )

    @field_validator("inputs")
    @classmethod
    def _known_inputs(cls, inputs: dict[str, Any]) -> dict[str, Any]:
        for what in _leaves(inputs):
            if not isinstance(what, str) or not INPUT.fullmatch(what):
                raise ValueError(
                    f"{what!r:.60} is no input; write instruction, state, image:CAMERA, array:NAME"
                )
        return inputs


def _leaves(inputs: Mapping[str, Any]) -> Iterator[object]:
    """What stands at the ends of nested maps; an empty map is an end."""
    for what in inputs.values() if inputs else [inputs]:
        if isinstance(what, dict) and what:
            yield from _leaves(what)
        else:
            yield what


A = TypeVar("A", bound=ServerArgs)


def build_vla_eval(settings: ModelSettings) -> Model:
    """A client of a server of vla-eval's. Raises UsageError, MissingExtraError."""
    args = _args(settings, VlaEvalArgs)
    from er_bench.models.policy_servers.vla_eval_talk import VlaEvalTalk, VlaEvalWays

    ways = VlaEvalWays(args.cameras, tuple(args.arrays), args.suite, args.check_specs)
    return PolicyServer(settings, "vla-eval", args, lambda: VlaEvalTalk(ways))


def build_openpi(settings: ModelSettings) -> Model:
    """A client of a server of openpi's. Raises UsageError, ConfigError, MissingExtraError."""
    args = _args(settings, OpenpiArgs)
    from er_bench.models.policy_servers.openpi_talk import OpenpiTalk

    key = os.environ.get(args.api_key_env, "").strip()
    if not key and "api_key_env" in settings.args:
        raise ConfigError("the variable that api_key_env names is not set: put the key into it")
    return PolicyServer(settings, "openpi", args, lambda: OpenpiTalk(args.inputs), key)


def _args(settings: ModelSettings, kind: type[A]) -> A:
    if absent := [name for name in PACKAGES if importlib.util.find_spec(name) is None]:
        raise MissingExtraError("a policy server", "vla", f"no module named {absent[0]!r}")
    decoding = settings.forced_decoding.to_dict()
    if told := sorted(name for name, value in decoding.items() if value is not None):
        raise UsageError(f"a policy server takes no --gen-args; leave out {', '.join(told)}")
    check_names(settings.args, kind)
    return pick_args(settings.args, kind)


class PolicyServer(Model):
    """A policy behind a server; it acts, and answers no prompts."""

    asks = False
    acts = True
    concurrency = 8
    request_timeout_s = 600.0

    def __init__(
        self,
        settings: ModelSettings,
        backend: str,
        args: ServerArgs,
        talk: Callable[[], Talk],
        key: str = "",
    ) -> None:
        from er_bench.models.policy_servers.address import PolicyAddress
        from er_bench.models.policy_servers.served_policy import ServedPolicy

        self.name, self.dialect = settings.name, settings.dialect
        self._settings, self._backend, self._args = settings, backend, args
        self._to = PolicyAddress.of(args.url, key)
        self._policy = ServedPolicy(self._to, talk, args.max_reply_bytes, args.replan_steps)

    def identity(self) -> dict[str, JsonValue]:
        """Endpoint and settings; no key."""
        args = {k: v for k, v in sorted(self._settings.args.items()) if k != "url"}
        return self._settings.identity(self._backend, endpoint=self._to.shown, args=args)

    async def check(self) -> None:
        """Look whether there is such a server. Raises ConfigError.

        One that is only slow or busy is left to the run's own tries.
        """
        from er_bench.models.policy_servers.link import NoPolicyServerError

        try:
            await self._policy.check()
        except NoPolicyServerError as error:
            told = self._to.without_secrets(str(error))
            raise ConfigError(f"{self._to.shown} cannot be asked: {told}") from error
        except ModelError:
            return

    async def ask(self, prompt: Prompt) -> Completion:
        """Refuse: a policy acts."""
        raise UsageError(f"{self.name} is a policy; it answers no prompts")

    def policy(self, subject: Subject) -> ServedPolicy:
        """The policy: a server knows nothing of samples."""
        return self._policy
