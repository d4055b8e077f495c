"""`python -m spacy project run all`, as a newcomer runs it, with a tiny encoder and two steps of training."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import srsly

ROOT = Path(__file__).parent.parent
FOLLOWS = {"compare": "all", "redocred-compare": "redocred"}


def run(folder, *args):
    command = [sys.executable, "-m", "spacy", "project", "run", *args[:1], ".", *args[1:]]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=900)


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    return copy_project(tmp_path_factory.mktemp("project"))


def copy_project(folder):
    """What `spacy project run` needs of a clone."""
    shutil.copy(ROOT / "project.yml", folder)
    for name in ("configs", "assets"):
        shutil.copytree(ROOT / name, folder / name)
    return folder


@pytest.mark.slow
def test_run_all(project, encoder, tmp_path):
    """All steps run; a second run does nothing; what is missing is made again; the wheel installs and loads."""
    steps = (x for name in ("steps", "pretrain_steps", "finetune_steps") for x in (f"--vars.{name}", "2"))
    settings = ("--vars.encoder", str(encoder), *steps, "--vars.distant_docs", "20")
    done = run(project, "all", *settings)
    assert done.returncode == 0, done.stdout + done.stderr
    runs = ["1-teacher", "2-student-pretrained", "3-student-finetuned"]
    scores = {x: srsly.read_json(project / "metrics" / "fictional" / f"{x}.json") for x in runs}
    assert all(0 <= s["rel_micro_f"] <= 1 for s in scores.values())
    report = (project / "metrics" / "fictional.html").read_text(encoding="utf8")
    assert all(name in report for name in ("teacher", "student finetuned", "<svg"))
    manifest = srsly.read_json(project / "corpus" / "fictional" / "soft" / "manifest.json")
    assert manifest["complete"]
    assert sum(shard["n_docs"] for shard in manifest["shards"]) == 20
    assert "Halvorsen" in (project / "metrics" / "sample.txt").read_text(encoding="utf8")

    again = run(project, "all", *settings)
    assert again.returncode == 0
    assert len(re.findall("Skipping", again.stdout)) == 10, again.stdout
    (project / "metrics" / "sample.txt").unlink()
    once_more = run(project, "all", *settings)
    assert len(re.findall("Skipping", once_more.stdout)) == 9
    assert (project / "metrics" / "sample.txt").exists()

    check_package(project, scores["3-student-finetuned"], tmp_path)


def check_package(project, metrics, tmp_path):
    wheels = list((project / "packages").rglob("*.whl"))
    assert len(wheels) == 1
    target = tmp_path / "site"
    install = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--target", str(target), str(wheels[0])]
    done = subprocess.run(install, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    meta = srsly.read_json(target / "en_docre_fictional" / "meta.json")
    assert meta["performance"]["rel_micro_f"] == pytest.approx(metrics["rel_micro_f"])
    assert any(r.startswith("spacy-docre") for r in meta["requirements"])
    assert any(r.startswith("spacy-transformers") for r in meta["requirements"])
    load = "import spacy; nlp = spacy.load('en_docre_fictional'); print(nlp.pipe_names, nlp('Hello.')._.relations)"
    done = subprocess.run(
        [sys.executable, "-c", load], cwd=target, capture_output=True, text=True, timeout=300, env=with_path(target)
    )
    assert done.returncode == 0, done.stderr
    assert "docre_relations" in done.stdout
    assert "()" in done.stdout


def with_path(folder):
    import os

    return {**os.environ, "PYTHONPATH": str(folder)}


def test_every_file_of_the_project_is_there():
    """Dependencies are assets, configs, users' folders, or what an earlier step makes, also of a workflow before."""
    project = srsly.read_yaml(ROOT / "project.yml")
    commands = {c["name"]: c for c in project["commands"]}
    for workflow, steps in project["workflows"].items():
        before = project["workflows"][FOLLOWS[workflow]] if workflow in FOLLOWS else []
        made = {path for name in before for path in commands[name]["outputs"]}
        for name in steps:
            for path in commands[name].get("deps", ()):
                there = (
                    any(x == path or x.startswith(f"{path}/") for x in made)
                    or (ROOT / path).exists()
                    or path.startswith(("${vars.data_dir}", "${vars.more_dir}", "${vars.wiki96_first}"))
                )
                assert there, f"{name}: {path}"
            made.update(commands[name]["outputs"])
    assert set(commands) == {name for steps in project["workflows"].values() for name in steps}


def test_steps_share_no_output():
    project = srsly.read_yaml(ROOT / "project.yml")
    outputs = [path for c in project["commands"] for path in c["outputs"]]
    assert len(outputs) == len(set(outputs))
