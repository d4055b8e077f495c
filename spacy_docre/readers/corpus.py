"""Reader `spacy-docre.Corpus.v1`: `.spacy` shards to training examples, streamed."""

import random
import warnings
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from spacy.language import Language
from spacy.tokens import Doc
from spacy.training import Example
from spacy.util import filter_spans

from ..annotations import (
    MENTIONS_KEY,
    TITLE_KEY,
    copy_mentions,
    entities_or_ents,
    get_title,
    has_mentions,
    install_extensions,
    set_entities,
)
from ..errors import Errors, Warnings
from .manifest import require_finished
from .shards import find_shards, read_shard

BUFFER_SIZE = 400  # documents in memory while shuffling a stream


def create_corpus_v1(
    path: Path,
    gold_tokens: bool = True,
    gold_entities: bool = True,
    gold_sentences: bool = True,
    fill_ents: bool = False,
    shuffle: bool = False,
    seed: int = 0,
    limit: int = 0,
) -> Callable[[Language], Iterable[Example]]:
    """Read a corpus of relation-annotated documents.

    path: a `.spacy` file, or a folder of them; one file is in memory at a time.
    gold_tokens: take the annotated tokens, instead of running the pipeline's tokenizer.
    gold_entities: take the annotated entities (`doc.ents`, grouped by name, where there are none); otherwise they
        are left to earlier components (which must be among [training] annotating_components).
    gold_sentences: with gold_tokens, take the annotated sentence boundaries too (evidence is given in sentences).
    fill_ents: with gold_entities, take the mentions as `doc.ents` too, where there are none: what a ner learns from.
    shuffle: another order in each pass, the same for the same `seed`: of the files, and of the documents
        within a buffer. Only needed with max_epochs = -1; otherwise spaCy shuffles.
    limit: read only so many documents; 0 reads all.
    """
    return Corpus(
        Path(path),
        gold_tokens=gold_tokens,
        gold_entities=gold_entities,
        gold_sentences=gold_sentences,
        fill_ents=fill_ents,
        shuffle=shuffle,
        seed=seed,
        limit=limit,
    )


class Corpus:
    def __init__(
        self,
        path: Path,
        *,
        gold_tokens: bool,
        gold_entities: bool,
        gold_sentences: bool,
        fill_ents: bool,
        shuffle: bool,
        seed: int,
        limit: int,
    ) -> None:
        self.path = path
        self.gold_tokens = gold_tokens
        self.gold_entities = gold_entities
        self.gold_sentences = gold_sentences
        self.fill_ents = fill_ents
        self.shuffle = shuffle
        self.seed = seed
        self.limit = limit
        self.epoch = 0
        self.checked = False

    def __call__(self, nlp: Language) -> Iterator[Example]:
        """Yield one Example per non-empty document. Raises ValueError if there is none."""
        install_extensions(None)
        docs = self._docs(nlp)
        if self.shuffle:
            docs = shuffled(docs, random.Random(f"docs {self.seed} {self.epoch}"))
        self.epoch += 1
        n_read = n_lost = n_docs_lost = 0
        for reference in docs:
            example, lost = self._make_example(nlp, reference)
            n_read += 1
            n_lost += lost
            n_docs_lost += lost > 0
            yield example
            if self.limit and n_read >= self.limit:
                break
        if n_lost:
            warnings.warn(Warnings.W006.format(n_mentions=n_lost, n_docs=n_docs_lost), stacklevel=2)
        if not n_read:
            raise ValueError(Errors.E021.format(path=self.path))

    def _docs(self, nlp: Language) -> Iterator[Doc]:
        require_finished(self.path, checksums=not self.checked)
        self.checked = True
        shards = find_shards(self.path)
        if self.shuffle:
            random.Random(f"shards {self.seed} {self.epoch}").shuffle(shards)
        return (doc for shard in shards for doc in read_shard(shard, nlp.vocab) if len(doc))

    def _make_example(self, nlp: Language, reference: Doc) -> tuple[Example, int]:
        """The example, and how many mentions do not fit the predicted side's tokens."""
        predicted = self._copy_tokens(nlp, reference) if self.gold_tokens else nlp.make_doc(reference.text)
        predicted.user_data[TITLE_KEY] = get_title(reference)
        lost = 0
        if self.gold_entities:
            if not has_mentions(reference) and reference.has_annotation("ENT_IOB"):
                set_entities(reference, entities_or_ents(reference))  # none, where somebody looked and found none
            elif self.fill_ents and has_mentions(reference) and not reference.has_annotation("ENT_IOB"):
                reference.ents = filter_spans(reference.spans[MENTIONS_KEY])  # what a ner learns
            lost = copy_mentions(reference, predicted)
        return Example(predicted, reference), lost

    def _copy_tokens(self, nlp: Language, reference: Doc) -> Doc:
        words, spaces = [t.text for t in reference], [bool(t.whitespace_) for t in reference]
        starts: list[bool | int | None] | None = None
        if self.gold_sentences and reference.has_annotation("SENT_START"):
            starts = [t.is_sent_start for t in reference]
        return Doc(nlp.vocab, words=words, spaces=spaces, sent_starts=starts)


def shuffled(docs: Iterable[Doc], rng: random.Random) -> Iterator[Doc]:
    """Yield in random order, holding at most BUFFER_SIZE documents."""
    buffer: list[Doc] = []
    for doc in docs:
        buffer.append(doc)
        if len(buffer) >= BUFFER_SIZE:
            i = rng.randrange(len(buffer))
            buffer[i], buffer[-1] = buffer[-1], buffer[i]
            yield buffer.pop()
    rng.shuffle(buffer)
    yield from buffer
