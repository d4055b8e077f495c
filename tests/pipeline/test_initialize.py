"""What `initialize` refuses, and what it warns of."""

import warnings

import numpy as np
import pytest
import spacy
from thinc.api import Model

from spacy_docre.annotations import SoftLabels, set_label_status, set_soft_labels

from ..pipelines import HASH_EMBED, hash_pipeline, two_examples

SCHEMA = {"@misc": "spacy-docre.Schema.v1"}


def initialise(nlp, examples=None) -> None:
    """As `spacy train` does it."""
    examples = examples or two_examples(nlp)
    nlp.get_pipe("docre_relations").initialize(lambda: examples, nlp=nlp)


def taught_examples(nlp, *names: str) -> list:
    examples = two_examples(nlp)
    for eg in examples:
        logits = np.zeros((6, 3), dtype=np.float16)
        set_soft_labels(eg.reference, [SoftLabels(name, ("a", "b"), ("0", "1", "2"), logits) for name in names])
    return examples


def test_rules_are_not_learned_from_the_first_documents_of_a_stream(tmp_path):
    nlp = hash_pipeline(schema=SCHEMA)
    nlp.config["training"] = {"max_epochs": -1}
    with pytest.raises(ValueError, match=r"docre-E149.*docre schema CORPUS FILE"):
        initialise(nlp)
    nlp.config["training"] = {"max_epochs": 0}
    initialise(nlp)
    (tmp_path / "rules.json").write_text('{"types": {}, "inverses": {}}', encoding="utf8")
    nlp = hash_pipeline(schema={**SCHEMA, "path": str(tmp_path / "rules.json")})
    nlp.config["training"] = {"max_epochs": -1}
    initialise(nlp)


@pytest.mark.parametrize(("weights", "unknown"), [({"firts": 0.0, "second": 2.0}, "firts"), ({"second": 0.5}, None)])
def test_weights_of_teachers_that_nobody_has_are_said(weights, unknown):
    nlp = hash_pipeline(targets={"@misc": "spacy-docre.MixedTargets.v1", "teacher_weights": weights})
    if unknown:
        with pytest.warns(UserWarning, match=f"docre-W022.*of: {unknown}. There are: first, second"):
            initialise(nlp, taught_examples(nlp, "first", "second"))
    else:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            initialise(nlp, taught_examples(nlp, "first", "second"))


def test_a_model_that_is_not_for_pairs_is_refused():
    """Of the right type, and without what the component tells its model."""

    @spacy.registry.architectures("test.Foreign.v1")
    def build(tok2vec: Model) -> Model:
        return tok2vec

    foreign = {"@architectures": "test.Foreign.v1", "tok2vec": HASH_EMBED}
    with pytest.raises(ValueError, match=r"docre-E147.*lack evidence.*spacy-docre.DocRE.v1"):
        spacy.blank("en").add_pipe("docre_relations", config={"model": foreign})


def test_a_failed_call_leaves_no_labels_behind():
    """In a notebook the data is mended, and the same pipeline initialised again."""
    nlp = hash_pipeline()
    bad = two_examples(nlp)
    for eg in bad:
        set_label_status(eg.reference, "none")
    with pytest.raises(ValueError, match="docre-E062"):
        initialise(nlp, bad)
    assert nlp.get_pipe("docre_relations").labels == ()
    initialise(nlp)


def test_a_second_component_for_relations_is_said():
    nlp = hash_pipeline()
    with pytest.warns(UserWarning, match="docre-W024"):
        nlp.add_pipe("docre_relations", name="more", config={"model": {"tok2vec": HASH_EMBED}})
