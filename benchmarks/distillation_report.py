"""Scores, table and paired bootstrap of benchmarks/distillation.py."""

import json
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

FIGURES = {
    "rel_micro_f": "F1",
    "rel_ign_f": "Ign F1",
    "rel_micro_p": "P",
    "rel_micro_r": "R",
    "rel_intra_f": "intra",
    "rel_inter_f": "inter",
    "rel_macro_rare_f": "rare",
}
N_SAMPLES = 10_000
DISTILLED = {"full": "distilled", "slice": "soft"}  # the arm with the default targets


def score(model: Path, corpus: Path) -> dict[str, Any]:
    """Figures of a pipeline on the dev documents, and per document how many relations are right, found and true."""
    import spacy

    from spacy_docre.annotations import get_triples
    from spacy_docre.readers.corpus import create_corpus_v1
    from spacy_docre.scoring.facts import read_facts
    from spacy_docre.scoring.relation_scorer import score_relations

    nlp = spacy.load(model)
    examples = list(create_corpus_v1(corpus / "dev.spacy")(nlp))
    counts = []
    for example, doc in zip(examples, nlp.pipe(eg.predicted for eg in examples)):
        gold, found = set(get_triples(example.reference)), set(get_triples(doc))
        counts.append([len(gold & found), len(found), len(gold)])
    scores = score_relations(examples, facts=read_facts(corpus / "facts.json"))
    return {**{name: scores[name] for name in FIGURES if name in scores}, "counts": counts}


def f1(counts: np.ndarray) -> np.ndarray:
    """(…, n_docs, 3) -> (…,)"""
    return f1_of_sums(counts.sum(-2))


def f1_of_sums(sums: np.ndarray) -> np.ndarray:
    """(…, 3) -> (…,)"""
    right, found, true = np.moveaxis(sums, -1, 0)
    return 2 * right / np.maximum(found + true, 1)


@lru_cache
def how_often(n_docs: int, seed: int) -> np.ndarray:
    """Each document in each sample: (n_samples, n_docs)"""
    chosen = np.random.default_rng(seed).integers(0, n_docs, (N_SAMPLES, n_docs))
    place = chosen + n_docs * np.arange(N_SAMPLES)[:, None]
    return np.bincount(place.ravel(), minlength=N_SAMPLES * n_docs).reshape(N_SAMPLES, n_docs)


def paired_bootstrap(first: list[Any], second: list[Any], seed: int = 0) -> tuple[float, float, float]:
    """How much better `first` is than `second`: mean difference in F1 over seeds, and a 95 % interval.

    Counts of each seed, (n_seeds, n_docs, 3). The same documents, drawn with replacement, for both and all seeds.
    """
    a, b = np.array(first), np.array(second)
    times = how_often(a.shape[1], seed)  # (n_samples, n_docs)
    differences = (f1_of_sums(times @ a) - f1_of_sums(times @ b)).mean(0)  # of (n_seeds, n_samples)
    low, high = np.percentile(differences, [2.5, 97.5])
    return float((f1(a) - f1(b)).mean()), float(low), float(high)


def main(path: Path) -> None:
    """Print all figures, their mean over seeds, and what the differences to three baselines are: the teacher, and the
    students that were fine-tuned after learning labels as they are, and after distillation (`DISTILLED`), of the slice
    for what is of the slice."""
    result = json.loads(path.read_text(encoding="utf8"))
    teacher = result.get("teacher", {})
    rows = [("teacher", teacher)]
    for name, seeds in result.get("tuning", {}).items():
        for rates in dict.fromkeys(rates for tried in seeds.values() for rates in tried):
            runs = {seed: tried[rates] for seed, tried in seeds.items() if rates in tried}
            rows.append((f"{name}, fine-tuned at {rates}", runs))
    for part, arms in result.get("runs", {}).items():
        for name, seeds in arms.items():
            for stage in ("pretrained", "finetuned"):
                runs = {seed: stages[stage] for seed, stages in seeds.items() if stage in stages}
                rows += [(f"{part}: {name}, {stage}", runs)] if runs else []
    titles = "".join(f"{title:>8}" for title in FIGURES.values())
    print(f"{'':55}{titles}  seeds  {'to the teacher':19}  {'to the labels':19}  to distilled")
    for name, runs in rows:
        part = "slice" if name.startswith("slice") else "full"
        labels, distilled = (
            dict(rows).get(f"{part}: {arm}, finetuned", {}) for arm in ("labels as they are", DISTILLED[part])
        )
        cells = "".join(f"{100 * np.mean([r[x] for r in runs.values()]):8.1f}" for x in FIGURES)
        print(
            f"{name:55}{cells}  {' '.join(runs):5}  {against(runs, teacher):19}  {against(runs, labels):19}  "
            f"{against(runs, distilled)}"
        )


def against(runs: dict[str, Any], baseline: dict[str, Any]) -> str:
    """The difference in points of F1, with its interval, over the seeds that both have."""
    both = [seed for seed in runs if seed in baseline and runs is not baseline]
    if not both:
        return ""
    mean, low, high = paired_bootstrap([runs[s]["counts"] for s in both], [baseline[s]["counts"] for s in both])
    return f"{100 * mean:+.1f} [{100 * low:+.1f}, {100 * high:+.1f}]"


if __name__ == "__main__":
    main(Path(__file__).parent / "results" / "distillation.json")
