"""Soft labels for a corpus, shard by shard: what teachers say of every pair, beside each document."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from functools import partial
from itertools import chain, islice
from pathlib import Path
from typing import Any

from spacy.language import Language
from spacy.tokens import Doc
from spacy.training import Example
from spacy.vocab import Vocab

from ..annotations import UNCALIBRATED, SoftLabels, get_entities, get_soft_labels, set_soft_labels
from ..errors import Errors, Warnings, some, warn_once
from ..memory import MemoryLimit, give_back_memory
from ..readers.corpus import create_corpus_v1
from ..readers.manifest import Manifest, sha256
from ..readers.shards import find_shards, load_shard, read_shards, write_shard
from ..scoring.known_labels import require_known_labels, warn_of_unknown_labels
from .calibration import calibrate
from .resume import clear, describe_code, describe_files, find_earlier, require_apart, require_own_place
from .teacher import Teacher

BATCH_SIZES = {"cpu": 8, "gpu": 32}  # documents that are in memory with their hidden states
N_CHECKED = 200  # documents whose labels are looked at before anything is done
KEPT = 128 << 20  # bytes freed by earlier batches: more of them lie in pieces that are too small for the next ones


def annotate(
    teachers: Sequence[Teacher],
    inputs: Sequence[Path],
    output: Path,
    *,
    docs_per_shard: int = 200,
    limit: int = 0,
    calibrate_on: Path | None = None,
    code: Path | None = None,
    overwrite: bool = False,
    on_progress: Callable[[int], None] = lambda n_docs: None,
) -> Manifest:
    """Write the documents of `inputs` with the teachers' logits to `output`, as 00000.spacy, 00001.spacy, …

    Memory is bounded by one shard. A killed run goes on after its last whole shard when started again.
    limit: only so many documents, 0 for all.
    code: file with functions that the teachers use: a killed run does not go on with others.
    calibrate_on: completely labelled documents on which the teachers' probabilities are made right.
    overwrite: start anew if `output` was begun with other teachers, inputs or settings.
    on_progress: called with the number of documents that are done, first with those of an earlier run.

    Raises ValueError if teachers differ in their labels (those of earlier calls too), if they know none of the labels
    of the first documents, if an input has no document or no document has two entities, or if `output` was begun with
    other teachers, inputs or settings, unless told to overwrite; FileExistsError if it has other content.
    """
    options: dict[str, Any] = {"docs_per_shard": docs_per_shard, "limit": limit, **describe_code(code)}
    if calibrate_on is not None:
        options["calibrate_on"] = describe_files([calibrate_on])
    outside = [*inputs, *([] if calibrate_on is None else [calibrate_on])]
    settings = describe(teachers, inputs, outside, output, options)
    manifest = find_earlier(output, settings, overwrite=overwrite)
    if manifest is None:
        vocab = Vocab()
        for path in inputs:
            if not any(len(doc) for doc in read_shards(path, vocab)):  # the first one tells
                raise ValueError(Errors.E021.format(path=path))
        first = list(islice(chain.from_iterable(read_shards(path, vocab) for path in inputs), N_CHECKED))
        require_known_labels(teachers[0].labels, first, ", ".join(map(str, inputs)))
        warn_of_unknown_labels(teachers[0].labels, first)
        require_same_labels(teachers, first)
        manifest = Manifest(settings, list(teachers[0].labels))
        manifest.calibration = {soft.teacher: soft.calibration for doc in first for soft in get_soft_labels(doc)}
        manifest.calibration |= {t.name: UNCALIBRATED for t in teachers}
        if calibrate_on is not None:
            read = partial(read_examples, teachers[0].nlp, [calibrate_on])
            manifest.calibration |= {t.name: calibrate(t, read()) for t in teachers}
        warn_of_mixed(manifest.calibration)
        clear(output)
        manifest.write(output)
    on_progress(manifest.n_docs)
    if manifest.complete:
        return manifest
    for teacher in teachers:
        teacher.calibration = manifest.calibration.get(teacher.name, UNCALIBRATED)
    examples = islice(read_examples(teachers[0].nlp, inputs), manifest.n_docs, limit or None)
    while docs := label_next(teachers, examples, docs_per_shard, on_progress):
        manifest.shards.append(finish_shard(docs, output, f"{len(manifest.shards):05}.spacy"))
        manifest.write(output)
        del docs  # before the next ones are read
        give_back_memory()
    if not any(shard["n_pairs"] for shard in manifest.shards):
        clear(output)
        with suppress(OSError):  # a link, for example: empty is as good
            output.rmdir()
        raise ValueError(Errors.E144.format(n_docs=manifest.n_docs))
    manifest.complete = True
    manifest.write(output)
    return manifest


def label_next(
    teachers: Sequence[Teacher], examples: Iterator[Example], n_docs: int, on_progress: Callable[[int], None]
) -> list[Doc]:
    """The next documents, at most `n_docs`, with soft labels."""
    docs: list[Doc] = []
    memory = MemoryLimit(KEPT)
    memory.check()
    batch_size = BATCH_SIZES[teachers[0].component.model.ops.device_type]
    while batch := list(islice(examples, min(batch_size, n_docs - len(docs)))):
        docs += add_soft_labels(teachers, batch)
        memory.check()
        on_progress(len(batch))
    return docs


def describe(
    teachers: Sequence[Teacher], inputs: Sequence[Path], outside: Sequence[Path], output: Path, options: dict[str, Any]
) -> dict[str, Any]:
    """What the output is made from, for its manifest. `outside`: paths that must not hold the output, or lie in it."""
    if output.suffix == ".spacy":
        raise ValueError(Errors.E148.format(path=output))
    if len({t.name for t in teachers}) < len(teachers):
        raise ValueError(Errors.E125.format(names=", ".join(t.name for t in teachers)))
    for path in outside:
        require_apart(path, output)
    require_own_place(output)
    require_same_labels(teachers)
    return {
        "teachers": [{"name": t.name, "sha256": t.checksum} for t in teachers],
        "inputs": describe_files(inputs),
        **options,
    }


def require_same_labels(teachers: Sequence[Teacher], docs: Iterable[Doc] = ()) -> None:
    """Raise ValueError if the labels of teachers differ, or those of teachers that the documents have logits of."""
    here = {t.name: set(t.labels) for t in teachers}
    earlier = {soft.teacher: set(soft.labels) for doc in docs for soft in get_soft_labels(doc)}
    first, labels = teachers[0].name, set(teachers[0].labels)
    for name, others in (earlier | here).items():
        if others != labels:
            raise ValueError(Errors.E115.format(first=first, second=name, labels=some(others ^ labels)))


def warn_of_mixed(calibration: Mapping[str, tuple[float, float]]) -> None:
    """Teachers whose probabilities are right, and others whose are not, will be averaged."""
    raw = [name for name, values in calibration.items() if values == UNCALIBRATED]
    if raw and len(raw) < len(calibration):
        right = [name for name in calibration if name not in raw]
        warn_once(Warnings.W026.format(calibrated=", ".join(right), raw=", ".join(raw)), stacklevel=3)


def read_examples(nlp: Language, inputs: Sequence[Path]) -> Iterator[Example]:
    """All documents with their entities, file after file."""
    return chain.from_iterable(create_corpus_v1(path)(nlp) for path in inputs)


def count_docs(inputs: Sequence[Path]) -> int:
    """Documents that are not empty, without making them. Raises ValueError for files that can't be read."""
    return sum(sum(len(x) > 0 for x in load_shard(p).tokens) for path in inputs for p in find_shards(path))


