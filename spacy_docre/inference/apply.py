"""A pipeline over any number of documents: streamed, resumable, with bounded memory."""

import hashlib
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

from spacy.language import Language
from spacy.tokens import Doc

from ..annotations import get_triples
from ..errors import Errors
from ..memory import give_back_memory
from ..pipeline.docre_relations import DocRERelations
from ..readers.documents import Input, find_inputs, printable, read_inputs
from ..readers.manifest import Manifest, folder_sha256, sha256
from ..readers.shards import check_target, whole_or_nothing, without_hidden_states
from .outputs import (
    Problem,
    Processed,
    join_files,
    join_parts,
    read_problems,
    suffix_of_parts,
    write_part,
    write_problems,
)
from .resume import describe_code, find_earlier, require_apart

DOCS_PER_PART = 256


@dataclass
class Applied:
    """What was done. problems: the place of each document that was left out, and why; listed_in: all of them."""

    n_docs: int = 0
    n_relations: int = 0
    problems: list[Problem] = field(default_factory=list)
    listed_in: Path | None = None


def apply(
    nlp: Language,
    data: Path,
    output: Path,
    *,
    text_key: str = "text",
    with_text: bool = True,
    batch_size: int = 32,
    n_process: int = 1,
    code: Path | None = None,
    overwrite: bool = False,
    on_progress: Callable[[int], None] = lambda n_docs: None,
) -> Applied:
    """Write the relations of all documents of `data` (`read_inputs`) to `output`, in their order.

    output: a .jsonl or .csv file, a .spacy file, or a folder of .spacy files (which needs no memory for all of them).
    with_text: whether texts and evidence are written; names and places always are.
    code: file with functions that the pipeline uses: a killed run does not go on with others.
    on_progress: called with the number of documents that are done, first with those of an earlier run.

    Finished parts are kept in a folder beside the output until all are there, and a killed run goes on after them.
    Documents that can't be read or processed are left out and told, beside the output too.

    Raises ValueError for an unknown kind of output or number of processes, if no document could be processed, or if
    parts are left of a run with another pipeline, data or settings, unless told to overwrite; FileExistsError if the
    output is there.
    """
    check_options(data, output, with_text=with_text, n_process=n_process, overwrite=overwrite)
    suffix = suffix_of_parts(output)
    folder = output.parent / f".{output.name}.parts"
    options = {"text_key": text_key, "with_text": with_text, "suffix": suffix}
    settings = describe(nlp, data, **options, **describe_code(code))
    manifest = find_earlier(folder, settings, overwrite=overwrite, own=True)
    created = [p for p in (output.parent, *output.parent.parents) if not p.exists()]
    if manifest is None:
        manifest = Manifest(settings, [])
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        manifest.write(folder)
    on_progress(manifest.n_docs)
    inputs = islice(read_inputs(data, nlp, text_key=text_key), manifest.n_docs, None)
    n_process = n_process if n_process > 0 else os.cpu_count() or 1
    while part := list(islice(inputs, DOCS_PER_PART * n_process)):
        docs, problems = process(nlp, part, batch_size=batch_size, n_process=n_process, on_progress=on_progress)
        manifest.shards.append(finish_part(docs, problems, folder, len(manifest.shards), suffix, with_text=with_text))
        manifest.write(folder)
        del docs, part  # before the next ones are read
        give_back_memory()
    try:
        return finish(manifest, folder, output, overwrite=overwrite)
    except ValueError:  # nothing to write
        for parent in created:
            with suppress(OSError):
                parent.rmdir()
        raise


def check_options(data: Path, output: Path, *, with_text: bool, n_process: int, overwrite: bool) -> None:
    """Raise what `apply` raises for options alone: before a pipeline is loaded, which takes longer."""
    if n_process == 0 or n_process < -1:
        raise ValueError(Errors.E081.format(name="n_process", expected=">= 1, or -1 for all cores", value=n_process))
    if suffix_of_parts(output) == ".spacy" and not with_text:
        raise ValueError(Errors.E036.format(path=output))
    check_target(output, overwrite=overwrite, replaces=patterns(output))
    require_apart(data, output)


def process(
    nlp: Language, inputs: Sequence[Input], *, batch_size: int, n_process: int, on_progress: Callable[[int], None]
) -> tuple[Processed, list[Problem]]:
    """The processed documents in order, and the place and problem of each one that failed.

    A component that fails loses a batch: those documents are processed again, one by one.
    """
    done: dict[int, Doc] = {}
    problems = {i: x.problem for i, x in enumerate(inputs) if x.doc is None}
    on_progress(len(problems))
    ready = ((x.doc.copy(), i) for i, x in enumerate(inputs) if x.doc is not None)  # the originals stay as they were
    with errors_ignored(nlp):
        for doc, i in until_error(nlp.pipe(ready, as_tuples=True, batch_size=batch_size, n_process=n_process)):
            if i is not None:  # a component that returns another Doc loses it
                done[i] = without_hidden_states(doc)
                on_progress(1)
    for i, doc in missing(inputs, done):
        try:
            done[i] = without_hidden_states(nlp(doc))
        except Exception as err:  # of any component, also of other packages
            problems[i] = f"{type(err).__name__}: {err}"
        on_progress(1)
    places = [x.place for x in inputs]
    return [(places[i], done[i]) for i in sorted(done)], [(places[i], problems[i]) for i in sorted(problems)]


