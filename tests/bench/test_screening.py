"""The measures of the screening benchmark, and that ours is ahead of plain ones."""

from __future__ import annotations

import pytest
from rapidfuzz import fuzz
from rapidfuzz.distance import JaroWinkler
from rapidfuzz.utils import default_process

from bench import invented
from bench.screening import VERSION, Compared, Judged, average_precision, listed, precision_at
from monitor.screening.screen import Screen

PAIRS = list(invented.pairs(invented.TEST, 4, 1))


def test_precision_takes_pairs_of_one_score_together() -> None:
    """Scores 3 (same), 2 (same and other), 1 (other): by hand."""
    same, other = (PAIRS[0]._replace(same=value) for value in (True, False))
    judged = [Judged(same, 3), Judged(same, 2), Judged(other, 2), Judged(other, 1)]

    assert 1 / 2 + 2 / 3 / 2 == pytest.approx(average_precision(judged))
    assert (1, 2 / 3) == (precision_at(0.5)(judged), pytest.approx(precision_at(0.9)(judged)))


@pytest.mark.parametrize("half", [invented.TUNING, invented.TEST])
def test_ours_is_ahead_of_plain_measures(half: int) -> None:
    """On a small draw of either half average precision is above a token-set ratio and Jaro-Winkler, by a tenth."""
    pairs = list(invented.pairs(half, 400, 3))
    compared = Compared(pairs, Screen([(VERSION, listed(pairs))]))
    ours = average_precision([Judged(pair, compared.score(at, pair)) for at, pair in enumerate(pairs)])

    for measure in (fuzz.token_set_ratio, JaroWinkler.similarity):
        plain = [Judged(p, measure(p.listed.written(), p.asked, processor=default_process)) for p in pairs]
        assert ours > average_precision(plain) + 0.1


def test_the_halves_share_no_syllable_and_no_change() -> None:
    """What is judged on was not tuned on."""
    for script in invented.SYLLABLES:
        tuning, test = ({part[0] for part in invented.syllables(half, script)} for half in (0, 1))
        assert set() == tuning & test
    assert set() == invented.tuning_changes().keys() & invented.test_changes().keys()
