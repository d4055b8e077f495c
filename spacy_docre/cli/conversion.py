"""What `spacy docre convert` does, as functions."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import srsly

from ..annotations import COMPLETE, DISTANT, NONE, STATUSES
from ..errors import Errors, Warnings, warn_once
from ..json_file import load_json
from ..readers.annotated_jsonl import read_annotated
from ..readers.distant import DistantLabels
from ..readers.docred import read_docred
from ..readers.docred_export import to_docred, to_docred_predictions
from ..readers.json_stream import CorpusError
from ..readers.shards import read_shards, whole_or_nothing, write_shard, write_shards

if TYPE_CHECKING:
    from spacy.language import Language
    from spacy.tokens import Doc


JSON = {".json", ".jsonl"}  # .json.gz too


@dataclass
class Conversion:
    """What a conversion did: documents written, files written, and the error of each one left out."""

    n_docs: int = 0
    n_files: int = 0
    n_relations: int = 0
    left_out: list[str] = field(default_factory=list)
    statuses: set[str] = field(default_factory=set)  # label statuses of the documents
    widened: list[str] = field(default_factory=list)  # mentions of JSONL that were not whole tokens
    unused: list[str] = field(default_factory=list)  # titles of distant labels without a document
    n_replaced: int = 0  # the documents' own labels, where those of --distant or --facts take their place


def require_effect(target: Path, options: dict[str, Any]) -> None:
    """Raise ValueError if one of these options, which have no effect for this target, is given."""
    given = [name for name, value in options.items() if value]
    if given:
        raise ValueError(Errors.E140.format(options=", ".join(given), target=target))


def convert_to_spacy(
    source: Path,
    target: Path,
    *,
    labels: Path | None = None,
    status: str | None = None,
    distant: Path | None = None,
    facts: Path | None = None,
    spaces: bool = True,
    lang: str | None = None,
    docs_per_shard: int = 500,
    skip_invalid: bool = False,
    overwrite: bool = False,
) -> Conversion:
    """DocRED JSON, or JSONL of `apply`, to one .spacy file or a folder of shards.

    status: how far the labels can be trusted, "complete" by default.
    spaces: whether there is a space after each token.
    lang: whose tokenizer cuts the texts of JSONL, "en" by default.
    distant, facts: files whose labels take the place of the documents' own; their status is "distant" then.
    Raises CorpusError for bad input, with its place; ValueError for an unknown status or file type;
    FileExistsError if the target exists.
    """
    from spacy.vocab import Vocab

    if not source.exists():
        raise ValueError(Errors.E024.format(path=source))
    if source.is_dir() or JSON.isdisjoint(source.suffixes) or target.suffix not in (".spacy", ""):
        raise ValueError(Errors.E025.format(source=source, target=target))
    by_machine = distant is not None or facts is not None
    if by_machine and status not in (None, DISTANT):
        raise ValueError(Errors.E034.format(status=status))
    status = status or COMPLETE
    if status not in STATUSES:
        raise ValueError(Errors.E003.format(status=status, expected=", ".join(STATUSES)))
    result = Conversion()
    names = read_names(labels)

    def leave_out(error: CorpusError) -> None:
        result.left_out.append(str(error))

    def replaced(n_labels: int) -> None:
        result.n_replaced += n_labels

    if distant is not None and facts is not None:
        raise ValueError(Errors.E033)
    for path in (distant, facts):
        if path is not None and not path.exists():
            raise ValueError(Errors.E024.format(path=path))
    rows = DistantLabels(distant) if distant is not None else None
    on_invalid = leave_out if skip_invalid else None
    if source.suffix == ".jsonl":
        given = {"--distant": distant, "--facts": facts, "--no-spaces": not spaces}
        require_effect(source, given)
        docs = read_annotated(
            source,
            tokenizer_of(lang or "en"),
            status=status,
            names=names,
            on_invalid=on_invalid,
            on_widened=result.widened.append,
        )
    elif lang is not None:
        raise ValueError(Errors.E140.format(options="--lang", target=source))
    elif facts is None:
        docs = read_docred(
            source,
            Vocab(),
            status=status,
            names=names,
            distant=rows,
            spaces=spaces,
            on_invalid=on_invalid,
            on_replaced=replaced,
        )
    else:
        docs = read_docred(source, Vocab(), status=NONE, spaces=spaces, on_invalid=on_invalid, on_replaced=replaced)
        docs = label_by_facts(docs, facts, names)
    docs = count(docs, result)
    shards = ("*.spacy",) if target.suffix != ".spacy" else ()
    with whole_or_nothing(target, overwrite=overwrite, replaces=shards) as tmp:
        if target.suffix == ".spacy":
            write_shard(docs, tmp)
            result.n_files = 1
        else:
            tmp.mkdir()
            result.n_files = len(write_shards(docs, tmp, docs_per_shard))
        if not result.n_docs:
            if result.left_out:
                n = len(result.left_out)
                raise ValueError(Errors.E027.format(n_invalid=n, n_docs=n, first=result.left_out[0]))
            raise CorpusError(str(source), "no documents")
        if rows is not None:
            rows.require_use()
        if facts is not None and not result.n_relations:
            raise ValueError(Errors.E156.format(path=facts, n_docs=result.n_docs))
    result.unused = rows.unused if rows is not None else []
    return result


def tokenizer_of(lang: str) -> "Language":
    """A pipeline that makes tokens and sentences. Raises ValueError for a language that spaCy does not know."""
    import spacy

    try:
        nlp = spacy.blank(lang)
    except ImportError as err:
        raise ValueError(str(err)) from err
    nlp.add_pipe("sentencizer")
    return nlp


def convert_to_json(
    source: Path,
    target: Path,
    *,
    labels: Path | None = None,
    predictions: bool = False,
    overwrite: bool = False,
) -> Conversion:
    """.spacy file or folder to DocRED JSON: whole documents, or rows of a submission."""
    from spacy.vocab import Vocab

    if not source.exists():
        raise ValueError(Errors.E024.format(path=source))
    if not (source.is_dir() or source.suffix == ".spacy"):
        raise ValueError(Errors.E025.format(source=source, target=target))
    names = read_names(labels)
    ids = {name: id_ for id_, name in names.items()} if names is not None else None
    if twice := shared_names(names or {}):
        raise ValueError(Errors.E030.format(path=labels, name=twice[0]))
    result = Conversion(n_files=1)
    docs = count(read_shards(source, Vocab()), result)
    rows: Iterator[Any]
    if predictions:
        rows = (row for doc in docs for row in to_docred_predictions(doc, names=ids))
    else:
        rows = (to_docred(doc, names=ids) for doc in docs)
    with whole_or_nothing(target, overwrite=overwrite) as tmp:
        write_json_array(rows, tmp)
        if not result.n_docs:
            raise ValueError(Errors.E021.format(path=source))
    return result


def label_by_facts(docs: Iterable["Doc"], path: Path, names: dict[str, str] | None) -> Iterator["Doc"]:
    """The documents with every fact between two of their entities, in place of their own labels.

    names: relation id -> readable label, for facts with either; None takes the labels of the facts as they are.
    Raises CorpusError for a fact whose label is not among them.
    """
    from ..annotations import get_entities, set_relations
    from ..scoring.facts import read_facts

    facts = read_facts(path)
    strange = facts.labels - {*names, *names.values()} if names is not None else set()
    if strange:
        raise CorpusError(str(path), Errors.E026.format(label=min(strange)))
    names = names or {}
    for doc in docs:
        relations = [(h, names.get(label, label), t) for h, label, t in facts.between(get_entities(doc))]
        set_relations(doc, relations, status=DISTANT)
        yield doc


def count(docs: Iterable, result: Conversion) -> Iterator:
    from tqdm import tqdm

    from ..annotations import RELATIONS_KEY, get_label_status

    for doc in tqdm(docs, unit=" docs", disable=None, leave=False):
        result.n_docs += 1
        result.statuses.add(get_label_status(doc))
        result.n_relations += len(doc.user_data.get(RELATIONS_KEY, ()))
        yield doc


def read_names(path: Path | None) -> dict[str, str] | None:
    if path is None:
        return None
    if not path.exists():
        raise ValueError(Errors.E024.format(path=path))
    try:
        names = load_json(path)
    except ValueError as err:
        raise CorpusError(str(path), f"not valid JSON ({err})") from err
    if not isinstance(names, dict) or not all(v and isinstance(v, str) for v in names.values()):
        raise CorpusError(str(path), 'expected an object of labels and names: {"P17": "country"}')
    for name in shared_names(names):
        ids = ", ".join(id_ for id_, other in names.items() if other == name)
        warn_once(Warnings.W029.format(path=path, name=name, ids=ids), stacklevel=2)
    return names


def shared_names(names: dict[str, str]) -> list[str]:
    """Those of several labels."""
    return [name for name, n in Counter(names.values()).items() if n > 1]


def write_json_array(rows: Iterable[Any], path: Path) -> None:
    """Write a JSON array one row at a time."""
    with path.open("w", encoding="utf8") as file_:
        file_.write("[")
        for i, row in enumerate(rows):
            file_.write((",\n" if i else "\n") + srsly.json_dumps(row))
        file_.write("\n]\n")
