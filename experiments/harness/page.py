"""Page: one HTML file that needs nothing else. No script, no font, no network: a policy in the
page itself forbids them. All that comes from results is escaped here or in svg.
"""

import dataclasses
import html
import pathlib
import re
import urllib.parse

from harness import charts

_STYLE = pathlib.Path(__file__).resolve().parent / "page.css"


def escape(words):
    return html.escape(str(words))


def slug(words):
    """A name for files and anchors."""
    return re.sub(r"[^a-z0-9]+", "-", str(words).lower()).strip("-") or "experiment"


def table(header, rows, names=1, long=(), marked=None):
    """The first `names` columns are names, to the left; `long` ones may wrap. `marked(cell)` gives
    a class or None. A new value in the first column begins a new group, if it has some."""
    def cells(kind, row):
        parts = []
        for place, cell in enumerate(row):
            classes = [c for c in ("name" if place < names else None,
                                   "long" if place in long else None,
                                   marked(cell) if marked and kind == "td" else None) if c]
            attribute = f' class="{" ".join(classes)}"' if classes else ""
            parts.append(f"<{kind}{attribute}>{escape(cell)}</{kind}>")
        return "".join(parts)
    body, last = [], None
    grouped = len({row[0] for row in rows}) < len(rows)
    for row in rows:
        new = ' class="new"' if grouped and last not in (None, row[0]) else ""
        body.append(f"<tr{new}>{cells('td', row)}</tr>")
        last = row[0]
    return (f'<div class="table" tabindex="0"><table><thead><tr>{cells("th", header)}</tr></thead>'
            f"<tbody>{''.join(body)}</tbody></table></div>")


def data_link(name, text, kind, words):
    """A link that holds what it leads to."""
    data = f"data:{kind};charset=utf-8,{urllib.parse.quote(text)}"
    return f'<a download="{escape(name)}" href="{escape(data)}">{escape(words)}</a>'


def figure(one, identity, files):
    """`files`: (words, relative path) of what lies beside the page."""
    panels = "".join(panel.drawing(f"{identity}-{place}") for place, panel in enumerate(one.panels))
    legend = ""
    if one.legend:
        drawn = charts.legend(one.legend).drawing(f"{identity}-legend")
        legend = f'<div class="legend">{drawn}</div>'
    note = f"{escape(one.note)}<br>" if one.note else ""
    links = [data_link(f"{identity}.csv", one.csv(), "text/csv", "CSV")]
    links += [f'<a href="{escape(path)}">{escape(words)}</a>' for words, path in files]
    return (f'<h3 id="{identity}">{escape(one.title)}</h3>'
            f'<figure aria-labelledby="{identity}"><p class="says">{escape(one.says)}</p>{legend}'
            f'<div class="panels columns-{one.columns}">{panels}</div>'
            f"<figcaption>{note}Data: {' · '.join(links)}</figcaption></figure>")


def origin(pairs):
    return "<dl>" + "".join(f"<dt>{escape(name)}</dt><dd>{escape(value)}</dd>"
                            for name, value in pairs) + "</dl>"


@dataclasses.dataclass(frozen=True)
class Section:
    identity: str
    title: str
    markup: str
    figures: tuple = ()  # (identity, title), for the list of contents


def whole(title, intro, sections):
    contents = "".join(f'<li><a href="#{s.identity}">{escape(s.title)}</a></li>' + "".join(
        f'<li><a href="#{identity}">{escape(words)}</a></li>' for identity, words in s.figures)
        for s in sections)
    body = "".join(f'<section><h2 id="{s.identity}">{escape(s.title)}</h2>{s.markup}</section>'
                   for s in sections)
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>{escape(title)}</title>
<style>
{_STYLE.read_text(encoding="utf-8")}</style>
</head>
<body>
<header><h1>{escape(title)}</h1>{intro}</header>
<nav aria-label="Contents"><ul>{contents}</ul></nav>
<main>{body}</main>
</body>
</html>
"""
