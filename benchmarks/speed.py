"""What relations cost on top of the encoder: time of training and prediction, memory, per size of document.

    python benchmarks/speed.py

Each case runs in a process of its own. The encoder alone (forward; forward and backward, on word pieces that
are ready) and the whole pipeline (tokenising, encoder, head, spaCy's own copies; in training also the
optimiser) take turns on the same documents; ratios are medians over the rounds of one process.
"""

import argparse
import random
import resource
import statistics
import sys
import time
from collections.abc import Callable
from typing import Any

from common import RESULTS, ROOT, case_parser, find_encoder, in_process, machine, parse_or_measure, write_result

N_LABELS = 96
SIZES = [  # words, entities, labels, documents; headline first
    (200, 20, 96, 4),
    (200, 20, 8, 4),
    (200, 20, 500, 4),
    (200, 5, 96, 4),
    (500, 60, 96, 2),
    (1000, 200, 96, 1),
]
HEADER = " | ".join(
    (
        f"{'words':>6} {'entities':>8} {'labels':>6} {'precision':>9}",
        f"{'train ×':>7} {'docs/s':>7} {'+MB':>6}",
        f"{'pred. ×':>7} {'docs/s':>7} {'+MB':>6}",
    )
)
WORDS = (
    "the of and in to a was by for on as with from at his that it born died city university company river "
    "member president album released played between during Lovelace Analytical Vereinigung Tchaikovsky "
    "Reykjavik photosynthesis Zugspitze interdisciplinary 1987 Smithfield ."
).split()


def main() -> None:
    parser = case_parser(__doc__)
    parser.add_argument("--precisions", nargs="+", default=["float32", "bfloat16"])
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--name", default="speed", help="results go to benchmarks/results/NAME.json")
    args = parse_or_measure(parser, measure)
    result: dict[str, Any] = {
        "what": "ratio to the encoder alone, documents per second, growth of memory; medians",
        "settings": {"documents": "random words", "rounds": args.rounds},
        "machine": machine(),
        "cases": [],
    }
    options = {"rounds": args.rounds, "gpu_id": args.gpu_id, "encoder": args.encoder}
    print(HEADER)
    for words, entities, labels, docs in SIZES:
        for precision in args.precisions:
            case = {"words": words, "entities": entities, "labels": labels, "docs": docs, "precision": precision}
            row = {
                **case,
                **{mode: in_process(__file__, {**case, "mode": mode}, **options) for mode in ("train", "predict")},
            }
            result["cases"].append(row)
            write_result(RESULTS / f"{args.name}.json", result)
            print(table_row(row))


def table_row(row: dict[str, Any]) -> str:
    cells = [f"{row['words']:6} {row['entities']:8} {row['labels']:6} {row['precision']:>9}"]
    for mode in ("train", "predict"):
        figures = row[mode]
        cells.append(f"{figures['ratio']:7.2f} {figures['docs_per_second']:7.1f} {figures['growth_mb']:6}")
    return " | ".join(cells)


def measure(
    args: argparse.Namespace, *, words: int, entities: int, labels: int, docs: int, precision: str, mode: str
) -> dict[str, Any]:
    import torch

    nlp, optimizer = load_pipeline(find_encoder(args.encoder), precision, args.gpu_id, labels)
    rng = random.Random(0)
    small = [make_example(nlp, rng, 50, 3, labels)]
    examples = [make_example(nlp, rng, words, entities, labels) for _ in range(docs)]
    predict_as_if_trained(nlp, [make_example(nlp, rng, 200, 20).predicted])
    ours = trainer(nlp, optimizer) if mode == "train" else predictor(nlp)
    alone = encoder_alone(nlp, examples, precision, train=mode == "train")
    ours(small)
    ours(small)
    before = peak_mb()
    for _ in range(3):
        ours(examples)
    growth = peak_mb() - before
    alone()
    sync = torch.cuda.synchronize if torch.cuda.is_available() else lambda: None
    rounds = [(clock(alone, sync), clock(lambda: ours(examples), sync)) for _ in range(args.rounds)]
    seconds = statistics.median(b for _, b in rounds)
    return {
        "ratio": round(statistics.median(b / a for a, b in rounds), 3),
        "docs_per_second": round(docs / seconds, 2),
        "encoder_docs_per_second": round(docs / statistics.median(a for a, _ in rounds), 2),
        "growth_mb": growth,
    }


