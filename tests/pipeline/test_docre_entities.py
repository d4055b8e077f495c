"""The component that puts mentions into entities, in pipelines without anything to train."""

import json
import pickle
import subprocess
import sys

import pytest
import spacy
from spacy.language import Language
from spacy.tokens import Doc, Span

from spacy_docre import get_relations, set_entities
from spacy_docre.annotations import MENTIONS_KEY, has_mentions

from ..conftest import make_doc
from ..pipelines import hash_pipeline, initialised
from ..reloading import from_bytes, from_folder

PATTERNS = [
    *({"label": "PERSON", "pattern": name} for name in ("Ada Lovelace", "Lovelace", "Charles Babbage")),
    {"label": "GPE", "pattern": "London"},
    {"label": "DATE", "pattern": "1843"},
    {"label": "ORG", "pattern": "Royal Society"},
]
TEXTS = [
    "Ada Lovelace was born in London. In 1843 Lovelace met Charles Babbage in London.",
    "Nobody was here.",
    "",
    "Charles Babbage left the Royal Society in 1843.",
]
ENTITIES = [
    [["Ada Lovelace", "Lovelace"], ["London", "London"], ["1843"], ["Charles Babbage"]],
    [],
    [],
    [["Charles Babbage"], ["Royal Society"], ["1843"]],
]


def pipeline(**settings) -> Language:
    """An entity ruler and the component, with these settings."""
    nlp = spacy.blank("en")
    nlp.add_pipe("entity_ruler").add_patterns(PATTERNS)
    nlp.add_pipe("docre_entities", config=settings)
    return nlp


def entities(doc: Doc) -> list[list[str]]:
    return [[m.text for m in entity.mentions] for entity in doc._.docre_entities]


def types(doc: Doc) -> dict[str, str]:
    return {m.text: m.label_ for m in doc.spans[MENTIONS_KEY]}


def test_mentions_are_put_into_entities():
    doc = pipeline()(TEXTS[0])
    assert entities(doc) == ENTITIES[0]
    assert [entity.id for entity in doc._.docre_entities] == ["0", "1", "2", "3"]
    assert types(doc)["London"] == "GPE"


def test_knowledge_base_ids_are_kept():
    nlp = pipeline()
    doc = nlp.make_doc("Ada met Lovelace in Turin and Torino .")
    doc.ents = [Span(doc, 4, 5, "GPE", kb_id="Q495"), Span(doc, 6, 7, "GPE", kb_id="Q495"), Span(doc, 0, 1, "PERSON")]
    nlp.get_pipe("docre_entities")(doc)
    assert entities(doc) == [["Ada"], ["Turin", "Torino"]]
    assert [entity.kb_id for entity in doc._.docre_entities] == ["", "Q495"]


@pytest.mark.parametrize("text", TEXTS[1:3], ids=["no names", "empty"])
def test_a_document_without_ents_has_no_entities(text):
    """Somebody has looked: they are set to none."""
    doc = pipeline()(text)
    assert has_mentions(doc)
    assert doc._.docre_entities == ()


def test_ents_stay_as_they_are():
    doc = pipeline(type_map={"GPE": "LOC", "DATE": None})(TEXTS[0])
    assert [(e.text, e.label_) for e in doc.ents][-1] == ("London", "GPE")
    assert "1843" in [e.text for e in doc.ents]


def test_types_are_mapped_and_null_leaves_out():
    doc = pipeline(type_map={"GPE": "LOC", "DATE": None})(TEXTS[0])
    assert types(doc) == {
        **dict.fromkeys(("Ada Lovelace", "Lovelace", "Charles Babbage"), "PERSON"),
        "London": "LOC",
    }
    assert ["1843"] not in entities(doc)


def test_types_are_mapped_before_mentions_are_grouped():
    """An aircraft and a number of the same name are one thing once both are MISC."""
    nlp = pipeline(type_map={"PRODUCT": "MISC", "CARDINAL": "MISC"})
    doc = nlp.make_doc("747 747")
    doc.ents = [Span(doc, 0, 1, "PRODUCT"), Span(doc, 1, 2, "CARDINAL")]
    assert entities(nlp(doc)) == [["747", "747"]]


