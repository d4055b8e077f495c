"""`python -m spacy docre annotate`: a teacher writes soft labels for a corpus."""

import sys
from pathlib import Path
from typing import Any

import typer
from wasabi import msg

from ..annotations import UNCALIBRATED
from .app import CODE, app


@app.command("annotate")
def annotate_cli(
    model: str = typer.Argument(..., help="Teacher: name or folder of a trained pipeline"),
    inputs: list[Path] = typer.Argument(..., help="Documents: .spacy files or folders, and last the folder to write"),
    also: list[str] = typer.Option([], "--also", help="Another teacher, with the same labels; may be repeated"),
    docs_per_shard: int = typer.Option(200, "--docs-per-shard", min=1, help="Documents in one output file"),
    limit: int = typer.Option(0, "--limit", "-n", min=0, help="Only so many documents; 0 takes all"),
    calibrate_on: Path | None = typer.Option(
        None,
        "--calibrate",
        exists=True,
        help="Completely labelled documents, not those the teacher has learned from: its probabilities are made right",
    ),
    overwrite: bool = typer.Option(
        False, "--overwrite", "-f", help="Start anew if OUT_DIR was begun with other teachers, documents or settings"
    ),
    code_path: Path | None = CODE,
    use_gpu: int = typer.Option(-1, "--gpu-id", "-g", help="GPU ID or -1 for CPU"),
) -> None:
    """Write a corpus with a teacher's logits for every pair of entities beside each document: MODEL IN… OUT_DIR.

    For training a student (spacy-docre.MixedTargets.v1 and the objectives of distillation). Killed and started again
    it goes on where it stopped. To add the logits of a second teacher, annotate the output once more, or use --also.
    """
    from spacy.cli._util import import_code, setup_gpu

    import_code(code_path)
    *sources, output = inputs
    missing = [str(path) for path in sources if not path.exists()]
    if not sources or missing:
        problem = f"No such file or folder: {', '.join(missing)}" if missing else "Name documents and a folder to write"
        msg.fail(problem, "Usage: python -m spacy docre annotate MODEL IN… OUT_DIR")
        sys.exit(1)
    try:
        setup_gpu(use_gpu)
        run(
            [model, *also],
            sources,
            output,
            docs_per_shard=docs_per_shard,
            limit=limit,
            calibrate_on=calibrate_on,
            code=code_path,
            overwrite=overwrite,
        )
    except (ValueError, OSError) as err:
        msg.fail("No soft labels", str(err))
        sys.exit(1)


def run(models: list[str], inputs: list[Path], output: Path, *, limit: int, **settings: Any) -> None:
    """Load the teachers and annotate, with a progress bar. Raises ValueError and OSError."""
    from tqdm import tqdm

    from ..inference.annotate import annotate, count_docs
    from ..inference.teacher import load_teachers

    n_docs = min(count_docs(inputs), limit or sys.maxsize)
    teachers = load_teachers(models)
    with tqdm(total=n_docs, unit=" docs", disable=None) as bar:
        manifest = annotate(teachers, inputs, output, limit=limit, on_progress=bar.update, **settings)
    for name, (scale, offset) in manifest.calibration.items():
        if (scale, offset) != UNCALIBRATED:
            msg.info(f"{name}: probability σ({scale:.2f} · margin {offset:+.2f})")
    names = ", ".join(dict.fromkeys([*manifest.calibration, *(t.name for t in teachers)]))
    n_pairs = sum(shard["n_pairs"] for shard in manifest.shards)
    where = f"in {len(manifest.shards)} files: {output}"
    msg.good(f"{manifest.n_docs} documents with the logits of {names}, {n_pairs:,} pairs of entities, {where}")
