"""Promises of the signs of collapse."""

from __future__ import annotations

import math

import pytest
import torch

from streamssl.learner.health import effective_rank, min_standard_deviation


def test_rank_counts_directions() -> None:
    """Independent dimensions count nearly fully, copies of one count once, a point once or less."""
    generator = torch.Generator().manual_seed(0)
    full_BD = torch.randn(500, 6, generator=generator)
    assert effective_rank(full_BD) == pytest.approx(6.0, abs=0.1)
    assert effective_rank(full_BD[:, :1].expand(500, 6)) == pytest.approx(1.0, abs=1e-3)
    assert effective_rank(torch.ones(500, 6)) == pytest.approx(1.0, abs=1e-3)


def test_a_dead_dimension_shows() -> None:
    """One constant dimension makes the smallest deviation 0."""
    embedding_BD = torch.randn(50, 4, generator=torch.Generator().manual_seed(0))
    assert min_standard_deviation(embedding_BD) > 0.5
    embedding_BD[:, 2] = 1.0
    assert min_standard_deviation(embedding_BD) == 0.0


def test_one_sample_is_no_error() -> None:
    """A batch of one has no spread."""
    assert effective_rank(torch.ones(1, 4)) == pytest.approx(1.0)
    assert min_standard_deviation(torch.ones(1, 4)) == 0.0


def test_embeddings_that_are_not_finite_give_no_number() -> None:
    """A poisoned batch is seen as such, and is no error."""
    embedding_BD = torch.ones(5, 4)
    embedding_BD[1, 1] = float("inf")
    assert math.isnan(effective_rank(embedding_BD))
    assert math.isnan(min_standard_deviation(embedding_BD))