@pytest.mark.parametrize(
    ("ontonotes", "docred"),
    [
        ("PERSON", "PER"),
        ("GPE", "LOC"),
        ("NORP", "LOC"),
        ("LOC", "LOC"),
        ("ORG", "ORG"),
        ("DATE", "TIME"),
        ("TIME", "TIME"),
        ("MONEY", "NUM"),
        ("WORK_OF_ART", "MISC"),
    ],
)
def test_ontonotes_types_from_the_config(ontonotes, docred):
    nlp = pipeline(type_map={"@misc": "spacy-docre.OntoNotesTypes.v1"})
    doc = nlp.make_doc("Something")
    doc.ents = [Span(doc, 0, 1, ontonotes)]
    assert types(nlp(doc)) == {"Something": docred}


def test_mentions_of_a_span_group():
    """In the order of the text, and overlapping if they do; `doc.ents` is not looked at."""
    nlp = pipeline(spans_key="found")
    doc = nlp.make_doc(TEXTS[0])
    doc.spans["found"] = [Span(doc, 5, 6, "GPE"), Span(doc, 0, 2, "PERSON"), Span(doc, 0, 1, "PERSON")]
    assert entities(nlp(doc)) == [["Ada", "Ada Lovelace"], ["London"]]


def test_a_span_group_that_is_empty():
    nlp = pipeline(spans_key="found")
    doc = nlp.make_doc(TEXTS[0])
    doc.spans["found"] = []
    assert entities(nlp(doc)) == []


@pytest.mark.parametrize(("there", "said"), [([], "none"), (["b", "a"], "a, b")], ids=["none", "others"])
def test_a_span_group_that_is_not_there(there, said):
    nlp = pipeline(spans_key="found")
    doc = nlp.make_doc(TEXTS[0])
    for key in there:
        doc.spans[key] = []
    with pytest.raises(ValueError, match=rf"E131.*docre_entities.*'found'.*it has: {said}\."):
        nlp(doc)


@pytest.mark.parametrize(
    ("overwrite", "expected"), [(False, [["born"]]), (True, ENTITIES[0])], ids=["keep", "overwrite"]
)
def test_entities_that_are_there_already(overwrite, expected):
    nlp = pipeline(overwrite=overwrite)
    doc = nlp.make_doc(TEXTS[0])
    set_entities(doc, [[Span(doc, 3, 4, label="MISC")]])
    assert entities(nlp(doc)) == expected


@pytest.mark.parametrize(("overwrite", "expected"), [(False, []), (True, ENTITIES[0])], ids=["keep", "overwrite"])
def test_entities_that_were_set_to_none(overwrite, expected):
    nlp = pipeline(overwrite=overwrite)
    doc = nlp.make_doc(TEXTS[0])
    set_entities(doc, [])
    assert entities(nlp(doc)) == expected


def test_twice_is_as_once():
    nlp = pipeline(overwrite=True)
    doc = nlp(TEXTS[0])
    assert entities(nlp.get_pipe("docre_entities")(doc)) == ENTITIES[0]


@pytest.mark.parametrize("batch_size", [1, 2, 100])
def test_streams_are_as_single_documents(batch_size):
    nlp = pipeline()
    assert [entities(nlp(text)) for text in TEXTS] == ENTITIES
    assert [entities(doc) for doc in nlp.pipe(TEXTS, batch_size=batch_size)] == ENTITIES


WORKERS = """
import json, sys
import spacy

nlp = spacy.load(sys.argv[1])
docs = nlp.pipe(json.loads(sys.argv[2]) * 3, n_process=2, batch_size=2)
print(json.dumps([[[m.text for m in e.mentions] for e in doc._.docre_entities] for doc in docs]))
"""


def test_worker_processes_find_the_same(tmp_path):
    pipeline().to_disk(tmp_path / "saved")
    command = [sys.executable, "-c", WORKERS, str(tmp_path / "saved"), json.dumps(TEXTS)]
    result = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert result.returncode == 0, result.stderr
    assert json.loads(result.stdout.splitlines()[-1]) == ENTITIES * 3


SETTINGS = {
    "groupers": {
        "names": {"@misc": "spacy-docre.NameGrouper.v1", "normalise": False},
        "coreference": {"prefix": "mine"},
    },
    "type_map": {"GPE": "LOC", "DATE": None},
    "overwrite": True,
}


def from_bytes_with_patterns(nlp, path) -> Language:
    """The ruler's patterns come back from bytes, but find nothing (spaCy 3.8): they are added again."""
    loaded = from_bytes(nlp, path)
    loaded.get_pipe("entity_ruler").add_patterns(PATTERNS)
    return loaded


