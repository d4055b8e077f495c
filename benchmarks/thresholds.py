"""Do thresholds chosen on labelled documents, and rules learned from training data, make relations better?

    python benchmarks/redocred.py ../shared/data/redocred --seeds 0 1 2    # the models
    python benchmarks/thresholds.py

Thresholds are chosen on four fifths of the dev documents and scored on the fifth, for each fifth. Rules (which types of
entities a label is between, which label is its inverse) are learned from the training documents.
"""

import argparse
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import spacy
import srsly
from common import RESULTS, ROOT, machine, write_result

from spacy_docre.cli.schema import learn
from spacy_docre.inference.annotate import read_examples
from spacy_docre.inference.teacher import Teacher
from spacy_docre.inference.thresholds import Thresholds, choose_thresholds
from spacy_docre.scoring.relation_scorer import score_relations

RESULT = RESULTS / "thresholds.json"
CHOICES: dict[str, dict[str, Any]] = {
    "one for all": {"per_label": False},
    **{f"per label, shrinkage {k}": {"shrinkage": float(k)} for k in (2, 8, 32, 128)},
    "precision 0.8": {"precision": 0.8},
}
RULES = {"types": {"inverses": False}, "inverses": {"types": False}, "types and inverses": {}}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, default=ROOT / "runs", help="where redocred.py put corpora and models")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    args = parser.parse_args()
    corpus = args.work.resolve() / "corpus"
    result: dict[str, Any] = {"what": "100 dev documents, gold entities, models of redocred.py", "runs": {}}
    for seed in args.seeds:
        model = args.work.resolve() / "redocred" / f"seed{seed}" / "model-last"
        runs = result["runs"][str(seed)] = {}
        for name, figures in (*thresholds(model, corpus / "dev.spacy"), *rules(model, corpus)):
            runs[name] = figures
            shown = "  ".join(f"{key} {100 * value:6.2f}" for key, value in figures.items())
            print(f"seed {seed}  {name:28} {shown}", flush=True)
    result["machine"] = machine()
    write_result(RESULT, result)


def thresholds(model: Path, dev: Path) -> Iterator[tuple[str, dict[str, float]]]:
    teacher = Teacher(str(model))
    for name, settings in CHOICES.items():
        found = choose_thresholds(teacher, read_examples(teacher.nlp, [dev]), **settings)
        if name == "one for all":
            yield "as trained", {**asdict(found.before), "score_error": found.error_before}
        yield name, left_out(found)


def left_out(found: Thresholds) -> dict[str, float]:
    """Scores of documents that were not used for choosing, and the F1 of those that were."""
    return {**asdict(found.checked), "score_error": found.error_after, "f1_same_documents": found.after.f1}


def rules(model: Path, corpus: Path) -> Iterator[tuple[str, dict[str, float]]]:
    schema = corpus / "schema.json"
    srsly.write_json(schema, learn(corpus / "train.spacy"))
    for name, settings in RULES.items():
        block = {"@misc": "spacy-docre.Schema.v1", "path": str(schema), **settings}
        nlp = spacy.load(model, config={"components": {"docre_relations": {"schema": block}}})
        examples = list(read_examples(nlp, [corpus / "dev.spacy"]))
        for example, doc in zip(examples, nlp.pipe(eg.predicted for eg in examples)):
            example.predicted = doc
        scores = score_relations(examples)
        yield name, {key: scores[f"rel_micro_{key[0]}"] for key in ("precision", "recall", "f1")}


if __name__ == "__main__":
    main()
