"""What a rich console shows of foreign text: the text."""

from __future__ import annotations

import pytest
from rich.table import Table
from rich.text import Text

from er_bench.cli.console import PlainConsole


def test_markup_and_control_characters_are_shown_as_text(
    capsys: pytest.CaptureFixture[str],
) -> None:
    table = Table(title="[b]title[/b]")
    table.add_row("[/red] :smile:", "\x1b[31mred\x07")
    console = PlainConsole()
    console.print(table)
    console.print(Text("\x1b[2Ksample"))
    console.print("saved [/x]/\x1b]0;title")
    shown = capsys.readouterr().out
    for text in ("[b]title[/b]", "[/red] :smile:", "\\x1b[31mred", "\\x1b[2Ksample", "saved [/x]/"):
        assert text in shown
    assert "\x1b" not in shown and "\x07" not in shown