@contextmanager
def errors_ignored(nlp: Language) -> Iterator[None]:
    """Documents whose batch fails are left out."""
    before = nlp.default_error_handler
    set_error_handler(nlp, leave_for_later)
    try:
        yield
    finally:
        set_error_handler(nlp, before)


def set_error_handler(nlp: Language, handler: Any) -> None:
    """As nlp.set_error_handler, which fails where a component takes none: spaCy 3.8's ner does not."""
    nlp.default_error_handler = handler
    for _, component in nlp.pipeline:
        if hasattr(component, "set_error_handler"):
            with suppress(AttributeError):
                component.set_error_handler(handler)


def until_error(stream: Iterator[Any]) -> Iterator[Any]:
    """A component that knows no error handler ends the stream."""
    while True:
        try:
            item = next(stream)
        except Exception:  # of any component, also of other packages, or StopIteration
            return
        yield item


def leave_for_later(name: str, component: Any, docs: list[Doc], error: Exception) -> None:
    """spaCy's error handler for a batch in which a document fails: all of it is left out."""


def missing(inputs: Sequence[Input], done: dict[int, Doc]) -> Iterator[tuple[int, Doc]]:
    return ((i, x.doc) for i, x in enumerate(inputs) if x.doc is not None and i not in done)


def finish_part(
    docs: Processed, problems: list[Problem], folder: Path, number: int, suffix: str, *, with_text: bool
) -> dict[str, Any]:
    """Write one part, and what was left out of it, under temporary names, then rename them. Returns its entry."""
    name = f"{number:05}{suffix}"
    written = folder / f".{name}"
    write_part(docs, written, with_text=with_text)
    write_problems(problems, folder / problems_of(name))
    written.replace(folder / name)
    n_relations = sum(len(get_triples(doc)) for _, doc in docs)
    entry = {"file": name, "n_docs": len(docs) + len(problems), "n_left_out": len(problems), "n_relations": n_relations}
    return {**entry, "sha256": sha256(folder / name)}


def finish(manifest: Manifest, folder: Path, output: Path, *, overwrite: bool) -> Applied:
    """Join the parts, and remove them."""
    files = [shard["file"] for shard in manifest.shards]
    n_left_out, n_relations = (sum(shard[key] for shard in manifest.shards) for key in ("n_left_out", "n_relations"))
    lists = [folder / problems_of(file) for file in files]
    left_out = [row for path in lists for row in read_problems(path)]
    if manifest.n_docs == n_left_out:
        shutil.rmtree(folder)
        place, problem = left_out[0] if left_out else ("nothing was found", "it is empty")
        raise ValueError(Errors.E037.format(n=n_left_out, place=place, problem=problem))
    listed_in = output.with_name(f"{output.name}.left_out.jsonl")
    listed_in.unlink(missing_ok=True)
    if left_out:
        join_files(lists, listed_in)
    with whole_or_nothing(output, overwrite=overwrite, replaces=patterns(output)) as tmp:
        join_parts([folder / file for file in files], tmp)
    shutil.rmtree(folder)
    return Applied(manifest.n_docs - n_left_out, n_relations, left_out, listed_in if left_out else None)


def patterns(output: Path) -> tuple[str, ...]:
    """The files of an earlier output that is a folder."""
    return ("*.spacy",) if not output.suffix else ()


def problems_of(part: str) -> str:
    return f"{Path(part).stem}.problems"


def settings_of(nlp: Language) -> str:
    """A checksum of what may have been changed since the pipeline was loaded."""
    found = [nlp.config.to_str(), repr(nlp.pipe_names)]
    for _, pipe in nlp.pipeline:
        if isinstance(pipe, DocRERelations):
            found.append(repr((pipe.threshold_offset, pipe.max_labels_per_pair, pipe.cfg)))
    return hashlib.sha256("\n".join(found).encode("utf8", "replace")).hexdigest()


def describe(nlp: Language, data: Path, **options: Any) -> dict[str, Any]:
    """What the output is made from, for the manifest of its parts: files by name, size and time of the last change."""
    listing = [(str(p.relative_to(data)), p.stat().st_size, p.stat().st_mtime_ns) for p in find_inputs(data)]
    checksum = folder_sha256(nlp.path) if nlp.path else hashlib.sha256(nlp.to_bytes()).hexdigest()
    model = {"name": printable(nlp.path.name) if nlp.path else "", "sha256": checksum, "settings": settings_of(nlp)}
    inputs = {
        "file": printable(data.name),
        "sha256": hashlib.sha256(repr(listing).encode("utf8", "replace")).hexdigest(),
    }
    return {"model": [model], "inputs": [inputs], **options}
