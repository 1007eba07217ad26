"""Tables, a leaderboard's among them, as Markdown, LaTeX or HTML, everything in them escaped."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping, Sequence

from markupsafe import escape

from er_bench.report.leaderboard import Leaderboard, show

_LATEX = {
    "\\": r"\textbackslash{}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_",
    "{": r"\{", "}": r"\}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}",
    "±": r"$\pm$", "<": r"\textless{}", ">": r"\textgreater{}", "|": r"\textbar{}",
    "\N{DOWNWARDS ARROW}": r"$\downarrow$",
}  # fmt: skip
_MARKDOWN = re.compile(r"[\\`*_<>\[\]|~&$]")
"""What may begin something in Markdown; a backslash before it leaves it as it is."""
Rows = Sequence[Sequence[str]]


def rows(board: Leaderboard) -> Rows:
    """Heading and lines: rank, model, average, a cell a column; in percent."""
    heading = ["rank", "model", "average", *board.columns]
    lines = [
        [
            r.place,
            r.entry.name if r.entry.kind == "measured" else f"{r.entry.name} [reported]",
            "" if r.average is None else f"{100 * r.average:.1f}",
            *(show(r.entry.cells.get(column)) for column in board.columns),
        ]
        for r in board.entries
    ]
    return [heading, *lines]


def markdown(table: Rows, named: int | Collection[int] = 1) -> str:
    """A pipe table (GitHub Flavored Markdown); all but the columns `named` are set to the right."""
    lines = [" | ".join(map(_markdown, row)) for row in table]
    left = _numbers(named)
    dashes = " | ".join("---" if k in left else "--:" for k in range(len(table[0])))
    return "".join(f"| {line} |\n" for line in [lines[0], dashes, *lines[1:]])


def latex(table: Rows, named: int | Collection[int] = 1) -> str:
    """A `tabular` with the rules of the package booktabs; all but `named` are set to the right."""
    lines = [_latex_line(row) for row in table]
    left = _numbers(named)
    columns = "".join("l" if k in left else "r" for k in range(len(table[0])))
    begin, end = rf"\begin{{tabular}}{{{columns}}}", r"\end{tabular}"
    body = [begin, r"\toprule", lines[0], r"\midrule", *lines[1:], r"\bottomrule", end]
    return "\n".join(body) + "\n"


def html(table: Rows) -> str:
    """A table element."""
    head = "".join(f'<th scope="col">{escape(cell)}</th>' for cell in table[0])
    lines = ["".join(f"<td>{escape(cell)}</td>" for cell in row) for row in table[1:]]
    body = "\n".join(f"<tr>{line}</tr>" for line in lines)
    return f"<table>\n<thead><tr>{head}</tr></thead>\n<tbody>\n{body}\n</tbody>\n</table>\n"


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _numbers(named: int | Collection[int]) -> Collection[int]:
    return (named,) if isinstance(named, int) else named


def _markdown(text: str) -> str:
    return _MARKDOWN.sub(r"\\\g<0>", _one_line(text))


def _latex_line(row: Sequence[str]) -> str:
    # After the end of a line, `[` and `*` at the start of the next are taken as its options.
    first = "{}" if row and _one_line(row[0]).startswith(("[", "*")) else ""
    return first + " & ".join(map(_latex, row)) + r" \\"


def _latex(text: str) -> str:
    return "".join(_LATEX.get(character, character) for character in _one_line(text))


FORMATS: Mapping[str, Callable[[Rows], str]] = {"md": markdown, "latex": latex, "html": html}
