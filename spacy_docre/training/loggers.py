"""Logger `spacy-docre.ConsoleLogger.v1`: what a person wants to see of a long run."""

import math
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

import srsly
from spacy.language import Language
from tqdm import tqdm
from wasabi import Printer

from ..components import made_by
from ..errors import Warnings, warn_once

COLUMNS = ("epoch", "step", "loss", "words/s", "left")  # and the scores in between
WIDTHS = (5, 7, 8, 8, 8)
ENCODERS = ("transformer", "curated_transformer", "tok2vec")
SCORES = {"F1": "rel_micro_f", "Ign F1": "rel_ign_f", "P": "rel_micro_p", "R": "rel_micro_r"}


def create_console_logger_v1(progress_bar: bool = True, output_file: str | None = None) -> Callable:
    """Print loss, F1, Ign F1, precision, recall, words per second and time left at each evaluation.

    The loss is that of relations; where there is a ner, its F1 is shown too.

    progress_bar: show a bar between evaluations, on terminals only.
    output_file: also write one JSON object per evaluation to this file.
    """

    def setup_printer(nlp: Language, stdout: IO = sys.stdout, stderr: IO = sys.stderr):
        return ConsoleLogger(nlp, stdout, stderr, progress_bar, output_file).functions()

    return setup_printer


class ConsoleLogger:
    def __init__(self, nlp: Language, stdout: IO, stderr: IO, progress_bar: bool, output_file: str | None) -> None:
        self.stdout, self.stderr = stdout, stderr
        self.progress_bar = progress_bar
        self.max_steps = nlp.config["training"]["max_steps"]
        self.eval_frequency = nlp.config["training"]["eval_frequency"]
        encoders = made_by(nlp, *ENCODERS)  # what they report is the size of their gradient
        self.with_loss = made_by(nlp, "docre_relations") or [x for x in nlp.pipe_names if x not in encoders]
        self.scores = {**SCORES, **({"NER": "ents_f"} if made_by(nlp, "ner") else {})}
        self.printer = Printer(no_print=True)
        self.bar: tqdm | None = None
        self.file: IO | None = None
        if output_file is not None:
            Path(output_file).parent.mkdir(parents=True, exist_ok=True)
            self.file = Path(output_file).open("w", encoding="utf8")  # noqa: SIM115 - closed by finalize
        self.start = self.last_time = time.perf_counter()
        self.last_words = self.last_step = self.best_step = 0
        self.best_score = -math.inf
        self.columns = [*COLUMNS[:3], *self.scores, *COLUMNS[3:]]
        self.widths = [*WIDTHS[:3], *(6 for _ in self.scores), *WIDTHS[3:]]
        self._row(self.columns)
        self._row(["-" * width for width in self.widths])
        self._start_bar()

    def functions(self) -> tuple[Callable[[dict[str, Any] | None], None], Callable[[], None]]:
        return self.log_step, self.finalize

    def log_step(self, info: dict[str, Any] | None) -> None:
        """Called after every step; `info` is None unless there was an evaluation."""
        if info is None:
            if self.bar is not None:
                self.bar.update(1)
            return
        row = self._summary(info)
        if row["score"] >= self.best_score:  # spaCy takes the last of equal ones
            self.best_score, self.best_step = row["score"], row["step"]
        self._close_bar()
        scores = [percent(row[key]) for key in self.scores]
        left = clock(row["seconds_left"]) if row["seconds_left"] is not None else "-"
        speed = f"{row['words_per_second']:,.0f}"
        self._row([str(row["epoch"]), str(row["step"]), f"{row['loss']:.3f}", *scores, speed, left])
        if self.file is not None:
            self.file.write(srsly.json_dumps({**row, **numbers(row)}) + "\n")
            self.file.flush()
        self._start_bar()

    def finalize(self) -> None:
        self._close_bar()
        if self.best_step == 0 and self.last_step:
            warn_once(Warnings.W027, stacklevel=2)
        if self.file is not None:
            self.file.close()

    def _summary(self, info: dict[str, Any]) -> dict[str, Any]:
        now = time.perf_counter()
        steps = info["step"] - self.last_step
        words = info["words"] - self.last_words
        seconds = now - self.last_time
        remaining = self.max_steps - info["step"] if self.max_steps else None
        self.last_time, self.last_words, self.last_step = now, info["words"], info["step"]
        loss = sum(float(v) for name, v in info["losses"].items() if name in self.with_loss)
        if failed := [name for name, v in info["losses"].items() if not math.isfinite(v)]:
            warn_once(Warnings.W021.format(names=", ".join(failed), step=info["step"]), stacklevel=2)
        return {
            "epoch": info["epoch"],
            "step": info["step"],
            "loss": loss / max(1, steps),
            "losses": {name: float(v) / max(1, steps) for name, v in info["losses"].items()},
            **{name: info["other_scores"].get(key) for name, key in self.scores.items()},
            "score": float(info["score"]),
            "seconds": now - self.start,
            "words_per_second": words / seconds if seconds else 0.0,
            "seconds_left": seconds / steps * remaining if remaining is not None and steps else None,
        }

    def _row(self, cells) -> None:
        aligns = ["r"] * len(self.widths)
        self.stdout.write(self.printer.row(cells, widths=self.widths, aligns=aligns) + "\n")
        self.stdout.flush()

    def _start_bar(self) -> None:
        if self.progress_bar:
            # disable=None: no bar where the output is not a terminal
            self.bar = tqdm(total=self.eval_frequency, disable=None, leave=False, file=self.stderr, unit="step")

    def _close_bar(self) -> None:
        if self.bar is not None:
            self.bar.close()
            self.bar = None


def numbers(row: dict[str, Any]) -> dict[str, Any]:
    """What is not finite as None, for JSON, which has no such numbers."""
    losses = {name: v if math.isfinite(v) else None for name, v in row["losses"].items()}
    return {"loss": row["loss"] if math.isfinite(row["loss"]) else None, "losses": losses}


def percent(score: float | None) -> str:
    return "-" if score is None else f"{100 * score:.2f}"


def clock(seconds: float) -> str:
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}"
