"""Layers that the networks of all modalities are made of.

B = samples, F = inputs, G = outputs.
"""

from __future__ import annotations

from torch import Tensor, nn

# docs/research-log.md, "Constants of the arithmetic"
NARROW = 16  # outputs from which a BLAS adds up every row in the same order
ALIGNED = 16  # floats


class Linear(nn.Linear):
    """A linear layer that gives a row the same bits wherever it stands among the others.

    With few outputs, a BLAS adds up the rows at a tile's end in another order where their length is
    no multiple of its registers (MKL: `[128, 10] @ [10, 8]`). Such rows are padded with zeros.
    """

    def forward(self, x_BF: Tensor) -> Tensor:
        """`[B, G]` x W' + b."""
        missing = -self.in_features % ALIGNED
        if self.out_features >= NARROW or not missing:
            return super().forward(x_BF)
        padded_BF, weight_GF = (nn.functional.pad(x, (0, missing)) for x in (x_BF, self.weight))
        return nn.functional.linear(padded_BF, weight_GF, self.bias)
