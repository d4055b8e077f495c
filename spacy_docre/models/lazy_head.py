"""A head that is built once the width of the tokens and the number of labels are known."""

from collections.abc import Callable, Sequence

from torch import Tensor, nn

from ..errors import Errors
from ..layers.docre_head import DocREHead, GridTensors


class LazyHead(nn.Module):
    """Holds the recipe of a DocREHead, then the head itself.

    build_head: called with token_width and n_labels. Parameters are named "docre_head.…": that is
    how the optimizer tells the head from the encoder.
    """

    def __init__(self, build_head: Callable[..., DocREHead]) -> None:
        super().__init__()
        self.build_head = build_head
        self.docre_head: DocREHead | None = None
        self.sizes: dict[str, int] | None = None

    def build(self, *, token_width: int, n_labels: int, new_weights: bool = False) -> None:
        """Build the head, unless it has these sizes already and no new weights are wanted."""
        sizes = {"token_width": token_width, "n_labels": n_labels}
        if new_weights or sizes != self.sizes:
            self.docre_head = self.build_head(**sizes)
            self.sizes = sizes

    def forward(self, tokens: Tensor, grids: Sequence[GridTensors], n_pairs: int, dropout: float) -> Tensor:
        if self.docre_head is None:
            raise ValueError(Errors.E043.format(missing="the number of labels and the width of the tokens"))
        self.docre_head.set_dropout(dropout)
        return self.docre_head(tokens, grids, n_pairs)
