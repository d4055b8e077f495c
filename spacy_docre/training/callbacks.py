"""Callbacks `spacy-docre.count_steps.v1` and `spacy-docre.copy_weights.v1`."""

from collections.abc import Callable
from typing import Any

from spacy.language import Language
from thinc.api import Model

from ..errors import Errors
from ..loading import load_pipeline


def create_count_steps_v1() -> Callable[[Language, dict[str, Any]], None]:
    """Tell every loss the step of training, for [training.before_update]: losses of `Sum` may start or end at one."""

    def count_steps(nlp: Language, info: dict[str, Any]) -> None:
        for _, pipe in nlp.pipeline:
            set_step = getattr(getattr(pipe, "loss", None), "set_step", None)
            if set_step is not None:
                set_step(info["step"])

    return count_steps


def create_copy_weights_v1(
    source: str | None = None, components: list[str] = ["transformer", "docre_relations"]
) -> Callable[[Language], Language]:
    """Start from the weights of a trained pipeline, for [initialize.after_init]. Without a source nothing is done.

    Unlike `source = …` in a component, which keeps the source's loss, targets and objective, all settings are those of
    the new config. The labels are those of the source, in its order.

    Raises ValueError if a component is missing there, if it lacks labels of the training data (with the labels), or if
    its weights do not fit.
    """

    def copy_weights(nlp: Language) -> Language:
        if source is None:
            return nlp
        other = load_pipeline(source)
        for name in components:
            if name not in other.pipe_names:
                raise ValueError(
                    Errors.E122.format(source=source, component=name, pipeline=", ".join(other.pipe_names))
                )
            pipe: Any = nlp.get_pipe(name)
            trained: Any = other.get_pipe(name)
            is_ours, has_moves = hasattr(pipe, "take_labels"), hasattr(pipe, "moves")
            sizes, settings = _sizes(pipe.model), [dict(layer.attrs) for layer in pipe.model.walk()]
            if is_ours or has_moves:
                missing = [label for label in pipe.labels if label not in trained.labels]
                if missing:
                    raise ValueError(Errors.E120.format(source=source, missing=", ".join(missing)))
            if is_ours:
                pipe.take_labels(trained.labels)
            try:
                if has_moves:
                    _copy_parser(trained, pipe)
                    continue
                pipe.model.from_bytes(trained.model.to_bytes())
            except Exception as err:  # thinc, torch and safetensors each have their own
                reason = str(err).splitlines()[0] if str(err) else type(err).__name__
                raise ValueError(Errors.E121.format(source=source, component=name, reason=reason)) from err
            if is_ours:  # from_bytes brings the source's settings too
                pipe.cfg["knows_evidence"] = trained.cfg.get("knows_evidence", False)
                for layer, attrs in zip(pipe.model.walk(), settings):
                    layer.attrs.update(attrs)
            now = _sizes(pipe.model)
            if now != sizes:
                reason = f"{sum(now):,} weights there, {sum(sizes):,} here"
                raise ValueError(Errors.E121.format(source=source, component=name, reason=reason))
        return nlp

    return copy_weights


def _copy_parser(trained: Any, pipe: Any) -> None:
    """Copy a ner or parser, whose labels and their order belong to its weights."""
    for label in trained.labels:
        pipe.add_label(label)  # makes room for its weights
    pipe.from_bytes(trained.to_bytes(exclude=["vocab"]), exclude=["vocab"])
    pipe.model.attrs["unseen_classes"] = set(trained.model.attrs["unseen_classes"])


def _sizes(model: Model) -> list[int]:
    """Sizes of all torch weights, but for a head, which takes its size from the labels and says itself what differs."""
    own = model.get_ref("head").shims if model.has_ref("head") else []
    shims = [shim for layer in model.walk() for shim in layer.shims if shim not in own]
    return [weight.numel() for shim in shims if shim._model is not None for weight in shim._model.parameters()]
