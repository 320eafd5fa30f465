"""The explanation of an anomaly, as JSON and Arrow have it.

N = numbers.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from streamssl.data.events import FloatArray
from streamssl.data.results import Explanation, Results

# Fewer do not tell a float32 from a number that happens to be one, such as 1234567.125.
_DIGITS_SAVED = 4

Named = dict[str, float | str | None]


def explanation_fields(
    results: Results, at: int
) -> tuple[dict[str, float], Named, Named, Named, Named, list[str]]:
    """Attribution, expected (with its range), actual and neighbours of one event, for JSON."""
    why = results.explanation
    return (
        _shares(results, at),
        {**_numbers(why, why.expected.numbers_AN, at), **why.expected.texts[at]},
        dict(_numbers(why, why.expected_low_AN, at)),
        dict(_numbers(why, why.expected_high_AN, at)),
        {**_actual(why, at), **why.actual.texts[at]},
        why.neighbours[at],
    )


def explanation_cells(results: Results, at: int) -> dict[str, Any]:
    """The same as cells of Arrow columns: maps are pairs, and numbers and texts are apart."""
    why = results.explanation
    return {
        "attribution": list(_shares(results, at).items()),
        "expected": list(_numbers(why, why.expected.numbers_AN, at).items()),
        "expected_low": list(_numbers(why, why.expected_low_AN, at).items()),
        "expected_high": list(_numbers(why, why.expected_high_AN, at).items()),
        "actual": list(_actual(why, at).items()),
        "expected_text": list(why.expected.texts[at].items()),
        "actual_text": list(why.actual.texts[at].items()),
        "neighbours": why.neighbours[at],
    }


def _shares(results: Results, at: int) -> dict[str, float]:
    shares = results.explanation.attribution_AP[at].tolist()
    return dict(zip(results.parts, shares, strict=True))


def _numbers(why: Explanation, numbers_AN: FloatArray, at: int) -> dict[str, float]:
    return dict(zip(why.expected.fields, numbers_AN[at].tolist(), strict=True))


def _actual(why: Explanation, at: int) -> dict[str, float]:
    return dict(zip(why.actual.fields, _as_they_came(why.actual.numbers_AN[at]), strict=True))


def _as_they_came(numbers_N: FloatArray) -> list[float]:
    """As they came; of numbers that were float32 the shortest: 0.1, not 0.10000000149011612."""
    return list(map(_shortest, numbers_N.tolist(), numbers_N.astype(np.float32)))


def _shortest(number: float, narrow: np.float32) -> float:
    saved = len(str(number)) - len(str(narrow))
    return float(str(narrow)) if float(narrow) == number and saved > _DIGITS_SAVED else number
