"""The docs name everything that users can name, and their links lead somewhere."""

import inspect
import re
from importlib.metadata import distribution
from pathlib import Path

import pytest
from typer.main import get_command

import spacy_docre
from spacy_docre.cli import app
from spacy_docre.pipeline.config import SCORE_WEIGHTS, default_config
from spacy_docre.scoring.entity_scorer import score_entities

ROOT = Path(__file__).parents[1]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("assets/**/*.md"), *ROOT.glob("*/README.md")])
DOCS = "\n".join(path.read_text(encoding="utf8") for path in ROOT.glob("docs/*.md"))
REFERENCE = (ROOT / "docs" / "reference.md").read_text(encoding="utf8")
OURS = [e for e in distribution("spacy_docre").entry_points if e.name.startswith("spacy-docre.")]


def is_named(name: str, text: str = DOCS) -> bool:
    return re.search(rf"[`\"(.\[]{re.escape(name)}[`\" =.(/,\]]", text) is not None


@pytest.mark.parametrize("entry_point", OURS, ids=lambda e: e.name)
def test_every_registered_function_and_its_settings_are_named(entry_point):
    name = entry_point.name.split(".")[1]
    assert is_named(name)
    missing = [x for x in inspect.signature(entry_point.load()).parameters if not is_named(x)]
    assert not missing


@pytest.mark.parametrize("command", get_command(app).commands.values(), ids=lambda c: c.name)
def test_every_command_and_its_options_are_named(command):
    (row,) = [x for x in REFERENCE.splitlines() if x.startswith(f"| `{command.name} ")]
    general = "--overwrite", "--gpu-id", "--help", "--force", "--code"
    options = [o for p in command.params for o in (*p.opts, *p.secondary_opts) if o.startswith("--")]
    defaults = {"--spaces", "--gold-entities", "--text", "--one-for-all"}
    assert [o for o in options if o not in general and o not in defaults and not is_named(o, row)] == []


def test_settings_scores_and_functions_are_named():
    names = [*default_config(), *SCORE_WEIGHTS, *spacy_docre.__all__]
    names += [x for x in score_entities([]) if x.endswith("_f")]
    assert [x for x in names if not is_named(x)] == []


def anchors(path: Path) -> set[str]:
    headings = re.findall(r"^#+ (.*)$", path.read_text(encoding="utf8"), flags=re.M)
    return {re.sub(r"[^\w\- ]", "", h.lower()).replace(" ", "-") for h in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda p: str(p.relative_to(ROOT)))
def test_links_lead_somewhere(page):
    text = re.sub(r"```.*?```", "", page.read_text(encoding="utf8"), flags=re.S)
    for link in re.findall(r"\]\(([^)\s]+)\)", text):
        if "://" in link:
            continue
        file_, _, anchor = link.partition("#")
        target = (page.parent / file_).resolve() if file_ else page
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link