def load_pipeline(encoder: str, precision: str, gpu_id: int, n_labels: int = N_LABELS):
    import spacy
    from spacy.training.initialize import init_nlp
    from spacy.util import load_config, registry
    from thinc.api import require_gpu

    if gpu_id >= 0:
        require_gpu(gpu_id)
    overrides = {"vars.encoder": encoder, "vars.precision": precision}
    config = load_config(ROOT / "configs" / "docre_trf.cfg", overrides=overrides, interpolate=True)
    config["initialize"] = {"components": {"docre_relations": {"labels": [f"label {i}" for i in range(n_labels)]}}}
    config["corpora"] = {name: {"@readers": "speed.empty.v1"} for name in ("train", "dev")}
    registry.readers.register("speed.empty.v1", func=lambda: lambda nlp: [make_example(nlp, random.Random(0), 50, 3)])
    nlp = init_nlp(config)
    spacy.util.fix_random_seed(0)
    return nlp, registry.resolve(config["training"])["optimizer"]


def predict_as_if_trained(nlp, docs: list) -> None:
    """A model without training says yes to half of all labels; this one to as many as there are relations in
    Re-DocRED: one for every 11 pairs."""
    import numpy as np

    component = nlp.get_pipe("docre_relations")
    for _ in nlp.get_pipe("transformer").pipe(docs):
        pass
    logits = np.concatenate(component.predict_logits(docs))
    margins = logits[:, 1:] - logits[:, :1]
    component.threshold_offset = float(np.quantile(margins, 1 - 1 / (11 * margins.shape[1])))


def make_example(nlp, rng: random.Random, words: int, entities: int, n_labels: int = N_LABELS):
    """A document of random words; a third of the entities has two mentions."""
    from spacy.tokens import Doc, Span
    from spacy.training import Example

    from spacy_docre import set_entities, set_relations

    def make() -> Doc:
        doc = Doc(nlp.vocab, words=tokens)
        set_entities(doc, [[Span(doc, i, i + 1, label="PER") for i in places[e]] for e in range(entities)])
        return doc

    tokens = rng.choices(WORDS, k=words)
    places = [rng.sample(range(words), 1 + (e % 3 == 0)) for e in range(entities)]
    reference = make()
    pairs = [(h, t) for h in range(entities) for t in range(entities) if h != t]
    chosen = rng.sample(pairs, len(pairs) // 14)
    relations = [(str(h), f"label {rng.randrange(n_labels)}", str(t)) for h, t in chosen]
    set_relations(reference, relations, status="complete")
    return Example(make(), reference)


def trainer(nlp, optimizer) -> Callable[[list], None]:
    def train(examples: list) -> None:
        """As `spacy train` does: gradients, then one step of the optimiser."""
        nlp.update(examples, drop=0.1, sgd=False)
        for _, pipe in nlp.pipeline:
            if hasattr(pipe, "finish_update"):
                pipe.finish_update(optimizer)
        optimizer.step_schedules()

    return train


def predictor(nlp) -> Callable[[list], None]:
    def predict(examples: list) -> None:
        for _ in nlp.pipe([eg.predicted for eg in examples]):
            pass

    return predict


def encoder_alone(nlp, examples: list, precision: str, *, train: bool) -> Callable[[], None]:
    """The bare transformer on the same windows, whose word pieces are ready."""
    import torch
    from spacy_transformers.layers.transformer_model import huggingface_tokenize

    from spacy_docre.layers.precision import autocast

    encoder = nlp.get_pipe("transformer").model
    module = encoder.layers[0].shims[0]._model
    spans = [span for spans in encoder.attrs["get_spans"]([eg.predicted for eg in examples]) for span in spans]
    pieces = huggingface_tokenize(encoder.tokenizer, [span.text for span in spans])
    limit = encoder.tokenizer.model_max_length
    names = ("input_ids", "attention_mask")
    inputs = {k: torch.from_numpy(pieces[k][:, :limit]).to(module.device) for k in names}

    def forward() -> torch.Tensor:
        with autocast(precision, module.device):
            return module(**inputs).last_hidden_state.float()

    def run() -> None:
        module.train(train)
        if train:  # gradients add up over the rounds, which costs what they cost in training
            output = forward()
            output.backward(torch.ones_like(output))
        else:
            with torch.no_grad():
                forward()

    return run


def clock(function: Callable[[], None], sync: Callable[[], None]) -> float:
    sync()
    start = time.perf_counter()
    function()
    sync()
    return time.perf_counter() - start


def peak_mb() -> int:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return round(peak / (1e6 if sys.platform == "darwin" else 1e3))


if __name__ == "__main__":
    main()
