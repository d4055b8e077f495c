"""Files of costs and priors: what is read, and what each kind of bad file is told."""

import json
from functools import partial

import pytest
import torch
from thinc.api import registry

from spacy_docre.label_files import read_costs, read_priors
from spacy_docre.losses import build_loss

COSTS = {"labels": ["a", "b", "c"], "costs": [[0, 1, 2], [1, 0, 0.5], [2, 0.5, 0]]}
PRIORS = {
    "a": {"true": 0.1, "labelled": 0.05},
    "b": {"true": 0.3, "labelled": 0.2},
    "c": {"true": 0.2, "labelled": 0.2},
}


@pytest.fixture
def write(tmp_path):
    """Write a value as JSON, or text as it is; returns the path."""

    def write_file(value):
        path = tmp_path / "labels.json"
        path.write_text(value if isinstance(value, str) else json.dumps(value), encoding="utf8")
        return path

    return write_file


def error_of(read, path, labels=("a", "b")) -> str:
    """What reading it raises; the path stands there always."""
    with pytest.raises(ValueError, match=r"docre-E0[29]") as caught:
        read(path, labels)
    assert str(path) in str(caught.value)
    return str(caught.value)


def test_costs_stand_in_the_order_of_the_labels(write):
    assert read_costs(write(COSTS), ["c", "a"]).tolist() == [[0, 2], [2, 0]]
    assert read_costs(write(COSTS), ["a", "b", "c"]).tolist() == COSTS["costs"]


def test_costs_do_not_depend_on_the_order_in_the_file(write):
    turned = {"labels": COSTS["labels"][::-1], "costs": [row[::-1] for row in COSTS["costs"][::-1]]}
    labels = ["b", "c", "a"]
    assert read_costs(write(turned), labels).equal(read_costs(write(COSTS), labels))


def test_priors_stand_in_the_order_of_the_labels(write):
    assert read_priors(write(PRIORS), ["b", "a"]).tolist() == [[0.3, 0.1], [0.2, 0.05]]
    assert read_priors(write(dict(reversed(PRIORS.items()))), ["a"]).tolist() == [[0.1], [0.05]]


def test_paths_may_be_text(write):
    assert read_costs(str(write(COSTS)), ["a"]).tolist() == [[0]]
    assert read_priors(str(write(PRIORS)), ["a"]).tolist() == [[0.1], [0.05]]


readers = pytest.mark.parametrize("read", [read_costs, read_priors])


@readers
def test_a_missing_file(tmp_path, read):
    error = error_of(read, tmp_path / "nowhere.json")
    assert "E024" in error
    assert "No such file" in error


@readers
def test_a_folder(tmp_path, read):
    assert "E093" in error_of(read, tmp_path)


@readers
@pytest.mark.parametrize("text", ["", "labels: [a, b]", '{"labels": ["a",'])
def test_text_that_is_not_json(write, read, text):
    assert "can't read it as JSON: Expecting" in error_of(read, write(text))


@readers
def test_bytes_that_are_not_text(tmp_path, read):
    path = tmp_path / "labels.json"
    path.write_bytes(b'{"labels": ["\xff"]}')
    assert "E093" in error_of(read, path)


@pytest.mark.parametrize(
    ("value", "field"),
    [
        ({}, "labels"),
        ([], "labels"),
        (None, "labels"),
        ({"labels": "ab", "costs": [[0]]}, "labels"),
        ({"labels": {"a": 0}, "costs": [[0]]}, "labels"),
        ({"labels": ["a"]}, "costs"),
        ({"labels": ["a"], "costs": 0}, "costs"),
        ({"labels": ["a"], "costs": {"a": [0]}}, "costs"),
    ],
    ids=str,
)
def test_costs_with_other_fields(write, value, field):
    error = error_of(read_costs, write(value))
    assert "E094" in error
    assert f"field '{field}': expected a list" in error


@pytest.mark.parametrize(
    "costs",
    [
        [],
        [0, 1],
        [[0, 1]],
        [[0], [1]],
        [[0, 1], [1]],
        [[0, 1, 1], [1, 0, 1]],
        [[0, 1, 1], [1, 0, 1], [1, 1, 0]],
        [[[0], [1]], [[1], [0]]],
        [[0, -0.5], [-0.5, 0]],
        [[0, float("nan")], [1, 0]],
        [[0, "1"], ["1", 0]],
        [[0, None], [None, 0]],
        [[0, {}], [{}, 0]],
    ],
    ids=str,
)
def test_costs_that_are_no_matrix_of_costs(write, costs):
    error = error_of(read_costs, write({"labels": ["a", "b"], "costs": costs}))
    assert "E094" in error
    assert "field 'costs': expected 2 rows of 2 finite numbers >= 0" in error


