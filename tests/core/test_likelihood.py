"""The training score: what each feature means, on a run that has it and on one just under; bands, and pools."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import pytest

from monitor.core.engine import answer
from monitor.core.likelihood import FEATURES, OCCUPANCY, Band, Feature, Training, Weights, is_occupancy, training
from monitor.core.model import ACCELERATOR, CERTAIN, DAY_MS, HOUR_MS, INSTANCE, NO_TRAITS, Traits
from monitor.core.runs import Holding, Run, runs
from monitor.core.segments import Stay
from monitor.core.timeline import Measurement, shape_of
from tests.core.table import BASE_MS, Taken
from tests.core.test_estimate import reference

H100 = "H100-SXM5-80GB"
DAY = DAY_MS // HOUR_MS  # times of these tests are in hours
MS = 1 / HOUR_MS
JOB = Traits(job="j")


def held(
    start: float, end: float, count: float = 8, traits: Traits = JOB, fabric: str | None = None, unit: str = ACCELERATOR
) -> Stay:
    """So many accelerators over these hours."""
    hardware = H100 if unit == ACCELERATOR else "p5.48xlarge"
    shape = shape_of("eu-1", fabric, hardware, unit)
    return Stay(shape, at(start), at(end), round(count * 1_000), CERTAIN, traits)


def at(hour: float) -> int:
    """Hours since the base instant, which begins a day."""
    return BASE_MS + round(hour * HOUR_MS)


def alike(
    count: int, *stays: Stay, name: str = "n", activity: Sequence[tuple[float, float, int]] = ()
) -> list[Holding]:
    """So many allocations that held the same, all measured over the same hours."""
    measured = [
        Measurement(stays[0].shape, at(start), at(end), stays[0].count, ppm, None) for start, end, ppm in activity
    ]
    return [Holding(f"{name}{number}", stays, measured) for number in range(count)]


def run_of(holdings: Sequence[Holding]) -> Run:
    """The one run that these holdings are."""
    (run,) = runs("t", holdings, reference().estimator, at(10_000))
    return run


def features_of(holdings: Sequence[Holding]) -> set[str]:
    """The features of the one run that these holdings are."""
    run = run_of(holdings)
    return {name for name, has in FEATURES.items() if has(run)}


def steady(*, start: float = 0, end: float = 50, count: float = 8, traits: Traits = JOB) -> list[Holding]:
    """Four allocations that start and end together."""
    return alike(4, held(start, end, count, traits), name=f"n{start}-")


def launched(late: float, share: int = 0) -> list[Holding]:
    """Two segments; the last allocation of the first one comes late, and the second has `share` times its time."""
    first = [*alike(3, held(0, 10), name="a"), *alike(1, held(late, 10), name="b")]
    return first + (alike(4, held(11, 11 + 10 * share), name="c") if share else [])


def ending(early: int, of: int = 8, after: int = 0) -> list[Holding]:
    """Allocations of which some end eleven minutes before the others; then a segment that lasts `after` hours."""
    first = [*alike(early, held(0, 10 - 11 / 60), name="a"), *alike(of - early, held(0, 10), name="b")]
    return first + (alike(of, held(11, 11 + after), name="c") if after else [])


def by_day(night: int, day: float, days: int, rhythmic: int, begin: float = 0) -> list[Holding]:
    """Allocations that stay for days, and two more from six to eighteen o'clock on the first `rhythmic` of them."""
    stays = [held(one * DAY + 6, one * DAY + 18, day) for one in range(rhythmic)]
    return [*alike(night, held(begin, days * DAY), name="n"), *alike(2, *stays, name="d")]


def restarted(
    times: int, gap: float = 6, last_count: float = 8, last: Traits = JOB, others: Traits = JOB
) -> list[Holding]:
    """A gang of forty hours that comes back after a gap; the last time with another count and other traits."""
    step = 40 + gap
    whole: list[Holding] = []
    for one in range(times + 1):
        count, traits = (last_count, last) if one == times else (8, others)
        whole += alike(4, held(one * step, one * step + 40, count, traits), name=f"n{one}-")
    return whole


def measured(ppm: int, start: float = 0, hours: float = 5) -> list[Holding]:
    """Four allocations of fifty hours, measured over some of them."""
    return alike(4, held(0, 50), activity=[(start, start + hours, ppm)])


class Case(NamedTuple):
    feature: str
    says: str
    has: list[Holding]
    under: list[Holding]


