"""The first layers of an encoder that do not learn: computed once for each window, and kept on disk."""

import hashlib
import tempfile
import weakref
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import IO, Any

import numpy as np
import torch
from torch import Tensor, nn

from ..errors import Errors
from ..layers.cast_weights import State, state_of

MAX_FLOAT16 = 65504.0


class FrozenLayers:
    """Runs an encoder in training, with its first layers (and what is before them) as they are: without dropout and
    without a gradient.

    n_layers: how many; cache_mb: of their outputs on disk, in float16. What no longer fits in is computed again.
    """

    def __init__(self, n_layers: int, cache_mb: int) -> None:
        self.n_layers = n_layers
        self.cache_mb = cache_mb
        self.cache = WindowCache(cache_mb << 20)
        self.seen: State = ()
        self.n_beside: int | None = None  # what a layer gives beside the hidden states; None for no tuple

    def __call__(self, encoder: nn.Module, forward: Callable[..., Any], inputs: dict[str, Tensor]) -> Tensor:
        """The last hidden state (n_windows, n_pieces, width), with a graph of the other layers.

        forward: the encoder's; inputs (n_windows, n_pieces) each.
        """
        layers = find_layers(encoder)
        if self.n_layers > len(layers):
            raise ValueError(Errors.E049.format(found=self.n_layers, n_layers=len(layers)))
        self._forget_if_changed(layers)
        hidden = self.first_layers(encoder, layers, forward, inputs)
        # With all layers frozen there has to be something that takes the gradient.
        hidden.requires_grad_(self.n_layers == len(layers))
        output = hidden if self.n_beside is None else (hidden, *[None] * self.n_beside)
        with replaced(layers[: self.n_layers], output):
            return forward(**inputs).last_hidden_state

    def first_layers(
        self, encoder: nn.Module, layers: Sequence[nn.Module], forward: Callable[..., Any], inputs: dict[str, Tensor]
    ) -> Tensor:
        """What the frozen layers give (n_windows, n_pieces, width), read where it is known."""
        used = inputs["attention_mask"].bool()
        names = [name for name in ("input_ids", "token_type_ids") if name in inputs]
        pieces = torch.stack([inputs[name] for name in names], -1).cpu()  # (n_windows, n_pieces, 1 or 2)
        keys = [key_of(row[mask]) for row, mask in zip(pieces, used.cpu())]
        known = [self.cache.read(key) for key in keys]
        missing = [i for i, array in enumerate(known) if array is None]
        device = inputs["input_ids"].device
        if missing:
            some = {name: x[missing] for name, x in inputs.items()}
            output = run_until(encoder, layers[self.n_layers - 1], forward, some)
            self.n_beside = len(output) - 1 if isinstance(output, tuple) else None
            for i, rows in zip(missing, output[0] if isinstance(output, tuple) else output):
                known[i] = array = rows[used[i]].float().cpu().numpy()
                self.cache.write(keys[i], array)
        arrays = [torch.from_numpy(np.array(x, dtype=np.float32)) for x in known]  # (its pieces, width) each
        hidden = torch.zeros((*used.shape, arrays[0].shape[-1]), device=device)
        hidden[used] = torch.cat(arrays).to(device)
        return hidden

    def _forget_if_changed(self, layers: Sequence[nn.Module]) -> None:
        """Other weights, other outputs."""
        seen = state_of(p for layer in layers[: self.n_layers] for p in layer.parameters())
        if seen != self.seen:
            self.cache = WindowCache(self.cache_mb << 20)
            self.seen = seen


class WindowCache:
    """Arrays by key, in one file of float16 that goes when the process ends.

    n_bytes: what is written at most.
    """

    def __init__(self, n_bytes: int) -> None:
        self.n_bytes = n_bytes
        self.used = 0
        self.places: dict[bytes, tuple[int, tuple[int, ...]]] = {}
        self.file: IO[bytes] | None = None

    def __reduce__(self) -> tuple[Any, ...]:
        """A copy, in this process or another, begins with nothing."""
        return WindowCache, (self.n_bytes,)

    def read(self, key: bytes) -> np.ndarray | None:
        if key not in self.places or self.file is None:
            return None
        start, shape = self.places[key]
        self.file.seek(start)
        return np.frombuffer(self.file.read(2 * int(np.prod(shape))), dtype=np.float16).reshape(shape)

    def write(self, key: bytes, array: np.ndarray) -> None:
        """Nothing happens if there is no room for it."""
        data = array.clip(-MAX_FLOAT16, MAX_FLOAT16).astype(np.float16)
        if key in self.places or self.used + data.nbytes > self.n_bytes:
            return
        if self.file is None:
            self.file = tempfile.TemporaryFile(prefix="spacy-docre-")  # noqa: SIM115
            weakref.finalize(self, self.file.close)
        self.file.seek(self.used)
        self.file.write(data.tobytes())
        self.places[key] = (self.used, data.shape)
        self.used += data.nbytes


class Reached(Exception):
    """Ends a forward pass at a layer."""

    def __init__(self, output: Any) -> None:
        self.output = output


def run_until(encoder: nn.Module, layer: nn.Module, forward: Callable[..., Any], inputs: dict[str, Tensor]) -> Any:
    """The output of a layer, without dropout and gradient: hidden states (n_windows, n_pieces, width), or a tuple of
    them and more. Later layers do not run."""

    def stop(module: nn.Module, args: Any, output: Any) -> None:
        raise Reached(output)

    handle = layer.register_forward_hook(stop)
    training = encoder.training
    encoder.eval()
    try:
        with torch.no_grad():
            forward(**inputs)
    except Reached as reached:
        return reached.output
    finally:
        encoder.train(training)
        handle.remove()
    raise AssertionError("the layer did not run")


@contextmanager
def replaced(layers: Sequence[nn.Module], output: Any) -> Iterator[None]:
    """Each of these layers gives `output`, whatever it gets."""
    earlier = [vars(layer).get("forward") for layer in layers]
    for layer in layers:
        layer.forward = lambda *args, **kwargs: output
    try:
        yield
    finally:
        for layer, forward in zip(layers, earlier):
            del layer.forward
            if forward is not None:
                layer.forward = forward


def find_layers(encoder: nn.Module) -> Sequence[nn.Module]:
    """The layers of a transformer, the first first. Raises ValueError if they can't be told from the other modules."""
    n_layers = getattr(encoder.config, "num_hidden_layers", None)
    found = [m for m in encoder.modules() if isinstance(m, nn.ModuleList) and len(m) == n_layers]
    if len(found) != 1 or len({type(layer) for layer in found[0]}) != 1:
        raise ValueError(Errors.E053.format(encoder=type(encoder).__name__))
    return list(found[0])


def key_of(pieces: Tensor) -> bytes:
    """pieces (n_pieces, …), of one window"""
    return hashlib.blake2b(pieces.numpy().tobytes(), digest_size=16).digest()
