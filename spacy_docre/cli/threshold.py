"""`python -m spacy docre threshold`: when to believe a pipeline."""

import math
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import srsly
import typer
from wasabi import msg

from ..errors import Errors
from .app import CODE, app

if TYPE_CHECKING:
    from ..inference.thresholds import Thresholds

SHRINKAGE = 32.0


@app.command("threshold")
def threshold_cli(
    model: str = typer.Argument(..., help="Pipeline: name or folder"),
    data: Path = typer.Argument(
        ..., help="Completely labelled documents that it was not trained on: .spacy file or folder", exists=True
    ),
    output: Path = typer.Argument(
        ..., help="Folder for the pipeline with these thresholds and scores", file_okay=False
    ),
    precision: float | None = typer.Option(
        None, "--precision", min=0.0, max=1.0, help="The lowest threshold with this precision; not: best F1"
    ),
    per_label: bool = typer.Option(False, "--per-label/--one-for-all", help="A threshold for each label, or one"),
    shrinkage: float = typer.Option(
        SHRINKAGE,
        "--shrinkage",
        min=0.1,
        help="How strongly a label's threshold is drawn to the common one, in relations",
    ),
    plots: Path | None = typer.Option(
        None, "--plots", help="Folder for a precision/recall curve, a reliability diagram and thresholds.json"
    ),
    overwrite: bool = typer.Option(False, "--overwrite", "-f", help="Replace a pipeline that is there"),
    code_path: Path | None = CODE,
    use_gpu: int = typer.Option(-1, "--gpu-id", "-g", help="GPU ID or -1 for CPU"),
) -> None:
    """Choose thresholds for the best F1, or for a wanted precision, and make scores the share that is right.

    The scores after that are also checked on documents that were left out while choosing (five folds).
    """
    from spacy.cli._util import import_code, setup_gpu

    import_code(code_path)
    try:
        setup_gpu(use_gpu)
        if shrinkage != SHRINKAGE and not per_label:
            raise ValueError(Errors.E152.format(option="--shrinkage", other="one threshold for all (--per-label)"))
        found = run(
            model,
            data,
            output,
            plots=plots,
            overwrite=overwrite,
            precision=precision,
            per_label=per_label,
            shrinkage=shrinkage,
        )
    except (ValueError, OSError, ImportError) as err:
        msg.fail("Nothing was written", str(err))
        sys.exit(1)
    print_thresholds(found)
    if plots is not None:
        msg.good(f"Plots and thresholds: {plots}")
    msg.good(f"Pipeline with these thresholds and scores: {output}")


def run(model: str, data: Path, output: Path, *, plots: Path | None, overwrite: bool, **settings: Any) -> "Thresholds":
    """Choose, and write the pipeline whole or not at all. Raises ValueError, OSError, and ImportError for plots."""
    from tqdm import tqdm

    from ..inference.annotate import count_docs, read_examples
    from ..inference.teacher import Teacher
    from ..inference.thresholds import choose_thresholds
    from ..readers.shards import read_shards, whole_or_nothing
    from ..scoring.known_labels import require_labels_to_score

    own = check_output(output, overwrite=overwrite)
    if plots is not None:
        from ..visualise.calibration import require_matplotlib

        require_matplotlib()
        if output.resolve() in (plots.resolve(), *plots.resolve().parents):
            raise ValueError(Errors.E136.format(plots=plots, output=output))
    teacher = Teacher(model)
    require_labels_to_score(teacher.labels, read_shards(data, teacher.nlp.vocab), data)
    with tqdm(total=count_docs([data]), unit=" docs", disable=None, leave=False) as bar:
        found = choose_thresholds(teacher, read_examples(teacher.nlp, [data]), on_progress=bar.update, **settings)
    if plots is not None:
        draw(found, plots)
    found.store(teacher)
    with whole_or_nothing(output, overwrite=True, replaces=own) as tmp:
        teacher.nlp.to_disk(tmp)
    return found


def draw(found: "Thresholds", folder: Path) -> None:
    """Write precision_recall.png, reliability.png and thresholds.json. Raises ImportError without matplotlib."""
    from ..visualise.calibration import draw_curve, draw_reliability

    folder.mkdir(parents=True, exist_ok=True)
    points = {"before": found.before, "now": found.after}
    draw_curve(
        found.curve,
        {name: (s.precision, s.recall, s.f1) for name, s in points.items()},
        folder / "precision_recall.png",
    )
    errors = {"before": found.error_before, "now": found.error_after}
    draw_reliability(found.reliability, errors, folder / "reliability.png")
    srsly.write_json(folder / "thresholds.json", summary(found))


def check_output(output: Path, *, overwrite: bool) -> list[str]:
    """The names of files that may be replaced. Raises ValueError for anything that is there and is no pipeline, and
    FileExistsError for other files beside one."""
    from ..readers.shards import check_target

    own: list[str] = []
    if output.exists() and any(output.iterdir()):
        if not overwrite:
            raise ValueError(Errors.E134.format(path=output))
        if not (output / "meta.json").exists() or not (output / "config.cfg").exists():
            raise ValueError(Errors.E135.format(path=output))
        names = ["meta", "config", *srsly.read_json(output / "meta.json").get("components", ())]
        own = ["tokenizer", "vocab", *names, *(f"{name}.*" for name in names)]
        check_target(output, overwrite=True, replaces=own)
    return own


def summary(found: "Thresholds") -> dict[str, Any]:
    """All figures but the curve, as plain data."""
    scores = {name: asdict(getattr(found, name)) for name in ("before", "after", "checked")}
    if math.isnan(found.error_after):  # JSON has no nan
        scores["checked"] = dict.fromkeys(scores["checked"])
    return {
        **scores,
        "calibration_error": {
            "before": found.error_before,
            "checked": None if math.isnan(found.error_after) else found.error_after,
        },
        "probability": found.cut,
        "scale": found.scale,
        "labels": {
            label: {"threshold": float(margin), "offset": float(offset)}
            for label, margin, offset in zip(found.labels, found.margins, found.offsets)
        },
    }


def print_thresholds(found: "Thresholds") -> None:
    rows = [
        (name, *("-" if math.isnan(x) else f"{100 * x:.2f}" for x in (s.precision, s.recall, s.f1)), error)
        for name, s, error in (
            ("before", found.before, f"{found.error_before:.3f}"),
            ("with these thresholds", found.after, ""),
            (
                "on documents left out",
                found.checked,
                "-" if math.isnan(found.error_after) else f"{found.error_after:.3f}",
            ),
        )
    ]
    msg.table(rows, header=("", "P", "R", "F1", "Score is off by"), aligns=("l", *"rrrr"), divider=True)
    lowest, highest = found.margins.min(), found.margins.max()
    margins = f"margins {lowest:+.2f} to {highest:+.2f}" if highest > lowest else f"margin {lowest:+.2f}"
    msg.info(f"A relation is predicted where its probability is above {found.cut:.2f} ({margins})")
