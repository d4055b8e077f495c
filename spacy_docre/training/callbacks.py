"""Callback `spacy-docre.count_steps.v1`."""

from collections.abc import Callable
from typing import Any

from spacy.language import Language


def create_count_steps_v1() -> Callable[[Language, dict[str, Any]], None]:
    """Tell every loss the step of training, for [training.before_update]: losses of `Sum` may start or end at one."""

    def count_steps(nlp: Language, info: dict[str, Any]) -> None:
        for _, pipe in nlp.pipeline:
            set_step = getattr(getattr(pipe, "loss", None), "set_step", None)
            if set_step is not None:
                set_step(info["step"])

    return count_steps
