"""Is a student better than its teacher, and what makes it so?

    python benchmarks/redocred.py ../shared/data/redocred --seeds 0 1 2       # the teachers
    python benchmarks/distillation.py slice --more ../shared/data/docred_incomplete
    python benchmarks/distillation.py full --more ../shared/data/docred_incomplete --seeds 0 1 2
    python benchmarks/distillation.py rates --arms …          # rates and steps of fine-tuning its students
    python benchmarks/distillation.py again --arms …          # fine-tuning its fine-tuned students once more
    python benchmarks/distillation.py table

`slice`: every choice of targets, objective and source, on 1,000 documents once. `full`: the comparisons that count, on
all documents twice. --more is a folder with documents.json (incomplete labels), wikidata_labels.jsonl and
unlabelled.json. Results are written after each stage, and what is in the result already is not run again.
"""

import argparse
import json
import shutil
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import distillation_report
from common import RESULTS, ROOT, find_encoder, machine, spacy, write_result
from thinc.api import Config

RESULT = RESULTS / "distillation.json"
PARTS: dict[str, dict[str, Any]] = {
    "slice": {"limit": 1000, "steps": 250, "finetune_steps": 400},
    "full": {"limit": 0, "steps": 2000, "finetune_steps": 1000},
}
RATES, FINETUNE_RATES = (2e-4, 1e-3), (2e-4, 1e-3)  # of encoder and head
TRIED = ((1e-4, 5e-4, 1000), (1e-4, 5e-4, 400), (5e-5, 2e-4, 1000), (3e-5, 1e-4, 400))  # rates and steps of fine-tuning
INPUTS = {  # source -> what `annotate` reads
    "incomplete": ["incomplete"],
    "wikidata": ["wikidata"],
    "unlabelled": ["unlabelled"],
    "all": ["incomplete", "unlabelled"],
}
MSE = {"@losses": "spacy-docre.LogitMSE.v1"}


def arm(
    mode: str,
    source: str = "incomplete",
    objective: Any = MSE,
    *,
    calibrated: bool = True,
    teacher: str = "",
    teacher_seeds: Sequence[int] = (),
    start: str = "",
    **settings: Any,
) -> dict[str, Any]:
    """Where the documents come from, and what the student learns from them. teacher: an arm of `full` whose fine-tuned
    student it is; else that of redocred.py. teacher_seeds: of several teachers; else one, of the student's own seed.
    start: an arm of `full` from whose fine-tuned student this one goes on; else it begins with a fresh encoder."""
    targets = {"mode": mode, **settings}
    return {
        "source": source,
        "calibrated": calibrated,
        "objective": objective,
        "targets": targets,
        **({"teacher": teacher} if teacher else {}),
        **({"teacher_seeds": list(teacher_seeds)} if teacher_seeds else {}),
        **({"start": start} if start else {}),
    }


