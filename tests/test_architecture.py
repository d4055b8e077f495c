"""Who may import whom: a module imports from lower ranks only, as the table in the docs says."""

import ast
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

import spacy_docre

PACKAGE = Path(spacy_docre.__file__).parent
FILES = sorted(PACKAGE.rglob("*.py"))
RANKS = {
    "errors": 0, "types": 0, "masking": 0, "memory": 0, "components": 0,
    "json_file": 1, "loading": 1,
    "annotations": 2, "label_files": 2,
    "readers": 3, "features": 3, "scoring": 3, "grouping": 3,
    "layers": 4, "losses": 4,
    "models": 5, "training": 5,
    "pipeline": 6,
    "inference": 7, "visualise": 7,
    "cli": 8,
}  # fmt: skip
MAX_LINES = 300


def module_name(path: Path) -> str:
    """spacy_docre/models/docre.py -> spacy_docre.models.docre; a package's __init__.py -> the package"""
    parts = [PACKAGE.name, *path.relative_to(PACKAGE).with_suffix("").parts]
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module_name(path): path for path in FILES}


def folder(module: str) -> str:
    """What has a rank: the first name below the package; "" for the package itself."""
    return module.split(".")[1] if "." in module else ""


def imports_of(path: Path) -> set[str]:
    """Modules of this package that a file imports, anywhere in it, also inside functions."""
    package = module_name(path).split(".")
    package = package if path.name == "__init__.py" else package[:-1]
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf8"))):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            source = ".".join([*base, *([node.module] if node.module else [])])
            found.update(f"{source}.{alias.name}" for alias in node.names)
    return {name for name in map(closest_module, found) if name}


def closest_module(name: str) -> str:
    """The module that `name` is, or is in; "" if it is not ours."""
    while name and name not in MODULES:
        name = name.rpartition(".")[0]
    return name


def names(paths) -> list[str]:
    return [str(path.relative_to(PACKAGE)) for path in paths]


def test_the_reader_of_imports_sees_all_kinds():
    """Relative and absolute, of modules and of names, at the top and inside functions."""
    component = imports_of(PACKAGE / "pipeline" / "docre_relations.py")
    assert {"spacy_docre.errors", "spacy_docre.annotations", "spacy_docre.pipeline.decoding"} <= component
    assert "spacy_docre.scoring.facts" in imports_of(PACKAGE / "cli" / "evaluate.py")
    assert "spacy_docre.cli.convert" in imports_of(PACKAGE / "cli" / "__init__.py")


def test_every_module_has_a_rank():
    assert {folder(module) for module in MODULES} - {""} <= RANKS.keys()


@pytest.mark.parametrize("path", FILES, ids=names(FILES))
def test_a_module_imports_from_lower_ranks_only(path):
    """Equal ranks do not know each other: only a folder's own files do."""
    own = folder(module_name(path))
    if not own:
        return
    upward = [
        module
        for module in imports_of(path)
        if folder(module) != own and (not folder(module) or RANKS[folder(module)] >= RANKS[own])
    ]
    assert upward == []


def test_the_package_itself_offers_annotations_only():
    """`import spacy_docre` stays cheap."""
    assert {folder(m) for m in imports_of(PACKAGE / "__init__.py")} <= {"", "annotations", "errors", "types"}


def test_there_is_no_import_cycle():
    """Within folders too. A package and its own files are one step: importing a file imports its package."""
    graph = {module: imports_of(path) - {module} for module, path in MODULES.items()}
    TopologicalSorter(graph).prepare()  # raises CycleError with the cycle


@pytest.mark.parametrize("path", FILES, ids=names(FILES))
def test_files_are_short(path):
    n_lines = len(path.read_text(encoding="utf8").splitlines())
    assert n_lines <= MAX_LINES


@pytest.mark.parametrize("path", [p for p in FILES if p.parent.name in ("layers", "losses")], ids=lambda p: p.stem)
def test_layers_and_losses_are_plain_torch(path):
    """Who knows PyTorch can review half of the package. Only the registry's look-up knows thinc."""
    tree = ast.parse(path.read_text(encoding="utf8"))
    roots = {a.name.split(".")[0] for n in ast.walk(tree) if isinstance(n, ast.Import) for a in n.names}
    roots |= {n.module.split(".")[0] for n in ast.walk(tree) if isinstance(n, ast.ImportFrom) and not n.level}
    allowed = {"thinc"} if path.name == "__init__.py" else set()
    assert roots & {"spacy", "thinc", "spacy_transformers"} <= allowed
