"""Runs side by side, as one HTML page without anything from elsewhere: a table, and plots as SVG."""

import html
import io
import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import Errors

if TYPE_CHECKING:
    from matplotlib.axes import Axes

COLUMNS = {
    "rel_micro_f": ("F1", "harmonic mean of precision and recall"),
    "rel_ign_f": ("Ign F1", "F1 without the facts that training documents state"),
    "rel_micro_p": ("Precision", "share of the predicted relations that are right"),
    "rel_micro_r": ("Recall", "share of the right relations that are predicted"),
    "rel_intra_f": ("F1 within", "relations between entities that some sentence names together"),
    "rel_inter_f": ("F1 across", "relations between entities that no sentence names together"),
    "rel_macro_rare_f": ("F1 rare", "mean F1 of the rarer labels"),
    "rel_evidence_f": ("Evidence F1", "right relations with the right sentences"),
    "docs_per_second": ("Documents/s", "in prediction, on the machine that scored"),
}
ORDER = re.compile(r"^\d+[-_](?=.)")  # the place of a run among others, before its name
BINS = (1, 3, 10, 30, 100, 300)  # relations of a label among the documents that are scored
PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>{title}</title><style>
body {{ font: 16px/1.5 system-ui, sans-serif; max-width: 62rem; margin: 2rem auto; padding: 0 1rem; color: #222; }}
table {{ border-collapse: collapse; margin: 1rem 0; }}
th, td {{ padding: .3rem .7rem; border-bottom: 1px solid #ddd; text-align: right; }}
th:first-child, td:first-child {{ text-align: left; white-space: nowrap; }}
td.best {{ font-weight: bold; }}
figure {{ margin: 2rem 0; }} figure svg {{ max-width: 100%; height: auto; }} figcaption, .note {{ color: #555; }}
</style></head><body><h1>{title}</h1>
{body}
</body></html>
"""


@dataclass(frozen=True)
class Run:
    """name; scores: as `spacy docre evaluate --output` writes them; log: rows of the logger's output file"""

    name: str
    scores: dict[str, Any]
    log: list[dict[str, Any]]


def read_runs(folder: Path) -> list[Run]:
    """The runs of a folder, by the names of their files: 1-teacher.json with its 1-teacher.jsonl is "teacher", if all
    have numbers, and other names.

    Raises ValueError, with the file, for scores or logs that can't be read, and for a folder without any.
    """
    runs = []
    for path in sorted(folder.glob("*.json")):
        log = path.with_suffix(".jsonl")
        lines = log.read_text(encoding="utf8").splitlines() if log.exists() else []
        scores = _loads(path.read_text(encoding="utf8"), str(path))
        if isinstance(scores, dict) and "rel_micro_f" in scores:
            rows = [_loads(line, f"{log}, line {i}") for i, line in enumerate(lines, 1) if line]
            runs.append(Run(path.stem, scores, rows))
    if not runs:
        raise ValueError(Errors.E124.format(path=folder))
    numbered = all(ORDER.match(run.name) for run in runs)
    short = [ORDER.sub("", run.name) if numbered else run.name for run in runs]
    names = short if len(set(short)) == len(short) else [run.name for run in runs]
    return [replace(run, name=re.sub("[-_]", " ", name)) for run, name in zip(runs, names)]


def render_report(runs: Sequence[Run], title: str) -> str:
    """One HTML page. Raises ValueError if matplotlib is not there."""
    parts = [table(runs)]
    if any(run.log for run in runs):
        parts.append(figure(lambda ax: draw_curves(ax, runs), "F1 on the documents to tune on, while training."))
    parts.append(figure(lambda ax: draw_sentences(ax, runs), COLUMNS["rel_inter_f"][1].capitalize() + " are harder."))
    caption = "F1 of labels by how many relations they have among the scored documents: rare labels are harder."
    parts.append(figure(lambda ax: draw_frequency(ax, runs), caption))
    parts.append(figure(lambda ax: draw_speed(ax, runs), "Documents per second in prediction."))
    return PAGE.format(title=html.escape(title), body="\n".join(parts))


def table(runs: Sequence[Run]) -> str:
    """Scores in percent, the best of each column bold, and what the columns mean."""
    there = {key: words for key, words in COLUMNS.items() if any(_number(run, key) is not None for run in runs)}
    best = {key: max(x for run in runs if (x := _number(run, key)) is not None) for key in there}
    head = "".join(f'<th title="{html.escape(meaning)}">{title}</th>' for title, meaning in there.values())
    rows = []
    for run in runs:
        cells = []
        for key in there:
            value = _number(run, key)
            text = "–" if value is None else f"{value:.1f}" if key == "docs_per_second" else f"{100 * value:.1f}"
            cells.append(f"<td{' class=best' * (len(runs) > 1 and value == best[key])}>{text}</td>")
        rows.append(f"<tr><td>{html.escape(run.name)}</td>{''.join(cells)}</tr>")
    notes = " · ".join(f"<b>{title}</b>: {meaning}" for title, meaning in there.values())
    return f'<table><tr><th></th>{head}</tr>{"".join(rows)}</table><p class="note">{notes}.</p>'


def figure(draw: "Callable[[Axes], None]", caption: str) -> str:
    try:
        from matplotlib.figure import Figure
    except ImportError as err:
        raise ValueError(Errors.E123) from err
    canvas = Figure(figsize=(8, 3.6), layout="constrained")
    draw(canvas.add_subplot())
    buffer = io.StringIO()
    canvas.savefig(buffer, format="svg", metadata={"Date": None})
    svg = buffer.getvalue()
    return f"<figure>{svg[svg.index('<svg') :]}<figcaption>{html.escape(caption)}</figcaption></figure>"


def draw_curves(ax: "Axes", runs: Sequence[Run]) -> None:
    for run in runs:
        rows = [row for row in run.log if row.get("F1") is not None]
        if rows:
            ax.plot([row["step"] for row in rows], [100 * row["F1"] for row in rows], marker=".", label=run.name)
    ax.set(xlabel="step", ylabel="F1 (dev)")
    ax.grid(alpha=0.3)
    _legend(ax)


def draw_sentences(ax: "Axes", runs: Sequence[Run]) -> None:
    keys = {"rel_intra_f": "within a sentence", "rel_inter_f": "across sentences"}
    _bars(ax, runs, list(keys.values()), [[100 * (_number(run, key) or 0) for key in keys] for run in runs])


def draw_frequency(ax: "Axes", runs: Sequence[Run]) -> None:
    counts = [label["gold"] for label in runs[0].scores.get("rel_per_label", {}).values()]
    edges = [x for x in BINS if any(n >= x for n in counts)]
    uppers = [*[e - 1 for e in edges[1:]], None]
    ranges = [
        (low, high) for low, high in zip(edges, uppers) if any(low <= n and (high is None or n <= high) for n in counts)
    ]
    titles = [f"{low}–{high}" if high else f"≥ {low}" for low, high in ranges]
    values = [[100 * _mean_f(run, low, high) for low, high in ranges] for run in runs]
    _bars(ax, runs, titles, values)
    ax.set(xlabel="relations with the label")


def draw_speed(ax: "Axes", runs: Sequence[Run]) -> None:
    ax.barh(range(len(runs)), [_number(run, "docs_per_second") or 0 for run in runs])
    ax.set(yticks=range(len(runs)), yticklabels=[run.name for run in runs])
    ax.invert_yaxis()
    ax.set(xlabel="documents per second")


def _bars(ax: "Axes", runs: Sequence[Run], titles: Sequence[str], values: Sequence[Sequence[float]]) -> None:
    width = 0.8 / len(runs)
    for i, (run, heights) in enumerate(zip(runs, values)):
        ax.bar([x + (i - (len(runs) - 1) / 2) * width for x in range(len(titles))], heights, width, label=run.name)
    ax.set(xticks=range(len(titles)), xticklabels=titles, ylabel="F1")
    ax.grid(axis="y", alpha=0.3)
    ax.set_axisbelow(True)
    _legend(ax)


def _legend(ax: "Axes") -> None:
    """Above the plot, where it covers nothing."""
    if names := ax.get_legend_handles_labels()[1]:
        in_a_row = max(1, 100 // (max(map(len, names)) + 6))  # letters that fit beside each other, and a sample's width
        ax.figure.legend(loc="outside upper center", ncols=min(in_a_row, len(names)), frameon=False)


def _mean_f(run: Run, low: int, high: int | None) -> float:
    labels = run.scores.get("rel_per_label", {}).values()
    chosen = [x["f"] for x in labels if low <= x["gold"] and (high is None or x["gold"] <= high)]
    return sum(chosen) / len(chosen) if chosen else 0.0


def _number(run: Run, key: str) -> float | None:
    value = run.scores.get(key)
    return float(value) if isinstance(value, int | float) else None


def _loads(text: str, place: str) -> Any:
    try:
        return json.loads(text)
    except ValueError as err:
        raise ValueError(Errors.E093.format(path=place, reason=err)) from err