def test_costs_must_be_finite(write):
    """An infinite cost would make the loss nan."""
    costs = [[0, float("inf")], [float("inf"), 0]]
    assert "field 'costs'" in error_of(read_costs, write({"labels": ["a", "b"], "costs": costs}))


@pytest.mark.parametrize(
    "values",
    [
        None,
        0.1,
        [0.1, 0.05],
        {},
        {"true": 0.1},
        {"labelled": 0.1},
        {"true": "0.1", "labelled": 0.05},
        {"true": None, "labelled": 0.05},
        {"true": 1, "labelled": 0.5},
        {"true": 0.5, "labelled": 1.5},
        {"true": -0.1, "labelled": 0.05},
        {"true": float("nan"), "labelled": 0.05},
    ],
    ids=str,
)
def test_priors_that_are_no_shares(write, values):
    error = error_of(read_priors, write({"a": PRIORS["a"], "b": values}))
    assert "E094" in error
    assert "field 'b': expected" in error
    assert "shares in [0, 1)" in error


def test_priors_of_labels_that_are_not_asked_for_may_be_anything(write):
    assert read_priors(write({**PRIORS, "source": "DocRED"}), ["a"]).tolist() == [[0.1], [0.05]]


def test_another_file_in_the_place_of_priors(write):
    """Readable names, for example: making it again with all labels would not help."""
    error = error_of(read_priors, write({"P17": "country"}))
    assert "E094" in error
    assert "shares in [0, 1)" in error


@pytest.mark.parametrize("value", [[], "[1, 2]", "null", '"a"', "3"])
def test_priors_that_are_no_object(write, value):
    error = error_of(read_priors, write(value))
    assert "E094" in error
    assert "expected an object" in error


@pytest.mark.parametrize(("read", "value"), [(read_costs, COSTS), (read_priors, PRIORS)])
def test_missing_labels_are_named(write, read, value):
    error = error_of(partial(read), write(value), labels=["a", "founded by", "b", "spouse"])
    assert "E095" in error
    assert "these labels: founded by, spouse." in error


LOSSES = [("spacy-docre.EMO.v1", "costs", COSTS), ("spacy-docre.SSRPU.v1", "priors", PRIORS)]
losses = pytest.mark.parametrize(("name", "setting", "value"), LOSSES)
MARGINS = torch.tensor([[0.5, -1.0, 2.0], [0.0, 0.3, -0.5], [1.0, 1.5, -2.0]], dtype=torch.float64)
TARGETS = torch.tensor([[1, 0, 0], [0, 0, 1], [0, 0, 0]])


@losses
def test_a_loss_that_was_not_told_the_labels_says_so(write, name, setting, value):
    path = write(value)
    loss = build_loss(name, **{setting: str(path)})
    with pytest.raises(ValueError, match=r"docre-E096.*call loss.bind\(labels\) first") as caught:
        loss(MARGINS, TARGETS)
    assert str(path) in str(caught.value)


@losses
def test_a_config_names_the_file(write, name, setting, value):
    config = {"loss": {"@losses": name, setting: str(write(value))}}
    loss = registry.resolve(config)["loss"]
    built = build_loss(name, **{setting: write(value)})
    for each in (loss, built):
        each.bind(["c", "a", "b"])
    assert loss(MARGINS, TARGETS) == built(MARGINS, TARGETS)


@losses
def test_a_loss_reads_its_file_again_for_other_labels_only(write, name, setting, value):
    """So training does not read it in every step, and it may be moved after the first."""
    path = write(value)
    loss = build_loss(name, **{setting: path})
    loss.bind(["a", "b", "c"])
    cost = loss(MARGINS, TARGETS)
    path.unlink()
    loss.bind(("a", "b", "c"))
    assert loss(MARGINS, TARGETS) == cost
    with pytest.raises(ValueError, match="docre-E024"):
        loss.bind(["c", "b", "a"])


def slopes(loss, labels, columns) -> torch.Tensor:
    """The gradient with these labels and columns in this order, put back into the first order."""
    loss.bind(labels)
    margins = MARGINS[:, columns].requires_grad_()
    loss(margins, TARGETS[:, columns]).backward()
    back = torch.empty_like(MARGINS)
    back[:, columns] = margins.grad
    return back


@losses
def test_labels_and_columns_in_another_order_cost_the_same(write, name, setting, value):
    """Where columns alone in another order would not."""
    loss = build_loss(name, **{setting: write(value)})
    expected = slopes(loss, ["a", "b", "c"], [0, 1, 2])
    assert slopes(loss, ["c", "a", "b"], [2, 0, 1]).allclose(expected)
    assert not slopes(loss, ["a", "b", "c"], [2, 0, 1]).allclose(expected)
