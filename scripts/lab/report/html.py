# SPDX-License-Identifier: GPL-2.0
"""The report as one page that needs nothing else.

Written by hand, and not from the documents: docutils has no cards, no folded tables and
no rows that stand out, so this markup would be in there all the same, as raw HTML.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterable
from html import escape
from pathlib import Path

from lab.base import version
from lab.report.model import Chapter
from lab.report.section import Table

STYLE = """
:root { color-scheme: light dark; --ink: #20242b; --soft: #5c6470;
  --ground: #f4f6f5; --card: #ffffff; --line: #e0e5e2; --accent: #0b6e4f; }
@media (prefers-color-scheme: dark) { :root { --ink: #e8ebe9; --soft: #9aa5a0;
  --ground: #121614; --card: #1b211e; --line: #2e3833; --accent: #58c99f; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--ground); color: var(--ink);
  font: 17px/1.55 system-ui, sans-serif; }
header, main, footer { max-width: 60rem; margin: 0 auto; padding: 0 1.1rem; }
header { padding-top: 3rem; }
h1 { font-size: clamp(1.7rem, 5vw, 2.6rem); line-height: 1.15; margin: 0 0 .6rem; }
h2 { font-size: 1.45rem; line-height: 1.25; margin: 0 0 .3rem; }
.lead, .question { color: var(--soft); margin: 0 0 1rem; }
.figures { display: grid; gap: .8rem; margin: 1.6rem 0 2.4rem;
  grid-template-columns: repeat(auto-fit, minmax(11.5rem, 1fr)); }
.figures a { display: block; padding: .9rem 1rem; background: var(--card);
  border: 1px solid var(--line); border-radius: .7rem; color: inherit;
  text-decoration: none; }
.figures a:hover { border-color: var(--accent); }
.figures b { display: block; font-size: 1.45rem; color: var(--accent);
  font-variant-numeric: tabular-nums; line-height: 1.3; overflow-wrap: anywhere; }
.figures span { color: var(--soft); font-size: .88rem; }
section { background: var(--card); border: 1px solid var(--line);
  border-radius: .9rem; padding: 1.5rem 1.3rem; margin: 0 0 1.6rem; }
img { width: 100%; min-width: 42rem; height: auto; border-radius: .5rem;
  background: #fff; margin: .7rem 0; }
.scroll { overflow-x: auto; margin: .8rem 0; }
table { border-collapse: collapse; font-size: .88rem; min-width: 100%;
  font-variant-numeric: tabular-nums; }
caption { text-align: left; color: var(--soft); padding-bottom: .4rem; }
th, td { padding: .34rem .7rem .34rem 0; text-align: right; white-space: nowrap;
  border-bottom: 1px solid var(--line); }
th { color: var(--soft); font-weight: 600; white-space: normal;
  vertical-align: bottom; }
th:first-child, td:first-child { text-align: left; }
tr.ours td { font-weight: 650; color: var(--accent); }
li { margin: .35rem 0; }
.small { border-left: 3px solid #c8553d; padding-left: .7rem; }
details { color: var(--soft); font-size: .88rem; margin-top: .9rem; }
summary { cursor: pointer; }
code { background: var(--ground); padding: .1rem .35rem; border-radius: .3rem;
  overflow-wrap: anywhere; }
footer { color: var(--soft); font-size: .88rem; padding-bottom: 3rem; }
"""

LONG_TABLE = 14  # rows, from which on a table is folded


def page(chapters: list[Chapter]) -> str:
    """Return the whole page."""
    return "\n".join(
        [
            '<!DOCTYPE html><html lang="en"><head><meta charset="utf-8">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            f"<title>Free page reporting, measured</title><style>{STYLE}</style>",
            "</head><body><header><h1>Free page reporting, measured</h1>",
            '<p class="lead">A guest tells its host which memory it does not use.'
            " How soon, at what price, and what the host gains: this library, the"
            " stock kernel, and no reporting, on the same machine.</p>",
            f'<div class="figures">{"".join(map(figure, chapters))}</div></header>',
            f"<main>{''.join(map(card, chapters))}</main>",
            "<footer>Every figure on this page is computed from the results beside"
            " it; published ones are named as such. The page was written by version"
            f" {escape(version.described())}.</footer></body></html>\n",
        ]
    )


def figure(chapter: Chapter) -> str:
    """Return the headline of a benchmark; a long name breaks at its underscores."""
    number, what = chapter.section.headline
    shown = escape(number).replace("_", "_<wbr>")
    return (
        f'<a href="#{chapter.name}"><b>{shown}</b>'
        f"<span>{escape(what)}</span></a>"
    )


def card(chapter: Chapter) -> str:
    """Return a benchmark."""
    section = chapter.section
    return "\n".join(
        [
            f'<section id="{chapter.name}"><h2>{escape(section.title)}</h2>',
            f'<p class="question">{escape(section.question)}</p>',
            *size_note(chapter),
            f"<p>{escape(section.how)}</p>",
            *(image(path, section.question) for path in chapter.pictures),
            f"<ul>{''.join(f'<li>{escape(text)}</li>' for text in section.reading)}"
            "</ul>",
            *map(table, section.tables),
            provenance(chapter),
            "</section>",
        ]
    )


def size_note(chapter: Chapter) -> Iterable[str]:
    """Say so if this is not all, or not the full size."""
    if chapter.missing:
        missing = escape(", ".join(chapter.missing))
        yield f'<p class="small">Not measured: {missing}.</p>'
    scale = chapter.data["scale"]
    if scale != 1:
        yield (
            f'<p class="small">Run at 1/{scale} of the full size: the goals and the'
            " published figures are those of the full size.</p>"
        )


def image(path: Path, what: str) -> str:
    """Return a picture as part of the page."""
    data = b64encode(path.read_bytes()).decode()
    source = f"data:image/png;base64,{data}"
    return f'<div class="scroll"><img alt="{escape(what)}" src="{source}"></div>'


def table(content: Table) -> str:
    """Return a table that scrolls, folded if it is long."""
    head = "".join(f"<th>{escape(cell)}</th>" for cell in content.head)
    rows = "".join(map(table_row, content.rows))
    whole = f"<thead><tr>{head}</tr></thead><tbody>{rows}</tbody>"
    if len(content.rows) < LONG_TABLE:
        caption = f"<caption>{escape(content.caption)}</caption>"
        return f'<div class="scroll"><table>{caption}{whole}</table></div>'
    return (
        f"<details><summary>{escape(content.caption)}</summary>"
        f'<div class="scroll"><table>{whole}</table></div></details>'
    )


def table_row(cells: tuple[str, ...]) -> str:
    """Return a row; that of this library stands out."""
    mark = ' class="ours"' if cells[0] == "this library" else ""
    return f"<tr{mark}>{''.join(f'<td>{escape(cell)}</td>' for cell in cells)}</tr>"


def provenance(chapter: Chapter) -> str:
    """Say when, on what and how it was measured."""
    data, host = chapter.data, chapter.data["host"]
    first, last = chapter.dates
    machine = (
        f"{host['cpus']} CPUs ({host.get('processor', 'unknown')}),"
        f" {host.get('memory_gib', '?')} GiB, Linux {host['kernel']}"
    )
    where = ": not run here, kept in the repository" if chapter.kept else ""
    return (
        f"<details><summary>Machine, versions, command{where}</summary>"
        f"<p>{escape(machine)}; {escape(data.get('source', 'linux-source-6.12'))},"
        f" {escape(data['qemu'])}, guests with"
        f" {escape(data['accelerator'].upper())}. From {first} to {last}, version"
        f" {escape(', '.join(chapter.commits))} of the repository.</p>"
        f"<p><code>{escape(data['command'])}</code></p></details>"
    )
