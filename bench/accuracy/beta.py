"""The Beta distribution: fitting it to weighted shares, and its quantiles. Standard library only."""

from __future__ import annotations

from collections.abc import Iterable
from math import exp, lgamma, log, log1p
from typing import NamedTuple

STEPS_MAX = 100  # of Newton
DEPTH = 50  # of the continued fraction, which is enough for a + b up to some hundreds
EXACT = 1e-12


class Beta(NamedTuple):
    """A distribution of a share between 0 and 1."""

    a: float
    b: float

    def below(self, share: float) -> float:
        """The probability of a share below this one."""
        a, b = self
        if share > (a + 1) / (a + b + 2):  # where the continued fraction of the other tail is the fast one
            return 1 - Beta(b, a).below(1 - share)
        front = exp(lgamma(a + b) - lgamma(a) - lgamma(b) + a * log(share) + b * log1p(-share)) / a
        return front / _continued_fraction(a, b, share)

    def quantile(self, probability: float) -> float:
        """The share below which this much of the probability lies."""
        low, high = 0.0, 1.0
        while high - low > EXACT:
            middle = (low + high) / 2
            low, high = (middle, high) if self.below(middle) < probability else (low, middle)
        return (low + high) / 2


def _continued_fraction(a: float, b: float, x: float) -> float:
    """The continued fraction of the incomplete Beta function, from its far end."""
    value = 1.0
    for m in range(DEPTH, 0, -1):
        even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        value = 1 + even / (1 + odd / value)
    return 1 - (a + b) * x / (a + 1) / value


def fitted(weighted: Iterable[tuple[float, float]]) -> Beta:
    """The Beta of greatest likelihood for pairs of share and weight, by Newton's method from its moments."""
    pairs = [(share, weight) for share, weight in weighted if weight]
    total = sum(weight for _, weight in pairs)
    mean = sum(share * weight for share, weight in pairs) / total
    variance = sum((share - mean) ** 2 * weight for share, weight in pairs) / total
    mean_log = sum(log(share) * weight for share, weight in pairs) / total
    mean_log_rest = sum(log1p(-share) * weight for share, weight in pairs) / total
    size = mean * (1 - mean) / variance - 1
    a, b = mean * size, (1 - mean) * size
    for _ in range(STEPS_MAX):
        both, second = _digamma(a + b), _trigamma(a + b)
        slope_a, slope_b = both - _digamma(a) + mean_log, both - _digamma(b) + mean_log_rest
        curve_a, curve_b = second - _trigamma(a), second - _trigamma(b)
        determinant = curve_a * curve_b - second * second
        step_a = (slope_a * curve_b - slope_b * second) / determinant
        step_b = (slope_b * curve_a - slope_a * second) / determinant
        a, b = max(a - step_a, a / 4), max(b - step_b, b / 4)
        if abs(step_a) < EXACT * a and abs(step_b) < EXACT * b:
            break
    return Beta(a, b)


def _digamma(x: float) -> float:
    """The slope of lgamma."""
    shift = 0.0
    while x < 10:
        shift, x = shift - 1 / x, x + 1
    square = 1 / (x * x)
    return shift + log(x) - 0.5 / x - square * (1 / 12 - square * (1 / 120 - square * (1 / 252 - square / 240)))


def _trigamma(x: float) -> float:
    """The slope of digamma."""
    shift = 0.0
    while x < 10:
        shift, x = shift + 1 / (x * x), x + 1
    square = 1 / (x * x)
    return shift + 1 / x + square / 2 + square / x * (1 / 6 - square * (1 / 30 - square * (1 / 42 - square / 30)))
