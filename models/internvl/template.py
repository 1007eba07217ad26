"""The chat template of a converted checkpoint: `render` of conversation.py, written in Jinja.

Servers that build the prompt themselves (vLLM) then send the same text as er-bench does. A client
names video frames, which servers know as images, by a text part `Frame1: ` before each.
"""

from __future__ import annotations

import json

_TEMPLATE = """\
{%- macro names_picture(part) -%}
{%- if part.type == 'text' and part.text.endswith(': ') and part.text | length < 16
    and (part.text.startswith('Frame') or part.text.startswith('Image-')) -%}yes{%- endif -%}
{%- endmacro -%}
{%- macro write(message, state) -%}
{%- if message.content is string -%}{{ message.content }}{%- else -%}
{%- set line = namespace(open=false, picture=false, named=false) -%}
{%- for part in message.content -%}
{%- if part.type == 'text' -%}
{%- if part.text -%}
{%- set line.named = names_picture(part) == 'yes' -%}
{%- if line.named and line.open or line.picture and not part.text.startswith('\\n') -%}
{{ '\\n' }}
{%- endif -%}
{{ part.text }}
{%- set line.open = not part.text.endswith('\\n') -%}{%- set line.picture = false -%}
{%- endif -%}
{%- else -%}
{%- if not line.named -%}
{%- if line.open or line.picture -%}{{ '\\n' }}{%- endif -%}
{%- if part.type != 'video' -%}
{%- set state.seen = state.seen + 1 -%}
{%- if state.images > 1 -%}{{ 'Image-' ~ state.seen ~ ': ' }}{%- endif -%}
{%- endif -%}
{%- endif -%}
{{ '<|video_pad|>' if part.type == 'video' else '<IMG_CONTEXT>' }}
{%- set line.open = false -%}{%- set line.picture = true -%}{%- set line.named = false -%}
{%- endif -%}
{%- endfor -%}
{%- endif -%}
{%- endmacro -%}
{%- set state = namespace(images=0, seen=0, named=false) -%}
{%- for message in messages -%}{%- if message.content is not string -%}
{%- set state.named = false -%}
{%- for part in message.content -%}
{%- if part.type not in ('text', 'video') and not state.named -%}
{%- set state.images = state.images + 1 -%}
{%- endif -%}
{%- set state.named = names_picture(part) == 'yes' -%}
{%- endfor -%}
{%- endif -%}{%- endfor -%}
SYSTEM{%- for message in messages -%}
{{ '<|im_start|>' ~ message.role ~ '\\n' }}{{ write(message, state) }}{{ '<|im_end|>\\n' }}
{%- endfor -%}
{%- if add_generation_prompt -%}{{ '<|im_start|>assistant\\n' }}{%- endif -%}
"""


def chat_template(system_text: str | None) -> str:
    """The Jinja template; `system_text` opens a conversation that has no system turn."""
    if system_text is None:
        return _TEMPLATE.replace("SYSTEM", "")
    turn = json.dumps(f"<|im_start|>system\n{system_text}<|im_end|>\n", ensure_ascii=False)
    own = "messages | selectattr('role', 'equalto', 'system') | list"
    opening = "{%- if not " + own + " -%}{{ " + turn + " }}{%- endif -%}\n"
    return _TEMPLATE.replace("SYSTEM", opening)