CASES = [
    Case("together", "all within ten minutes", launched(10 / 60), launched(10 / 60 + MS)),
    Case("together", "nine tenths of the time is in such segments", launched(0.2, 9), launched(0.2, 8)),
    Case("scattered", "fewer than half end with it", ending(5), ending(4)),
    Case("scattered", "there are eight or more", ending(5, 8), ending(4, 7)),
    Case("scattered", "half of the time is in such segments", ending(5, 8, 9), ending(5, 8, 10)),
    Case("nodes", "eight each", steady(count=8), steady(count=7.999)),
    Case(
        "nodes", "nine tenths are held so",
        [*alike(9, held(0, 9)), *alike(2, held(0, 9, 4), name="x")],
        [*alike(9, held(0, 9)), *alike(2, held(0, 9, 4.5), name="x")],
    ),
    Case(
        "nodes", "an allocation counts with its mean",
        alike(4, held(0, 5, 6), held(5, 10, 10)),
        alike(4, held(0, 5.01, 6), held(5.01, 10, 10)),
    ),
    Case("nodes", "an instance is what is in it", alike(4, held(0, 9, 1, unit=INSTANCE)), alike(16, held(0, 9, 1))),
    Case(
        "nodes", "instances beside accelerators: nine tenths in accelerators",
        [*alike(9, held(0, 9, 1, unit=INSTANCE)), *alike(2, held(0, 9, 4), name="x")],
        [*alike(9, held(0, 9, 1, unit=INSTANCE)), *alike(2, held(0, 9, 4.5), name="x")],
    ),
    Case("pieces", "fewer than four each", alike(8, held(0, 9, 3.999)), alike(8, held(0, 9, 4))),
    Case(
        "pieces", "half is held so",
        [*alike(8, held(0, 9, 2)), *alike(1, held(0, 9, 16), name="x")],
        [*alike(8, held(0, 9, 2)), *alike(1, held(0, 9, 16.008), name="x")],
    ),
    Case(
        "chance", "four of them",
        alike(4, held(0, 50, traits=NO_TRAITS)), alike(5, held(0, 50, traits=NO_TRAITS)),
    ),
    Case(
        "chance", "none is large by itself",
        alike(2, held(0, 50, 15.999, NO_TRAITS)), alike(2, held(0, 50, 16, NO_TRAITS)),
    ),
    Case("chance", "none names a job", alike(2, held(0, 50, traits=NO_TRAITS)), alike(2, held(0, 50))),
    Case(
        "chance", "none names a reservation",
        alike(2, held(0, 50, traits=NO_TRAITS)), alike(2, held(0, 50, traits=Traits(reservation="r"))),
    ),
    Case("days", "three of them", steady(end=3 * DAY), steady(end=3 * DAY - MS)),
    Case(
        "days", "gaps are not busy",
        [*steady(end=40), *alike(4, held(41, 41 + 32), name="x")],
        [*steady(end=40), *alike(4, held(41, 41 + 31), name="x")],
    ),
    Case("weeks", "two of them", steady(end=14 * DAY), steady(end=14 * DAY - MS)),
    Case("hours", "less than a day", steady(end=DAY - MS), steady(end=DAY)),
    Case(
        "flat", "nine tenths of the peak",
        [*alike(8, held(0, 10)), *alike(2, held(0, 5), name="x")],
        [*alike(8, held(0, 10)), *alike(2, held(0, 4.9), name="x")],
    ),
    Case(
        "uneven", "less than seven tenths of the peak",
        [*alike(4, held(0, 10)), *alike(6, held(0, 4.8), name="x")],
        [*alike(4, held(0, 10)), *alike(6, held(0, 5), name="x")],
    ),
    Case("daily", "three fifths of the fullest quarter", by_day(3, 8.001, 3, 3), by_day(3, 8, 3, 3)),
    Case("daily", "on two of three days", by_day(2, 16, 6, 4), by_day(2, 16, 6, 3)),
    Case("daily", "over three days", by_day(2, 16, 3, 3), by_day(2, 16, 3, 3, begin=MS)),
    Case("restarts", "three of them", restarted(3), restarted(2)),
    Case("restarts", "within six hours", restarted(3, 6), restarted(3, 6 + MS)),
    Case("restarts", "at one scale", restarted(3, 6, 10), restarted(3, 6, 10.008)),
    Case(
        "same", "half of the links share something",
        restarted(2, last=Traits(job="k")), restarted(1, last=Traits(job="k")),
    ),
    Case("same", "there is something to share", restarted(1), steady()),
    Case("fabric", "one", alike(4, held(0, 9, fabric="f")), steady()),
    Case(
        "fabric", "no other",
        alike(4, held(0, 9, fabric="f")),
        [*alike(4, held(0, 9, fabric="f")), *alike(1, held(0, 9, fabric="g"), name="x")],
    ),
    Case("large", "1,024 at once", alike(2, held(0, 9, 512)), alike(2, held(0, 9, 511.999))),
    Case("declared", "a word for it", steady(traits=Traits("z", "j", purpose="LLM-Training")), steady()),
    Case(
        "otherwise", "another word", steady(traits=Traits(job="j", purpose="inference")),
        steady(traits=Traits(job="j", purpose="inference, then fine-tuning")),
    ),
    Case("busy", "a quarter of the time", measured(250_000), measured(249_999)),
    Case("busy", "a tenth was measured", measured(900_000, hours=5), measured(900_000, hours=4.9)),
    Case("idle", "less than a twentieth of the time", measured(49_999), measured(50_000)),
    Case("idle", "a tenth was measured", measured(0, hours=5), measured(0, hours=4.9)),
]  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.feature}: {case.says}")
def test_a_feature_holds_from_its_limit_on(case: Case) -> None:
    """A run at the limit has the feature, one just under it has not."""
    assert (True, False) == (case.feature in features_of(case.has), case.feature in features_of(case.under))