@pytest.mark.parametrize("reload", [from_folder, from_bytes_with_patterns])
@pytest.mark.parametrize("settings", [{}, SETTINGS], ids=["defaults", "settings"])
def test_saved_equals_loaded(tmp_path, reload, settings):
    nlp = pipeline(**settings)
    loaded = reload(nlp, tmp_path / "saved")
    for text in TEXTS:
        assert bool(entities(nlp(text))) == (text in (TEXTS[0], TEXTS[3]))
        assert entities(loaded(text)) == entities(nlp(text))
        assert types(loaded(text)) == types(nlp(text))
    assert loaded.config["components"]["docre_entities"] == nlp.config["components"]["docre_entities"]
    groupers = [list(x.get_pipe("docre_entities").groupers) for x in (nlp, loaded)]
    assert groupers[0] == groupers[1]


def test_settings_of_the_groupers_count(tmp_path):
    """Normalised, "US" and "U.S." are one; exactly, they are two, also once saved."""
    for normalise, n_entities in ((True, 1), (False, 2)):
        names = {"@misc": "spacy-docre.NameGrouper.v1", "normalise": normalise}
        nlp = from_folder(pipeline(groupers={"names": names}), tmp_path / str(normalise))
        doc = Doc(nlp.vocab, words=["US", "U.S."])
        doc.ents = [Span(doc, 0, 1, "GPE"), Span(doc, 1, 2, "GPE")]
        assert len(nlp(doc)._.docre_entities) == n_entities


@pytest.mark.filterwarnings("error:.*docre-W")
def test_relations_are_between_these_entities():
    """Every ordered pair of the 3 entities has a relation when the threshold is far below."""
    nlp = initialised(hash_pipeline(threshold_offset=-1e6, max_labels_per_pair=1))
    nlp.add_pipe("docre_entities", first=True, config={"type_map": {"PERSON": "PER", "GPE": "LOC", "DATE": None}})
    nlp.add_pipe("entity_ruler", first=True).add_patterns(PATTERNS)
    nlp.add_pipe("sentencizer", first=True)
    doc = nlp(TEXTS[0])
    assert entities(doc) == [["Ada Lovelace", "Lovelace"], ["London", "London"], ["Charles Babbage"]]
    relations = get_relations(doc)
    assert {(r.head.id, r.tail.id) for r in relations} == {(a, b) for a in "012" for b in "012" if a != b}
    assert {len(r.head.mentions) for r in relations if r.head.id == "0"} == {2}


def test_gold_entities_are_kept_when_relations_are_trained_on_them():
    nlp = pipeline()
    gold = make_doc(nlp.vocab)
    before = gold.to_bytes()
    assert nlp.get_pipe("docre_entities")(gold).to_bytes() == before


def test_languages_without_spaces():
    nlp = spacy.blank("zh")
    places = [{"label": "GPE", "pattern": "北京"}, {"label": "ORG", "pattern": "北京大学"}]
    nlp.add_pipe("entity_ruler").add_patterns(places)
    nlp.add_pipe("docre_entities")
    assert entities(nlp("北京大学在北京。北京大学很大。")) == [["北京大学", "北京大学"], ["北京"]]


def test_one_bad_document_does_not_stop_the_others():
    nlp = pipeline(spans_key="found")
    failed = []
    nlp.set_error_handler(lambda name, component, docs, err: failed.append((name, [d.text for d in docs], str(err))))
    docs = [nlp.make_doc(text) for text in TEXTS]
    for doc in docs[:1] + docs[2:]:
        doc.spans["found"] = []
    assert [doc.text for doc in nlp.pipe(docs)] == [TEXTS[0], *TEXTS[2:]]
    [(name, texts, error)] = failed
    assert (name, texts) == ("docre_entities", [TEXTS[1]])
    assert "E131" in error


@pytest.mark.parametrize("settings", [{"aliases": None}, {"aliases": None, "names": None}], ids=str)
def test_a_grouper_can_be_left_out(settings):
    assert ["Lovelace"] in entities(pipeline(groupers=settings)(TEXTS[0]))


def test_pipelines_can_be_pickled():
    assert entities(pickle.loads(pickle.dumps(pipeline()))(TEXTS[0])) == ENTITIES[0]
