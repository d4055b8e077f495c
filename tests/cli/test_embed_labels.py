"""`python -m spacy docre embed-labels`: costs between labels from a real encoder, for the loss EMO."""

import json

import pytest
import torch

from spacy_docre.losses import build_loss

from .test_evaluate import plain, run

NAMES = {"P1": "place of birth", "P2": "place of death", "P3": "owned by"}


@pytest.fixture
def names(tmp_path):
    path = tmp_path / "names.json"
    path.write_text(json.dumps(NAMES), encoding="utf8")
    return path


def test_costs_are_a_distance_between_names(encoder, names, tmp_path):
    code, text = run("embed-labels", encoder, names, tmp_path / "costs.json")
    assert code == 0, text
    written = json.loads((tmp_path / "costs.json").read_text(encoding="utf8"))
    costs = torch.tensor(written["costs"])
    assert written["labels"] == list(NAMES.values())
    assert torch.equal(costs, costs.T)
    assert costs.diagonal().tolist() == [0, 0, 0]
    assert (costs[~torch.eye(3, dtype=bool)] > 0).all()


def test_the_loss_reads_them_by_id_too(encoder, names, tmp_path):
    path = tmp_path / "costs.json"
    assert run("embed-labels", encoder, names, path, "--ids")[0] == 0
    loss = build_loss("spacy-docre.EMO.v1", costs=path)
    loss.bind(["P3", "P1"])
    assert loss(torch.zeros((1, 2)), torch.zeros((1, 2))).isfinite()


def test_the_order_of_names_and_batches_is_irrelevant(encoder, tmp_path):
    """70 names are two batches: the costs between two of them stay the same."""
    many = [f"name {i}" for i in range(70)]
    costs = {}
    for order in (many, many[::-1]):
        path, out = tmp_path / "many.json", tmp_path / "out.json"
        path.write_text(json.dumps(order), encoding="utf8")
        assert run("embed-labels", encoder, path, out, "--overwrite")[0] == 0
        written = json.loads(out.read_text(encoding="utf8"))
        at = {label: i for i, label in enumerate(written["labels"])}
        costs[order[0]] = [written["costs"][at["name 3"]][at[f"name {i}"]] for i in (4, 35, 69)]
    assert costs["name 0"] == pytest.approx(costs["name 69"], abs=2e-4)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("nonsense", "can't read it as JSON"),
        ("[]", "expected {id: name} or a list of names, all different strings"),
        ('{"P1": "same", "P2": "same"}', "all different strings"),
        ('["a", 3]', "all different strings"),
    ],
)
def test_bad_labels_write_nothing(encoder, names, tmp_path, text, message):
    names.write_text(text, encoding="utf8")
    code, output = run("embed-labels", encoder, names, tmp_path / "costs.json")
    assert code == 1
    assert message in plain(output)
    assert not (tmp_path / "costs.json").exists()


def test_an_existing_file_is_not_replaced_unasked(encoder, names, tmp_path):
    (tmp_path / "costs.json").write_text("mine", encoding="utf8")
    assert run("embed-labels", encoder, names, tmp_path / "costs.json")[0] == 1
    assert (tmp_path / "costs.json").read_text(encoding="utf8") == "mine"
