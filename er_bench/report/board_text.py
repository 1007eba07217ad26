"""A leaderboard as Markdown, LaTeX or HTML, everything in it escaped."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from markupsafe import escape

from er_bench.report.leaderboard import Leaderboard, show

_LATEX = {
    "\\": r"\textbackslash{}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_",
    "{": r"\{", "}": r"\}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}",
    "±": r"$\pm$", "<": r"\textless{}", ">": r"\textgreater{}", "|": r"\textbar{}",
}  # fmt: skip
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


def markdown(table: Rows, named: int = 1) -> str:
    """A pipe table (GitHub Flavored Markdown); all but the column `named` is set to the right."""
    lines = [" | ".join(_one_line(cell).replace("|", "\\|") for cell in row) for row in table]
    dashes = " | ".join("---" if k == named else "--:" for k in range(len(table[0])))
    return "".join(f"| {line} |\n" for line in [lines[0], dashes, *lines[1:]])


def latex(table: Rows) -> str:
    """A `tabular` with the rules of the package booktabs."""
    lines = [" & ".join(map(_latex, row)) + r" \\" for row in table]
    columns = "rl" + "r" * (len(table[0]) - 2)
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


def _latex(text: str) -> str:
    return "".join(_LATEX.get(character, character) for character in _one_line(text))


FORMATS: Mapping[str, Callable[[Rows], str]] = {"md": markdown, "latex": latex, "html": html}
