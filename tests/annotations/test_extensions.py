"""Extension attributes: on demand, and never in place of another package's."""

import subprocess
import sys
import warnings

import pytest
from spacy.tokens import Doc

from spacy_docre import get_relations, install_extensions

FRESH = """
import warnings
import spacy
import spacy_docre
import spacy_docre.pipeline.docre_relations, spacy_docre.readers.corpus, spacy_docre.readers.docred
from spacy.tokens import Doc
from tests.conftest import make_doc

spacy.blank("en")
names = ("relations", "docre_entities", "docre_labels")
assert not any(map(Doc.has_extension, names)), "importing installs nothing"

Doc.set_extension("relations", default="foreign")
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    assert not spacy_docre.install_extensions()
    assert not spacy_docre.install_extensions()
assert len(caught) == 1 and "docre-W001" in str(caught[0].message), "said once"
doc = make_doc()
assert doc._.relations == "foreign", "never replaced"
assert len(spacy_docre.get_relations(doc)) == 3
assert len(doc._.docre_entities) == 3, "the other attributes are there all the same"

assert spacy_docre.install_extensions("docre_relations")
assert doc._.docre_relations == spacy_docre.get_relations(doc)
"""


def test_in_a_fresh_interpreter():
    """Nothing on import; a foreign doc._.relations stays; another name works."""
    result = subprocess.run([sys.executable, "-c", FRESH], capture_output=True, text=True)
    assert result.returncode == 0, result.stderr


@pytest.fixture
def foreign():
    Doc.set_extension("graph", default=())
    yield "graph"
    Doc.remove_extension("graph")


def test_a_foreign_attribute_is_said_once_with_the_remedy(ada, foreign):
    with pytest.warns(UserWarning, match=r"W001.*doc\._\.graph.*get_relations.*relations_attr"):
        assert not install_extensions(foreign)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert not install_extensions(foreign)
    assert ada._.graph == ()


def test_a_package_that_takes_the_name_later_is_noticed(ada):
    try:
        assert install_extensions("later")
        assert ada._.later == get_relations(ada)
        Doc.set_extension("later", default="foreign", force=True)
        with pytest.warns(UserWarning, match=r"W001.*doc\._\.later"):
            assert not install_extensions("later")
        assert ada._.later == "foreign"
    finally:
        Doc.remove_extension("later")


def test_installing_twice_is_silent():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert install_extensions()
        assert install_extensions()


def test_attributes_read_and_write(ada):
    assert [e.name for e in ada._.docre_entities] == ["Ada Lovelace", "London", "Charles Babbage"]
    ada._.relations = [("0", "born in", "1")]
    ada._.docre_labels = "incomplete"
    assert repr(ada._.relations) == "(Relation('Ada Lovelace' -born in-> 'London', score=1.00),)"
    assert ada._.docre_labels == "incomplete"
    ada._.docre_entities = [[ada[0:2]]]
    assert [e.name for e in ada._.docre_entities] == ["Ada Lovelace"]
