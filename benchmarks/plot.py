"""Plot: results.json as the SVG of the README. `python -m benchmarks.plot` draws it anew.

Written by hand: bars need no plotting library, and these follow the reader's light or dark theme.
"""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from benchmarks.bars import CPU, RATE
from benchmarks.servers import SERVERS
from benchmarks.workloads import WORKLOADS, main_size

SHOWN = ("get_by_id", "page_1", "random_page", "random_cursor", "page_of_100", "deep_page", "create", "bulk")
PANELS = (("requests a second: more is better", RATE), ("CPU per request: less is better", CPU))

WIDTH, TOP, LABELS, GAP = 880, 96, 160, 40
BAR, BAR_STEP, ROW_GAP, VALUE = 11, 14, 16, 44
PANEL = (WIDTH - LABELS - GAP) // 2

STYLE = """
text { font: 13px system-ui, -apple-system, "Segoe UI", sans-serif; fill: #1f2328 }
.title { font-size: 16px; font-weight: 600 } .quiet { fill: #59636e; font-size: 12px }
.value { font-size: 11px } .one { stroke: #59636e; stroke-dasharray: 2 3; opacity: 0.5 }
.textbook { fill: #8b949e } .stock { fill: #b197e8 } .ours { fill: #2f81f7 }
.bare { fill: #35a07f } .fastify { fill: #d29922 }
.ours-value { font-weight: 700; fill: #1f6feb }
@media (prefers-color-scheme: dark) {
  text { fill: #e6edf3 } .quiet { fill: #9198a1 } .one { stroke: #9198a1 } .ours-value { fill: #58a6ff }
}
"""

Ratios = dict[tuple[str, str, str], float]
"""(workload, server, figure) -> the median ratio to the textbook."""


def ratios_at(results: dict[str, Any], size: int) -> Ratios:
    return {
        (entry["workload"], entry["server"], figure): ratio[0]
        for entry in results["medians"]
        if entry["size"] == size
        for figure, ratio in entry["ratios"].items()
    }


def text(x: float, y: float, content: str, *, style: str = "", anchor: str = "start") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" class="{style}" text-anchor="{anchor}">{content}</text>'


def legend(servers: Sequence[str]) -> Iterator[str]:
    for place, server in enumerate(servers):
        x = LABELS + place * 140
        yield f'<rect x="{x}" y="44" width="{BAR}" height="{BAR}" rx="2" class="{server}"/>'
        yield text(x + BAR + 6, 54, SERVERS[server].title)


def panel(
    x: int, title: str, figure: str, ratios: Ratios, rows: Sequence[str], servers: Sequence[str]
) -> Iterator[str]:
    """One column of bars, which share a scale from 0 to the largest ratio shown."""
    shown = [ratios.get((row, server, figure), 0) for row in rows for server in servers]
    scale = (PANEL - VALUE) / max(shown, default=1)
    yield text(x, TOP - 12, title, style="quiet")
    bottom = TOP + len(rows) * row_height(servers) - ROW_GAP
    yield f'<line x1="{x + scale:.1f}" x2="{x + scale:.1f}" y1="{TOP - 4}" y2="{bottom}" class="one"/>'
    for row_number, row in enumerate(rows):
        for place, server in enumerate(servers):
            ratio = ratios.get((row, server, figure))
            if ratio is not None:
                y = TOP + row_number * row_height(servers) + place * BAR_STEP
                width = max(ratio * scale, 1)
                yield f'<rect x="{x}" y="{y}" width="{width:.1f}" height="{BAR}" rx="2" class="{server}"/>'
                label = f"{ratio:.2g}" if ratio < 10 else f"{ratio:.0f}"
                yield text(x + width + 5, y + BAR - 1.5, label, style=f"value {server}-value")


def row_height(servers: Sequence[str]) -> int:
    return len(servers) * BAR_STEP + ROW_GAP


def draw(results: dict[str, Any]) -> str:
    run = results["run"]
    size = main_size(run["sizes"])
    ratios = ratios_at(results, size)
    rows = [row for row in SHOWN if any(key[0] == row for key in ratios)]
    servers = [server for server in SERVERS if any(key[1] == server for key in ratios)]
    height = TOP + len(rows) * row_height(servers) + 20
    title = f"FastAPI, textbook = 1, at {size:,} users"
    shared = f"{run['cores']} cores shared with wrk and PostgreSQL"
    footer = f"Medians of {run['rounds']} interleaved rounds, one worker each, {shared}"
    parts = [text(0, 22, title, style="title"), *legend(servers)]
    for number, row in enumerate(rows):
        middle = TOP + number * row_height(servers) + (row_height(servers) - ROW_GAP) / 2 + 3
        parts.append(text(LABELS - 14, middle, WORKLOADS[row].title, anchor="end"))
    for number, (name, figure) in enumerate(PANELS):
        parts.extend(panel(LABELS + number * (PANEL + GAP), name, figure, ratios, rows, servers))
    parts.append(text(0, height - 6, footer, style="quiet"))
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img">'
    return "\n".join([head, f"<title>{title}</title>", f"<style>{STYLE}</style>", *parts, "</svg>"]) + "\n"


def write(path: Path, results: dict[str, Any]) -> None:
    """Draw nothing where the textbook was not measured: there is no ratio to it."""
    if any(entry["ratios"] for entry in results["medians"]):
        path.write_text(draw(results))


if __name__ == "__main__":
    folder = Path(__file__).parent
    write(folder / "plot.svg", json.loads((folder / "results.json").read_text()))
