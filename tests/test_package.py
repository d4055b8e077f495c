"""The package as others meet it: by its entry points, in processes that never import it."""

import subprocess
import sys
from importlib.metadata import distribution

import pytest

OURS = sorted(distribution("spacy-docre").entry_points, key=lambda e: (e.group, e.name))


def run(*args: str) -> subprocess.CompletedProcess:
    """A fresh interpreter, which has imported nothing."""
    return subprocess.run([sys.executable, *args], capture_output=True, text=True, timeout=120)


def python(code: str) -> str:
    result = run("-c", code)
    assert result.returncode == 0, result.stderr
    return result.stdout.strip()


def test_add_pipe_works_without_an_import():
    """And so does the config alone: all of its names resolve where only spaCy has been imported."""
    code = """
import spacy
nlp = spacy.blank("en")
nlp.add_pipe("docre_relations")
doc = nlp.make_doc("Ada")
print(nlp.pipe_names, doc._.relations, doc._.docre_entities, doc._.docre_labels)
again = spacy.util.load_model_from_config(nlp.config)
print(type(again.get_pipe("docre_relations").loss).__name__)
"""
    assert python(code).splitlines() == ["['docre_relations'] () () none", "AdaptiveFocalLoss"]


def test_importing_installs_no_extension_and_is_light():
    """Other packages own `doc._.relations` too; and annotated documents need no model."""
    code = """
import sys
import spacy, spacy_docre
print(sorted(m for m in ("spacy_docre.models", "spacy_transformers", "transformers") if m in sys.modules))
import spacy_docre.pipeline.docre_relations, spacy_docre.cli
from spacy.tokens import Doc
spacy.blank("en")
print([a for a in ("relations", "docre_entities", "docre_labels") if Doc.has_extension(a)])
"""
    assert python(code).splitlines() == ["[]", "[]"]


def test_the_command_line_has_our_commands():
    result = run("-m", "spacy", "docre", "--help")
    assert result.returncode == 0, result.stderr
    assert all(name in result.stdout for name in ("evaluate", "facts", "convert"))


def test_spacys_command_line_stays_whole_and_quick():
    """It imports the commands of all packages: ours may load no model, and break none of the others."""
    code = """
import sys
import spacy.cli
from spacy.cli._util import app
spacy.registry.cli.get_all()  # what `python -m spacy` does first
assert "spacy_docre.cli" in sys.modules
slow = ("transformers", "spacy_transformers", "spacy_docre.models", "spacy_docre.layers")
print(sorted(m for m in slow if m in sys.modules))
names = {x.name for x in (*app.registered_commands, *app.registered_groups)}
print(sorted(names & {"docre", "train", "project"}))
"""
    assert python(code).splitlines() == ["[]", "['docre', 'project', 'train']"]


@pytest.mark.parametrize("entry_point", OURS, ids=lambda e: f"{e.group}: {e.name}")
def test_every_entry_point_loads(entry_point):
    assert callable(entry_point.load())


def test_every_kind_of_entry_point_is_there():
    """A renamed group would lose all of its functions in silence."""
    groups = {"factories", "cli", "architectures", "misc", "readers", "scorers", "loggers", "batchers"}
    assert {f"spacy_{g}" for g in groups} | {"thinc_losses", "thinc_optimizers"} <= {e.group for e in OURS}


@pytest.mark.parametrize(
    "entry_point", [e for e in OURS if e.group not in ("spacy_factories", "spacy_cli")], ids=lambda e: e.name
)
def test_registered_functions_carry_a_version_and_tell_their_kind(entry_point):
    assert entry_point.name.startswith("spacy-docre.")
    assert entry_point.name.endswith(".v1")
    function = entry_point.attr
    assert function.startswith(("build_", "create_", "make_"))
    assert function.endswith("_v1")


def test_the_factory_module_loads_nothing_heavy():
    """Every `spacy.blank()` of the machine imports it: encoders and file formats have to wait until they are used."""
    heavy = ("transformers", "spacy_transformers", "ijson", "safetensors", "sklearn", "pandas")
    code = f"import sys, spacy, spacy_docre.pipeline.docre_relations; print([m for m in {heavy} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert done.stdout.strip() == "[]", done.stderr
