"""What contrastive objectives have in common: InfoNCE, within a batch or against a queue.

B = samples, P = projection, Q = others to be told from.
"""

from __future__ import annotations

import torch
from torch import Tensor


def info_nce(
    query_BP: Tensor, key_BP: Tensor, queue_QP: Tensor, allowed_BQ: Tensor, *, temperature: float
) -> Tensor:
    """InfoNCE: -log exp(q·k/τ) / (exp(q·k/τ) + Σ exp(q·n/τ)), n over the allowed negatives."""
    positive_B1 = (query_BP * key_BP).sum(1, keepdim=True) / temperature
    negative_BQ = query_BP @ queue_QP.T / temperature
    negative_BQ = negative_BQ.masked_fill(~allowed_BQ, -torch.inf)
    logits_BN = torch.cat([positive_B1, negative_BQ], 1)
    total = (logits_BN.logsumexp(1) - positive_B1[:, 0]).sum()
    return total / max(len(query_BP), 1)


def nt_xent(
    first_BP: Tensor,
    second_BP: Tensor,
    partner_B: Tensor,
    allowed_BB: Tensor,
    *,
    temperature: float,
) -> Tensor:
    """NT-Xent (Chen et al. 2020): InfoNCE from either view to the partner's other view.

    Args:
        first_BP: Unit vectors of a view of each sample.
        second_BP: Of another view.
        partner_B: The sample that each one's positive is a view of, perhaps itself.
        allowed_BB: Whose views, both of them, are a sample's negatives.
        temperature: τ.
    """
    others_QP, allowed_BQ = torch.cat([first_BP, second_BP]), allowed_BB.repeat(1, 2)
    losses = [
        info_nce(query_BP, key_BP[partner_B], others_QP, allowed_BQ, temperature=temperature)
        for query_BP, key_BP in ((first_BP, second_BP), (second_BP, first_BP))
    ]
    return torch.stack(losses).mean()
