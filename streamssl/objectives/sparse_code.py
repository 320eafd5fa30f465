"""Sparse coding (Olshausen & Field 1996, https://doi.org/10.1038/381607a0).

The code is inferred by one layer, as in a sparse autoencoder, not by a search of its own.

B = samples, D = embedding, K = atoms.
"""

from __future__ import annotations

import torch
from torch import nn

from streamssl.objectives.base import Headed, HeadSizes, Sample, Term, smooth_l1
from streamssl.objectives.heads import mlp
from streamssl.objectives.network import Network


class SparseCode(Headed):
    """Few of many atoms make up each embedding, and the input can be decoded from them.

    Args:
        weight: Factor of this term in the sum.
        every: Steps from one turn to the next.
        atoms: K, entries of the dictionary.
        sparsity: λ.
        sizes: Of what the network gives.
        generator: Draws code and dictionary.
    """

    needs = frozenset({"stem", "embed", "decode"})

    def __init__(
        self,
        *,
        weight: float,
        every: int,
        atoms: int,
        sparsity: float,
        sizes: HeadSizes,
        generator: torch.Generator,
    ) -> None:
        super().__init__(weight=weight, every=every)
        self.sparsity = sparsity
        self.code = mlp((sizes.embedding, atoms), generator)
        atoms_KD = torch.randn((atoms, sizes.embedding), generator=generator)
        self.atoms_KD = nn.Parameter(atoms_KD)

    def loss(
        self, student: Network, teacher: Network, sample: Sample, generator: torch.Generator
    ) -> Term:
        """Smooth-L1(decode(a U), s) + λ mean ||a||₁, a = relu(W h + b), rows of U of length 1.

        Atoms of a fixed length keep the code from becoming small by larger atoms.
        """
        del teacher, generator
        stem = student.stem(sample.inputs)
        code_BK = nn.functional.relu(self.code(student.embed(stem)))
        rebuilt = student.decode(code_BK @ nn.functional.normalize(self.atoms_KD, dim=1))
        length = code_BK.sum() / max(len(code_BK), 1)
        return Term(smooth_l1(rebuilt, stem) + self.sparsity * length)