def test_every_feature_is_shown() -> None:
    """The cases above are about all features, and no other."""
    assert set(FEATURES) == {case.feature for case in CASES}


@pytest.mark.parametrize(
    ("says", "holdings"),
    [
        ("growth at the end", [*steady(end=78), *alike(12, held(72, 78), name="x")]),
        ("one gap of eighteen hours", [*steady(end=72), *alike(4, held(90, 168), name="x")]),
        ("a day and another, with parts of days around them", by_day(4, 2, 4, 4, begin=23)),
    ],
)
def test_what_happens_once_is_no_daily_rhythm(says: str, holdings: list[Holding]) -> None:
    """A gap or growth fills quarters of the day unevenly, too; only what recurs on most days is a rhythm."""
    assert (says, False) == (says, "daily" in features_of(holdings))


def test_nightly_work_is_daily() -> None:
    """A gang that is held eight hours each night follows the hours of the day, whatever is held besides."""
    nights = [held(one * DAY + 22, one * DAY + 30, 16) for one in range(5)]

    assert "daily" in features_of([*alike(2, held(0, 6 * DAY)), *alike(4, *nights, name="night")])


def test_one_day_is_no_rhythm() -> None:
    """Two short segments days apart touch one whole day: no rhythm can be told."""
    first, second = run_of(steady(start=20, end=30)), run_of(steady(start=100, end=110))
    run = first._replace(segments=first.segments + second.segments)

    assert not FEATURES["daily"](run)


@pytest.mark.parametrize(
    ("purpose", "feature"),
    [
        ("training", "declared"),
        ("Pre-training of a language model", "declared"),
        ("finetune", "declared"),
        ("fine-tuning", "declared"),
        ("hyperparameter_tuning", "declared"),
        ("LLMTRAINING", "declared"),
        ("constrained decoding", "otherwise"),
        ("serving a pretrained model", "otherwise"),
        ("finetuned chat", "otherwise"),
        ("neptune", "otherwise"),
        ("rendering", "otherwise"),
    ],
)
def test_a_purpose_is_read_for_what_is_done(purpose: str, feature: str) -> None:
    """To train and to tune is training, in any case and spelling; a model that was trained before is served."""
    found = features_of(steady(traits=Traits(job="j", purpose=purpose)))

    assert {feature} == found & {"declared", "otherwise"}


# -- bands -----------------------------------------------------------------------------------------------------------


def weights(**scores: int) -> Weights:
    """Likely from 300 and possible from 100; features weigh nothing but for these."""
    features = {name: Feature(scores.get(name, 0), f"It is {name}.") for name in FEATURES}
    return Weights("1", "sha256:0", 300, 100, features)


@pytest.mark.parametrize(
    ("score", "band"),
    [(301, "likely"), (300, "likely"), (299, "possible"), (100, "possible"), (99, "unlikely"), (-500, "unlikely")],
)
def test_a_band_begins_at_its_score(score: int, band: str) -> None:
    """A score that reaches the least score of a band is in it."""
    run = run_of(steady())

    assert (Band(band), score) == training(run, weights(together=score))[:2]


