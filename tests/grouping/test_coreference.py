"""Clusters that a coreference component has left: here by hand, in the three forms that there are."""

from types import SimpleNamespace

import pytest
from spacy import registry
from spacy.tokens import Doc, Span
from thinc.api import Config

from spacy_docre.grouping.coreference import build_coreference_grouper_v1

from .mentions import grouped, vocab_of

WORDS = "Ada Lovelace met his wife Mary 's sister in London . She liked her there .".split()
ADA, MARY, LONDON, SHE, HER, THERE = (0, 2), (5, 6), (9, 10), (11, 12), (13, 14), (14, 15)
clusters = build_coreference_grouper_v1()


@pytest.fixture
def doc() -> Doc:
    return Doc(vocab_of("en"), words=WORDS)


@pytest.fixture(params=["coref_clusters", "coref_chains"])
def attribute(request):
    """What fastcoref and coreferee register, only as long as the test takes."""
    Doc.set_extension(request.param, default=None)
    yield request.param
    Doc.remove_extension(request.param)


@pytest.fixture
def fastcoref():
    Doc.set_extension("coref_clusters", default=None)
    yield
    Doc.remove_extension("coref_clusters")


@pytest.fixture
def coreferee():
    Doc.set_extension("coref_chains", default=None)
    yield
    Doc.remove_extension("coref_chains")


def spans(doc, *places) -> list[Span]:
    return [Span(doc, start, end, label="PER") for start, end in places]


def characters(doc, *places) -> list[tuple[int, int]]:
    """As fastcoref writes them."""
    return [(span.start_char, span.end_char) for span in spans(doc, *places)]


def chain(*mentions: list[int]) -> list[SimpleNamespace]:
    """As coreferee has them: mentions with the indices of their heads."""
    return [SimpleNamespace(token_indexes=indices) for indices in mentions]


def test_spacy_experimental(doc):
    mentions = spans(doc, ADA, MARY, LONDON, SHE, HER, THERE)
    doc.spans["coref_clusters_1"] = spans(doc, ADA, SHE)
    doc.spans["coref_clusters_2"] = spans(doc, MARY, HER)
    doc.spans["coref_head_clusters_1"] = spans(doc, ADA, LONDON)
    assert grouped(mentions, clusters) == [["Ada Lovelace", "She"], ["Mary", "her"], ["London"], ["there"]]


def test_span_groups_of_another_name(doc):
    doc.spans["mine_1"] = spans(doc, ADA, SHE)
    mentions = spans(doc, ADA, SHE)
    assert grouped(mentions, clusters) == [["Ada Lovelace"], ["She"]]
    assert grouped(mentions, build_coreference_grouper_v1(prefix="mine")) == [["Ada Lovelace", "She"]]


@pytest.mark.usefixtures("fastcoref")
def test_fastcoref(doc):
    mentions = spans(doc, ADA, MARY, SHE, HER)
    doc._.coref_clusters = [characters(doc, ADA, SHE), characters(doc, MARY, HER)]
    assert grouped(mentions, clusters) == [["Ada Lovelace", "She"], ["Mary", "her"]]


@pytest.mark.usefixtures("fastcoref")
def test_characters_within_a_token_are_the_whole_token(doc):
    doc._.coref_clusters = [[(0, 11), *characters(doc, SHE)]]  # "Ada Lovelac"
    assert grouped(spans(doc, ADA, SHE), clusters) == [["Ada Lovelace", "She"]]


@pytest.mark.usefixtures("coreferee")
def test_coreferee(doc):
    """Ada Lovelace's head is her last token, 1."""
    mentions = spans(doc, ADA, MARY, SHE, HER)
    doc._.coref_chains = [chain([1], [11]), chain([5], [13])]
    assert grouped(mentions, clusters) == [["Ada Lovelace", "She"], ["Mary", "her"]]


@pytest.mark.parametrize(
    ("place", "text"),
    [((3, 7), "his wife Mary 's"), ((3, 6), "his wife Mary"), ((5, 7), "Mary 's"), ((5, 6), "Mary")],
)
def test_a_cluster_holds_the_name_at_the_end_of_its_span(doc, place, text):
    assert doc[slice(*place)].text == text
    doc.spans["coref_clusters_1"] = spans(doc, place, HER)
    assert grouped(spans(doc, MARY, HER), clusters) == [["Mary", "her"]]


@pytest.mark.parametrize("place", [(3, 8), (5, 8), (0, 6), (2, 4)])
def test_a_cluster_does_not_hold_other_names_in_its_span(doc, place):
    """His wife Mary's sister is not Mary."""
    doc.spans["coref_clusters_1"] = spans(doc, place, HER)
    assert grouped(spans(doc, ADA, MARY, HER), clusters) == [["Ada Lovelace"], ["Mary"], ["her"]]


def test_pronouns_only_give_nothing(doc):
    doc.spans["coref_clusters_1"] = spans(doc, SHE, HER)
    mentions = spans(doc, ADA, MARY)
    assert list(clusters(doc, mentions)) == []
    assert grouped(mentions, clusters) == [["Ada Lovelace"], ["Mary"]]


def test_nothing_there_gives_nothing(doc):
    assert list(clusters(doc, spans(doc, ADA, MARY))) == []
    doc.spans["coref_clusters_1"] = spans(doc, ADA, SHE)
    assert list(clusters(doc, [])) == []


@pytest.mark.parametrize("empty", [None, [], [[]]])
def test_an_extension_without_clusters_gives_nothing(doc, attribute, empty):
    setattr(doc._, attribute, empty)
    assert list(clusters(doc, spans(doc, ADA, SHE))) == []


def test_a_name_within_another_mention_is_linked_to_it_and_never_to_itself(doc):
    """A span, and the name that is left of it, may both be mentions."""
    doc.spans["coref_clusters_1"] = spans(doc, (3, 6), MARY, HER)
    mentions = spans(doc, MARY, (3, 6), HER)
    assert grouped(mentions, clusters) == [["Mary", "his wife Mary", "her"]]
    assert all(i != j for i, j in clusters(doc, mentions))


def test_from_a_config(doc):
    config = Config().from_str('[grouper]\n@misc = "spacy-docre.CoreferenceGrouper.v1"\nprefix = "mine"')
    doc.spans["mine_1"] = spans(doc, ADA, SHE)
    assert grouped(spans(doc, ADA, SHE), registry.resolve(config)["grouper"]) == [["Ada Lovelace", "She"]]


def test_the_president_of_france_is_not_france():
    doc = Doc(vocab_of("en"), words="Emmanuel Macron is the president of France .".split())
    doc.spans["coref_clusters_1"] = spans(doc, (0, 2), (3, 7))
    assert grouped(spans(doc, (0, 2), (6, 7)), clusters) == [["Emmanuel Macron"], ["France"]]


@pytest.mark.usefixtures("coreferee")
def test_two_people_who_are_one_mention_together_stay_two():
    """Coreferee gives "Bill and Mary" both heads; "They" is both of them."""
    doc = Doc(vocab_of("en"), words="Bill and Mary left . They smiled .".split())
    doc._.coref_chains = [chain([0, 2], [5])]
    assert grouped(spans(doc, (0, 1), (2, 3)), clusters) == [["Bill"], ["Mary"]]