def add_soft_labels(teachers: Sequence[Teacher], examples: Sequence[Example]) -> list[Doc]:
    """The reference documents, with what each teacher says; what one of that name has said before is replaced."""
    docs = [eg.reference for eg in examples]
    for teacher in teachers:
        for example, logits in zip(examples, teacher.logits([eg.predicted for eg in examples])):
            ids = tuple(e.id for e in get_entities(example.predicted))
            soft = SoftLabels(teacher.name, teacher.labels, ids, logits, teacher.calibration)
            earlier = get_soft_labels(example.reference)
            others = [s for s in earlier if s.teacher != teacher.name]
            if len(others) < len(earlier):
                warn_once(Warnings.W017.format(name=teacher.name), stacklevel=2)
            set_soft_labels(example.reference, [*others, soft])
    return docs


def finish_shard(docs: Sequence[Doc], folder: Path, name: str) -> dict[str, Any]:
    """Write one shard under a temporary name, then rename it. Returns its entry in the manifest."""
    temporary = folder / f".{name}"
    write_shard(docs, temporary)
    temporary.replace(folder / name)
    n_pairs = sum(len(soft.logits) for doc in docs for soft in get_soft_labels(doc)[:1])
    return {"file": name, "n_docs": len(docs), "n_pairs": n_pairs, "sha256": sha256(folder / name)}
