"""The pages of the site that are not written by hand; a hook of mkdocs (see mkdocs.yml).

A page a benchmark is made of its card and README, the command line of the commands themselves, and
what lies outside docs/ (the README, recipes, ..) is taken in. Links between files of the repository
become links between pages; to a file that has no page they become its name.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

from er_bench.cli.main import app
from er_bench.core.card import TaskCard
from er_bench.core.registry import Registry

ROOT = Path(__file__).parent.parent
TAKEN_IN = {
    "README.md": "index.md",
    "CONTRIBUTING.md": "contributing.md",
    "SECURITY.md": "security.md",
    "CHANGELOG.md": "changelog.md",
    "recipes/README.md": "recipes.md",
    "perf/README.md": "perf.md",
    "perf/gpu/README.md": "perf-gpu.md",
    "perf/coverage.md": "perf-coverage.md",
    "examples/plugin/README.md": "plugin.md",
}
"""Pages of files outside docs/, by their path in the repository."""
_LINK = re.compile(r"(!?)\[([^\]]*)\]\(([^)\s]+)\)")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages that are made."""
    registry = Registry()
    made = {page: linked((ROOT / source).read_text(), source) for source, page in TAKEN_IN.items()}
    cards = {name: registry.task_card(name) for name in sorted(registry.task_folders)}
    for name, card in cards.items():
        source = f"tasks/{name}/README.md"
        made[f"benchmarks/{name}.md"] = linked(benchmark(card, (ROOT / source).read_text()), source)
    made["benchmarks/index.md"] = benchmarks(cards)
    made["command-line.md"] = "\n".join(command_line())
    for uri, content in made.items():
        files.append(File.generated(config, uri, content=content))
    return files


def on_page_markdown(markdown: str, page: Page, **_: Any) -> str:
    """Turn links to files of the repository, in pages of docs/, into links between pages."""
    file = page.file
    return markdown if file.generated_by else linked(markdown, f"docs/{file.src_uri}")


def linked(markdown: str, source: str) -> str:
    """A file's text with links between pages."""
    here = posixpath.dirname(page_of(source) or source)

    def link(found: re.Match[str]) -> str:
        picture, text, target = found.groups()
        path, _, anchor = target.partition("#")
        if not path or ":" in path:
            return found[0]
        path = posixpath.normpath(posixpath.join(posixpath.dirname(source), path))
        page = page_of(path)
        if page is None:
            return text if path in text or "`" in text else f"{text} (`{path}`)"
        to = posixpath.relpath(page, here or ".")
        return f"{picture}[{text}]({to}{'#' + anchor if anchor else ''})"

    return _LINK.sub(link, markdown)


def page_of(path: str) -> str | None:
    """The page, or the file of the site, that a file of the repository has."""
    if path in TAKEN_IN:
        return TAKEN_IN[path]
    if path + "/README.md" in TAKEN_IN:
        return TAKEN_IN[path + "/README.md"]
    if (task := re.fullmatch(r"tasks/(\w+)(/README.md)?", path)) and (ROOT / path).exists():
        return (
            f"benchmarks/{task[1]}.md"
            if (ROOT / "tasks" / task[1] / "card.yaml").exists()
            else None
        )
    inside = path.removeprefix("docs/")
    there = inside != path and (ROOT / path).is_file() and not path.endswith(".py")
    return inside if there else None


def benchmark(card: TaskCard, readme: str) -> str:
    """A benchmark's page: what its card says, then its README."""
    data, title = card.dataset, card.title
    facts = {
        "task": f"`{card.name}`",
        "asks": card.summary,
        "score": f"{card.metric.name}: {card.metric.description}",
        "data": data.id or "none is public",
        "rows": "not known" if data.rows is None else f"{data.rows:,}",
        "licence": data.licence,
        "errors": f"clustered by {card.cluster}",
        "protocols": "<br>".join(f"`{name}`: {text}" for name, text in card.protocols.items()),
        "needs": ", ".join(card.needs) or "nothing more",
        "sources": "<br>".join(card.sources),
    }
    table = ["| | |", "|---|---|"]
    table += [f"| {name} | {_cell(value)} |" for name, value in facts.items()]
    body = re.sub(r"\A# .*\n", "", readme)
    return "\n".join([f"# {title}", "", *table, "", body])


def benchmarks(cards: dict[str, TaskCard]) -> str:
    """The table of all benchmarks."""
    lines = ["# Benchmarks", "", "| task | asks | headline | rows |", "|---|---|---|---|"]
    for name, card in cards.items():
        rows = "" if card.dataset.rows is None else f"{card.dataset.rows:,}"
        told = f"{_cell(card.summary)} | {_cell(card.metric.name)} | {rows}"
        lines.append(f"| [{card.title}]({name}.md) `{name}` | {told} |")
    return "\n".join(lines) + "\n"


def command_line() -> Iterator[str]:
    """Every command with its help and options."""
    yield "# Command line\n"
    for name, command in typer.main.get_command(app).commands.items():
        if not command.hidden:
            yield from _command(command, f"er-bench {name}")


def _command(command: Any, name: str) -> Iterator[str]:
    """A command, typer's own object, or a group and its commands."""
    yield f"## {name}\n\n{_prose(command.help or '')}\n"
    if hasattr(command, "commands"):
        for inner, found in command.commands.items():
            yield from _command(found, f"{name} {inner}")
        return
    options = [param for param in command.params if not getattr(param, "hidden", False)]
    if options:
        yield "| | |\n|---|---|"
        yield from (f"| {_names(param)} | {_cell(_told(param))} |" for param in options)
        yield ""


def _names(param: Any) -> str:
    if param.param_type_name == "argument":
        return f"`{param.metavar or param.name.upper()}`"
    names = [name for name in (*param.opts, *param.secondary_opts) if "_" not in name]
    return ", ".join(f"`{name}`" for name in names)


def _told(param: Any) -> str:
    told = str(getattr(param, "help", None) or "")
    plain = isinstance(param.default, (str, int, float)) and not isinstance(param.default, bool)
    return f"{told} Default: `{param.default}`." if plain and param.default != "" else told


def _prose(text: str) -> str:
    """A docstring's paragraphs, nothing in them HTML."""
    return text.replace("<", "&lt;").strip()


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")