def table_of_arms(part: str, priors: str) -> dict[str, dict[str, Any]]:
    if part == "full":
        return {
            "distilled": arm("teacher_soft", "all", priors=priors),
            "labels as they are": arm("closed_world", objective=None),
            "labels as they are, nothing in the unlabelled": arm("closed_world", "all", None),
            "labels as they are, and a teacher": arm("closed_world"),
            "distilled from that": arm("teacher_soft", "all", priors=priors, teacher="labels as they are"),
            "distilled from three of them": arm(
                "teacher_soft", "all", priors=priors, teacher="labels as they are", teacher_seeds=(0, 1, 2)
            ),
            "going on with three of them": arm(
                "teacher_soft",
                "all",
                priors=priors,
                teacher="labels as they are",
                teacher_seeds=(0, 1, 2),
                start="labels as they are",
            ),
            "going on with itself": arm(
                "teacher_soft", "all", priors=priors, teacher="labels as they are", start="labels as they are"
            ),
        }
    objectives = ("TemperatureKL", "BernoulliKL", "SymmetricKL", "ZLPRDistil")
    return {
        "soft": arm("teacher_soft", priors=priors),
        "labels as they are": arm("closed_world", objective=None),
        "soft, no priors": arm("teacher_soft"),
        "soft, not calibrated, no priors": arm("teacher_soft", calibrated=False),
        "union": arm("teacher_union", priors=priors),
        "positives only": arm("positives_only"),
        "closed world": arm("closed_world"),
        "no objective": arm("teacher_soft", objective=None, priors=priors),
        **{
            name: arm("teacher_soft", objective={"@losses": f"spacy-docre.{name}.v1"}, priors=priors)
            for name in objectives
        },
        "unlabelled documents": arm("teacher_soft", "unlabelled"),
        "Wikidata's labels": arm("teacher_soft", "wikidata", trust=0.3),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("part", choices=(*PARTS, "rates", "again", "table"))
    parser.add_argument("--more", type=Path, help="folder with documents.json, wikidata_labels.jsonl, unlabelled.json")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--arms", nargs="+", help="only these")
    parser.add_argument("--tried", type=int, nargs="+", default=list(range(len(TRIED))), help="only these of TRIED")
    parser.add_argument("--encoder", help="folder or name on the hub; default: all-MiniLM-L6-v2")
    parser.add_argument("--work", type=Path, default=ROOT / "runs", help="where redocred.py put corpora and teachers")
    parser.add_argument("--gpu-id", type=int, default=-1)
    args = parser.parse_args()
    files = args.work.resolve() / "distillation"
    if args.part == "rates":
        for rates in (TRIED[i] for i in args.tried):
            tune(args, files, "pretrained", *rates)
    elif args.part == "again":
        tune(args, files, "finetuned", *FINETUNE_RATES, PARTS["full"]["finetune_steps"])
    elif args.part != "table":
        prepare(args, files)
        for name, settings in table_of_arms(args.part, str(files / "priors.json")).items():
            for seed in args.seeds if not args.arms or name in args.arms else ():  # some arms need all seeds of others
                run_arm(args, files, name, settings, seed)
    distillation_report.main(RESULT)


def run_arm(args: argparse.Namespace, files: Path, name: str, settings: dict[str, Any], seed: int) -> None:
    """Pretrain, score, fine-tune, score: each unless that has been done."""
    corpus = args.work.resolve() / "corpus"
    teachers = [args.work.resolve() / "redocred" / f"seed{seed}" / "model-last"]
    done = read()
    if str(seed) not in done.get("teacher", {}) and "teacher" not in settings and not needs_no_teacher(settings):
        add(args, ["teacher", str(seed)], distillation_report.score(teachers[0], corpus))
    stages = done.get("runs", {}).get(args.part, {}).get(name, {}).get(str(seed), {})
    folder = folder_of(files, args.part, name, seed)
    if settings.get("teacher"):
        folders = [folder_of(files, "full", settings["teacher"], s) for s in settings.get("teacher_seeds", [seed])]
        teachers = [folder / "finetuned" / "model-last" for folder in folders]
    is_teacher = name in {a.get("teacher") for a in table_of_arms(args.part, "").values()}
    if "finetuned" in stages and (not is_teacher or (folder / "finetuned" / "model-last").exists()):
        return
    print(f"== {args.part}, {name}, seed {seed}", flush=True)
    place = ["runs", args.part, name, str(seed)]
    if "pretrained" not in stages or not (folder / "pretrained" / "model-last").exists():
        documents = annotate(args, files, settings, teachers, seed)
        seconds = pretrain(args, files, settings, documents, folder / "pretrained", seed)
        figures = distillation_report.score(folder / "pretrained" / "model-last", corpus)
        add(args, [*place, "pretrained"], {"training_seconds": seconds, **figures})
    student, steps = folder / "pretrained" / "model-last", PARTS[args.part]["finetune_steps"]
    seconds = finetune(args, student, folder / "finetuned", seed, steps, FINETUNE_RATES)
    figures = distillation_report.score(folder / "finetuned" / "model-last", corpus)
    add(args, [*place, "finetuned"], {"training_seconds": seconds, **figures})
    add(args, [*place, "settings"], json.loads(json.dumps(settings).replace(f"{files}/", "")))
    if not is_teacher:
        shutil.rmtree(folder / "finetuned")


def folder_of(files: Path, part: str, name: str, seed: int) -> Path:
    return files / "models" / part / f"{name.replace(' ', '_')}-{seed}"


def tune(args: argparse.Namespace, files: Path, stage: str, encoder_rate: float, head_rate: float, steps: int) -> None:
    """Fine-tune students of `full`, as they are after that stage."""
    name = f"{encoder_rate:g} / {head_rate:g}, {steps} steps{', once more' if stage == 'finetuned' else ''}"
    for arm_name in args.arms or ["labels as they are" if stage == "finetuned" else "distilled"]:
        for seed in args.seeds:
            if name in read().get("tuning", {}).get(arm_name, {}).get(str(seed), {}):
                continue
            print(f"== {arm_name}, seed {seed}, fine-tuning {name}", flush=True)
            student = folder_of(files, "full", arm_name, seed) / stage / "model-last"
            folder = folder_of(files, "tuning", arm_name, seed)
            shutil.rmtree(folder, ignore_errors=True)
            seconds = finetune(args, student, folder, seed, steps, (encoder_rate, head_rate))
            figures = distillation_report.score(folder / "model-last", args.work.resolve() / "corpus")
            add(args, ["tuning", arm_name, str(seed), name], {"training_seconds": seconds, **figures})


def add(args: argparse.Namespace, place: list[str], figures: dict[str, Any]) -> None:
    result = read()  # another process may have added its runs meanwhile
    result["what"] = "dev documents, gold entities, last models; teachers: benchmarks/redocred.py"
    result["training"] = {**PARTS, "docs_per_step": 4, "rates": RATES, "finetune_rates": FINETUNE_RATES}
    result.setdefault("machines", {})[args.part] = machine()
    inner = result
    for key in place[:-1]:
        inner = inner.setdefault(key, {})
    inner[place[-1]] = figures
    write_result(RESULT, result)


def read() -> dict[str, Any]:
    return json.loads(RESULT.read_text(encoding="utf8")) if RESULT.exists() else {}


def prepare(args: argparse.Namespace, files: Path) -> None:
    """The documents by label status, and how often labels are true and given."""
    files.mkdir(parents=True, exist_ok=True)
    more, complete = args.more.resolve(), args.work.resolve() / "corpus" / "train.spacy"
    options = {
        "incomplete": [more / "documents.json", "--labels-are", "incomplete"],
        "wikidata": [more / "documents.json", "--distant", more / "wikidata_labels.jsonl"],
        "unlabelled": [more / "unlabelled.json", "--labels-are", "none"],
    }
    for name, (documents, *settings) in options.items():
        if not (files / name).exists():
            spacy("docre", "convert", documents, files / name, *settings)
    if not (files / "priors.json").exists():
        spacy("docre", "priors", complete, files / "incomplete", files / "priors.json")


def annotate(args: argparse.Namespace, files: Path, settings: dict[str, Any], teachers: list[Path], seed: int) -> Path:
    source, limit = settings["source"], PARTS[args.part]["limit"]
    inputs = [files / name for name in INPUTS[source]]
    if needs_no_teacher(settings) and not limit and len(inputs) == 1:
        return inputs[0]
    kind = f"{'' if settings['calibrated'] else 'raw-'}{'second-' if settings.get('teacher') else ''}"
    seeds = "+".join(map(str, settings.get("teacher_seeds", [seed])))
    output = files / "soft" / f"{source}-{limit or 'all'}-{kind}{seeds}"
    options = ["--calibrate", args.work.resolve() / "corpus" / "dev.spacy"] if settings["calibrated"] else []
    options += [x for teacher in teachers[1:] for x in ("--also", teacher)]
    spacy("docre", "annotate", teachers[0], *inputs, output, "--limit", limit, *options, "-g", args.gpu_id)
    return output


def needs_no_teacher(settings: dict[str, Any]) -> bool:
    return settings["objective"] is None and settings["targets"]["mode"] == "closed_world"


def pretrain(
    args: argparse.Namespace, files: Path, settings: dict[str, Any], documents: Path, folder: Path, seed: int
) -> int:
    config = Config().from_disk(ROOT / "configs" / "docre_pretrain.cfg", interpolate=False)
    component = config["components"]["docre_relations"]
    component["targets"] = {"@misc": "spacy-docre.MixedTargets.v1", **settings["targets"]}
    component["distillation"] = settings["objective"]
    config["paths"]["train"] = str(documents)
    if settings.get("start"):
        first = folder_of(files, "full", settings["start"], seed) / "finetuned" / "model-last"
        config["paths"]["start"] = str(first)
    if needs_no_teacher(settings):  # who would name labels that these documents have no example of
        config["initialize"]["components"]["docre_relations"]["labels"] = labels_of(args)
    return train(args, config, folder, seed, PARTS[args.part]["steps"], RATES)


def labels_of(args: argparse.Namespace) -> list[str]:
    """What there is in the complete documents."""
    import spacy
    from spacy.tokens import DocBin

    from spacy_docre.annotations import get_triples

    docs = DocBin().from_disk(args.work.resolve() / "corpus" / "train.spacy").get_docs(spacy.blank("en").vocab)
    return sorted({label for doc in docs for _, label, _ in get_triples(doc)})


def finetune(
    args: argparse.Namespace, student: Path, folder: Path, seed: int, steps: int, rates: tuple[float, float]
) -> int:
    """The pipeline STUDENT goes on with the complete documents, to FOLDER."""
    config = Config().from_disk(ROOT / "configs" / "docre_finetune.cfg", interpolate=False)
    config["paths"]["train"] = str(args.work.resolve() / "corpus" / "train.spacy")
    config["paths"]["student"] = str(student)
    return train(args, config, folder, seed, steps, rates)


def train(
    args: argparse.Namespace, config: Config, folder: Path, seed: int, steps: int, rates: tuple[float, float]
) -> int:
    """-> seconds. The model is in FOLDER/model-last."""
    corpus = args.work.resolve() / "corpus"
    config["paths"].update(dev=str(corpus / "dev.spacy"), facts=str(corpus / "facts.json"))
    config["vars"]["encoder"] = find_encoder(args.encoder)
    config["system"]["seed"] = seed
    config["training"].update(max_steps=steps, eval_frequency=max(200, steps // 4))
    config["training"]["optimizer"].update(learn_rate=rates[0], head_learn_rate=rates[1])
    folder.mkdir(parents=True, exist_ok=True)
    config.to_disk(folder / "config.cfg")
    start = time.perf_counter()
    spacy("train", folder / "config.cfg", "-o", folder, "-g", args.gpu_id)
    shutil.rmtree(folder / "model-best")
    return round(time.perf_counter() - start)


if __name__ == "__main__":
    main()
