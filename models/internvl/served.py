"""An InternVL checkpoint on a vLLM server: what the client adds so that it sees the same pixels."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import Field

from er_bench.core.errors import DataError
from er_bench.core.family import Served
from er_bench.core.prompt import Prompt
from er_bench.models.internvl.pictures import still_budget
from er_bench.models.internvl.tiling import EXACT_PIXELS, MultiImageBudget
from er_bench.models.internvl.vocabulary import CONTROL


class InternVLServed(Served):
    """Tiles in every request, PNG pictures, answers stripped, no control token in a text.

    Without `max_tiles` the server is like any other.
    """

    max_tiles: int | None = Field(
        None,
        ge=1,
        description="For a vLLM server with an InternVL checkpoint: most tiles of an image, unless "
        "the task says; sent as `mm_processor_kwargs` (start it with --trust-request-mm-kwargs)",
    )
    tile_limit: int | None = Field(
        None, ge=1, description="With max_tiles: most tiles of an image whatever the task says"
    )
    multi_image_budget: MultiImageBudget = "divide"

    @property
    def exact_pixels(self) -> bool:
        """Whether the server is known to hold an InternVL checkpoint."""
        return self.max_tiles is not None

    def request_fields(self, prompt: Prompt) -> Mapping[str, object]:
        """The prompt's tile limit."""
        if self.max_tiles is None:
            return {}
        most = still_budget(prompt, self.max_tiles, self.tile_limit, self.multi_image_budget)
        return {"mm_processor_kwargs": {"max_patches": most, **EXACT_PIXELS}}

    def check_text(self, text: str) -> None:
        """Raise DataError for a text that spells a control token."""
        if self.max_tiles is not None and (spelt := [name for name in CONTROL if name in text]):
            raise DataError(
                f"a server would take the text's {spelt[0]} for a control token; "
                "--backend transformers and vllm keep it text"
            )

    def answer(self, text: str) -> str:
        """The reply stripped, as the released code's `chat` and so the other backends do."""
        return text if self.max_tiles is None else text.strip()