def test_weights_add_up_and_what_weighs_most_comes_first() -> None:
    """The score is the sum over the features that a run has; their sentences come by weight, whatever its sign."""
    told = training(run_of(steady()), weights(together=120, nodes=-200, flat=50, declared=1_000))

    assert -30 == told.score
    assert ("It is nodes.", "It is together.", "It is flat.") == told.reasons[:3]
    assert "It is declared." not in told.reasons


# -- pools -----------------------------------------------------------------------------------------------------------


def pool(end: float = 14 * DAY, traits: Traits = NO_TRAITS, ppm: int | None = None) -> list[Holding]:
    """Four nodes for two weeks of which nothing is known."""
    return alike(4, held(0, end, traits=traits), activity=() if ppm is None else [(0, end, ppm)])


@pytest.mark.parametrize("traits", [NO_TRAITS, Traits(zone="z", reservation="r", layer="node", nodes=("n",))])
def test_a_pool_that_nothing_is_known_of_is_an_occupancy(traits: Traits) -> None:
    """A segment of two weeks that names no job, image or purpose and was not measured has no score, and says why."""
    assert Training(Band.UNKNOWN, 0, (OCCUPANCY,)) == training(run_of(pool(traits=traits)), weights(together=900))


@pytest.mark.parametrize(
    "holdings",
    [
        pool(end=14 * DAY - MS),
        pool(traits=Traits(job="j")),
        pool(traits=Traits(image="sha256:ab")),
        pool(traits=Traits(purpose="")),
        pool(ppm=0),
        [*pool(end=10 * DAY), *alike(4, held(10 * DAY + 1, 20 * DAY, traits=NO_TRAITS), name="x")],
    ],
    ids=["shorter", "a job", "an image", "a purpose", "measured", "two segments"],
)
def test_what_is_known_of_makes_a_run_of_a_pool(holdings: list[Holding]) -> None:
    """Less time, a job, an image, a purpose, a measurement or a restart: it is scored like any run."""
    run = run_of(holdings)

    assert not is_occupancy(run)
    assert Band.LIKELY is training(run, weights(together=900)).band


# -- what it is for --------------------------------------------------------------------------------------------------


def test_every_feature_of_the_file_is_a_sentence() -> None:
    """The packaged weights have one short sentence for each feature, no two alike, and none weighs nothing."""
    features = reference().weights.features

    assert FEATURES.keys() == features.keys()
    assert len(features) == len({feature.sentence for feature in features.values()})
    for name, (weight, sentence) in features.items():
        assert (name, True) == (name, bool(weight) and sentence[0].isupper() and sentence.endswith("."))
        assert (name, False) == (name, "  " in sentence or len(sentence) > 100)


def test_the_packaged_weights_tell_training_from_services() -> None:
    """A month of whole nodes with restarts is likely, a service that follows the day and many small jobs are not."""
    known = reference().weights
    trained = [
        *steady(end=20 * DAY, traits=Traits(job="llm", purpose="pretraining")),
        *alike(4, held(20 * DAY + 5, 30 * DAY, traits=Traits(job="llm", purpose="pretraining")), name="x"),
    ]
    small = [one for n in range(20) for one in alike(1, held(0, 3 + n, 2), name=f"s{n}-")]

    assert Band.LIKELY is training(run_of(trained), known).band
    assert Band.UNLIKELY is training(run_of(by_day(4, 16, 5, 5)), known).band
    assert Band.UNLIKELY is training(run_of(small), known).band


TABLE = f"0 start x accelerator={H100} count=8000 job=j \n 864000 stop x"


def test_the_score_changes_no_compute() -> None:
    """Under other weights bands move, and every FLOP and the digest of the books stay; the answer is another."""
    taken, known = Taken(*(TABLE.replace("x", f"x{n} ") for n in range(4))), reference()
    told = []
    for one in (weights(together=900), weights(together=-900)):
        under = answer(taken.book, replace(known, weights=one), at(240), taken.archive)
        (tenant,) = under.tenants
        ((run, how),) = tenant.runs
        told.append((how.band, run, tenant._replace(runs=(), findings=()), under.books_digest))

    assert [Band.LIKELY, Band.UNLIKELY] == [one[0] for one in told]
    assert told[0][1:] == told[1][1:]
    assert 0 < told[0][1].flop.low
