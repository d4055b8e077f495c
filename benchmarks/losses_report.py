"""Scores, table and plot of benchmarks/losses.py."""

import json
import statistics
from pathlib import Path
from typing import Any

import numpy as np
from common import RESULTS

FIGURES = {
    "rel_micro_f": "F1",
    "best_f": "best F1",
    "rel_ign_f": "Ign F1",
    "rel_micro_p": "P",
    "rel_micro_r": "R",
    "rel_macro_rare_f": "rare",
    "calibration_error": "ECE",
}


def score(model: Path, files: Path) -> dict[str, float]:
    """Figures of a pipeline on the dev documents, the calibration error of its predicted relations among them.

    best_f: F1 with the threshold that is best on the same documents: what is left when a loss's own is too high or low.
    """
    import spacy

    from spacy_docre import get_relations
    from spacy_docre.annotations import get_triples
    from spacy_docre.features.targets import positive_cells, reference_ids
    from spacy_docre.readers.corpus import create_corpus_v1
    from spacy_docre.scoring.facts import read_facts
    from spacy_docre.scoring.relation_scorer import score_relations

    nlp = spacy.load(model)
    examples = list(create_corpus_v1(files / "dev.spacy")(nlp))
    scores, hits = [], []
    for example, doc in zip(examples, nlp.pipe(eg.predicted for eg in examples)):
        gold = set(get_triples(example.reference))
        for r in get_relations(doc):
            scores.append(r.score)
            hits.append((r.head.id, r.label_, r.tail.id) in gold)
    component = nlp.get_pipe("docre_relations")
    margins, truth = [], []
    for example, doc in zip(examples, nlp.pipe(fresh(nlp, files), disable=["docre_relations", "doc_cleaner"])):
        (logits,) = component.predict_logits([doc])
        rows = np.zeros((len(logits), len(component.labels)), dtype=bool)
        index = {label: i for i, label in enumerate(component.labels)}
        rows[positive_cells(reference_ids(doc, example.reference), example.reference, index)] = True
        margins.append(highest(logits[:, 1:] - logits[:, :1], component.max_labels_per_pair).ravel())
        truth.append(rows.ravel())
    n_gold = sum(len(set(get_triples(eg.reference))) for eg in examples)
    found = score_relations(examples, facts=read_facts(files / "facts.json"))
    figures = {name: found[name] for name in FIGURES if name in found}
    best = best_f(np.concatenate(margins), np.concatenate(truth), n_gold)
    return {**figures, "best_f": best, "calibration_error": calibration_error(scores, hits)}


def highest(margins: np.ndarray, n: int) -> np.ndarray:
    """The n highest labels of each pair, as the component has them; others are -inf. (n_pairs, n_labels), both"""
    if margins.shape[1] <= n:
        return margins
    least = np.partition(margins, -n, axis=1)[:, -n:].min(axis=1, keepdims=True)
    return np.where(margins >= least, margins, -np.inf)


def fresh(nlp, files: Path):
    """The dev documents without anything predicted."""
    from spacy_docre.readers.corpus import create_corpus_v1

    return (eg.predicted for eg in create_corpus_v1(files / "dev.spacy")(nlp))


def best_f(margins: np.ndarray, truth: np.ndarray, n_gold: int) -> float:
    """The highest F1 of any threshold."""
    hits = np.cumsum(truth[np.argsort(-margins, kind="stable")])
    found = np.arange(1, len(hits) + 1)
    return float((2 * hits / (found + n_gold)).max())


def calibration_error(scores: list[float], hits: list[bool], n_bins: int = 10) -> float | None:
    """Mean distance of score and precision over ten bins of scores, weighted by how many relations are in each."""
    if not scores:
        return None
    confidence, right = np.array(scores), np.array(hits, dtype=float)
    bins = np.minimum((confidence * n_bins).astype(int), n_bins - 1)
    gaps = [abs(confidence[bins == b].sum() - right[bins == b].sum()) for b in range(n_bins)]
    return float(sum(gaps) / len(confidence))


def main(path: Path) -> None:
    result = json.loads(path.read_text(encoding="utf8"))
    costs = RESULTS / "loss_speed.json"
    share = json.loads(costs.read_text(encoding="utf8"))["share"] if costs.exists() else {}
    for setting, runs in result.get("runs", {}).items():
        titles = "".join(f"{title:>14}" for title in FIGURES.values())
        print(f"\n{setting}\n{'':20}{titles}{'seeds':>7}{'of a step':>11}")
        for name, figures in sorted(summary(runs).items(), key=lambda x: -x[1]["rel_micro_f"][0]):
            cells = "".join(f"{cell(*figures[x]):>14}" for x in FIGURES)
            cost = f"{share[name]:>11.2%}" if name in share else ""
            print(f"{name:20}{cells}{figures['rel_micro_f'][2]:>7}{cost}")
    for rates, figures in result.get("tuning", {}).items():
        print(f"rates {rates}: F1 {100 * figures['rel_micro_f']:.1f}")
    if "runs" in result:
        draw(result["runs"], path.with_suffix(".png"))


def cell(mean: float, deviation: float, n: int) -> str:
    """In per cent; a deviation needs more than one seed."""
    return f"{100 * mean:.1f} ± {100 * deviation:3.1f}" if n > 1 else f"{100 * mean:.1f}" + " " * 6


def summary(runs: dict[str, Any]) -> dict[str, dict[str, tuple[float, float, int]]]:
    """loss -> figure -> mean, standard deviation and number of seeds"""
    found = {}
    for name, seeds in runs.items():
        columns = {x: [s[x] for s in seeds.values() if s.get(x) is not None] or [float("nan")] for x in FIGURES}
        found[name] = {
            x: (statistics.mean(v), statistics.stdev(v) if len(v) > 1 else 0.0, len(v)) for x, v in columns.items()
        }
    return found


def draw(runs: dict[str, Any], path: Path) -> None:
    """F1, precision and recall of every loss, one panel for each setting."""
    import matplotlib

    matplotlib.use("agg")
    import matplotlib.pyplot as plt

    figure, panels = plt.subplots(1, len(runs), figsize=(5 * len(runs), 5), sharey=True, squeeze=False)
    order = sorted(next(iter(runs.values())), key=lambda x: summary(next(iter(runs.values())))[x]["rel_micro_f"][0])
    for panel, (setting, found) in zip(panels[0], runs.items()):
        figures = {name: f for name, f in summary(found).items() if name in order}
        rows = [order.index(name) for name in figures]
        for key, marker, colour in (
            ("rel_micro_p", "<", "0.6"),
            ("rel_micro_r", ">", "0.6"),
            ("rel_micro_f", "o", "C0"),
        ):
            means, deviations, _ = zip(*(f[key] for f in figures.values()))
            panel.errorbar(means, rows, xerr=deviations, fmt=marker, color=colour, label=FIGURES[key], markersize=6)
        panel.set(title=setting, xlabel="dev score", yticks=range(len(order)), yticklabels=order)
        panel.grid(axis="x", alpha=0.3)
    panels[0][0].legend(loc="upper center", bbox_to_anchor=(0.5, -0.1), ncol=3)
    figure.tight_layout()
    figure.savefig(path, dpi=120)
    print(f"\nDrawn: {path.name}")
