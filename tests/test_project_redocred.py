"""`python -m spacy project run redocred .`, with invented documents in the place of real ones, a tiny encoder and two
steps of training."""

import gzip
import re
import shutil
from itertools import islice

import pytest
import srsly

from .test_project import ROOT, copy_project, run

FICTIONAL = ROOT / "assets" / "fictional"


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    folder = copy_project(tmp_path_factory.mktemp("redocred"))
    shutil.copy(FICTIONAL / "rel_info.json", folder / "assets" / "wikidata_properties.json")
    (folder / "more").mkdir()
    with gzip.open(FICTIONAL / "distant.json.gz", "rt", encoding="utf8") as file_:
        documents = srsly.json_loads(file_.read())
    srsly.write_json(folder / "more" / "documents.json", documents[:12])
    unlabelled = [{k: v for k, v in doc.items() if k != "labels"} for doc in islice(documents, 12, 20)]
    srsly.write_json(folder / "more" / "unlabelled.json", unlabelled)
    return folder


@pytest.mark.slow
def test_the_whole_chain(project, encoder):
    """All steps run, the report has all stages, and a second run does nothing."""
    names = ("redocred_steps", "redocred_pretrain_steps", "redocred_finetune_steps")
    settings = [x for name in names for x in (f"--vars.{name}", "2")]
    settings += ["--vars.encoder", str(encoder), "--vars.data_dir", str(FICTIONAL), "--vars.more_dir", "more"]
    done = run(project, "redocred", *settings)
    assert done.returncode == 0, done.stdout + done.stderr
    metrics = project / "metrics" / "redocred"
    stages = {path.stem for path in metrics.glob("*.json")}
    assert stages == {"1-teacher", "2-student-pretrained", "3-student-finetuned"}
    assert "student finetuned" in (project / "metrics" / "redocred.html").read_text(encoding="utf8")
    manifest = srsly.read_json(project / "corpus" / "redocred" / "soft" / "manifest.json")
    assert sum(shard["n_docs"] for shard in manifest["shards"]) == 12 + 8
    assert manifest["settings"]["calibrate_on"][0]["file"] == "dev.spacy"
    assert list((project / "packages").rglob("en_docre_redocred-*.whl"))

    again = run(project, "redocred", *settings)
    assert len(re.findall("Skipping", again.stdout)) == 9, again.stdout

    compared = run(project, "redocred-compare", *settings)
    assert compared.returncode == 0, compared.stdout + compared.stderr
    assert "without distillation" in (project / "metrics" / "redocred.html").read_text(encoding="utf8")


@pytest.mark.slow
def test_a_pipeline_from_raw_text(project, encoder):
    """`wiki96` ends in a wheel whose model card has the licences and the figures, and in relations of a raw text."""
    settings = ["--vars.wiki96_first", "more/documents.json", "--vars.wiki96_first_labels", "incomplete"]
    done = run_wiki96(project, encoder, *settings)
    assert done.returncode == 0, done.stdout + done.stderr
    (folder,) = (project / "packages").glob("en_docre_wiki-*")
    assert list(folder.rglob("en_docre_wiki-*.whl"))
    meta = srsly.read_json(project / "metrics" / "wiki96" / "meta.json")
    assert {source["name"] for source in meta["sources"]} >= {"Re-DocRED", "DocRED"}
    assert "from the text alone" in meta["notes"]
    assert {"rel_micro_f", "e2e_strict_f", "mention_f", "conll_f"} <= meta["performance"].keys()
    assert "Marie Curie was born in Warsaw" in (project / "metrics" / "wiki96" / "sample.txt").read_text(
        encoding="utf8"
    )


@pytest.mark.slow
def test_a_pipeline_from_raw_text_without_more_documents(project, encoder):
    """`wiki96` learns from Re-DocRED's documents only, unless others are named, and knows their facts only."""
    (project / "metrics" / "wiki96" / "meta.json").unlink(missing_ok=True)
    done = run_wiki96(project, encoder)
    assert done.returncode == 0, done.stdout + done.stderr
    assert (project / "metrics" / "wiki96" / "meta.json").exists()
    corpus = project / "corpus"
    assert srsly.read_json(corpus / "wiki96" / "facts.json") == srsly.read_json(corpus / "redocred" / "facts.json")


def run_wiki96(project, encoder, *settings):
    steps = ["--vars.wiki96_pretrain_steps", "2", "--vars.wiki96_steps", "60", "--vars.more_dir", "nothing"]
    return run(project, "wiki96", *steps, "--vars.encoder", str(encoder), "--vars.data_dir", str(FICTIONAL), *settings)
