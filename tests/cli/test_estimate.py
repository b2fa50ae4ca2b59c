"""`flopwatch estimate`: one allocation by the rules of the books, with every assumption said."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from monitor.app.references import load_reference
from monitor.core.priors import PPM
from monitor.reference.calibrations import posterior
from monitor.reference.root import config_root
from tests.cli.command import HELD, fact, flopwatch, written

ROOT = Path(__file__).resolve().parents[2]
H100 = ("--accelerator", "H100 SXM5 80GB", "--count", 8, "--hours", 24)
A100 = ("--accelerator", "A100-SXM4-80GB", "--count", 8, "--hours", 24)
REFERENCE = load_reference(config_root())
PRIORS = REFERENCE.estimator.priors


def flop(*arguments: object) -> dict[str, int]:
    """The bounds that a command line gives."""
    ran = flopwatch("estimate", *arguments, "--json")
    assert (0, "") == (ran.code, ran.err)
    assert ["flop", "assumptions"] == list(ran.document)
    bounds = ran.document["flop"]
    assert ["low", "central", "high", "ceiling"] == list(bounds)
    assert bounds["low"] <= bounds["central"] <= bounds["high"] <= bounds["ceiling"]
    return {name: int(value) for name, value in bounds.items()}


def test_bounds_are_time_by_rate_by_share() -> None:
    """Eight A100 for a day: held seconds x 312 TFLOP/s x the quantiles of the generation, in whole FLOP."""
    prior = PRIORS.of("ampere")
    peak = 8 * 24 * 3_600 * 312 * 10**12

    shares = (prior.low_ppm, prior.central_ppm, prior.high_ppm, PPM)
    assert [peak * share // PPM for share in shares] == list(flop(*A100).values())


def test_it_is_what_the_daemon_counts(tmp_path: Path) -> None:
    """An allocation of the same size in the books has the same bounds; its high allows for FP8, as the text says."""
    events = written(
        tmp_path / "events.jsonl",
        [fact("allocation.started", "a", **HELD), fact("allocation.stopped", "b", "2026-03-02T00:00:00Z")],
    )

    (tenant,) = flopwatch("replay", events, "--json").document["tenants"]

    assert flop(*H100, "--format", "fp8") == tenant["flop"]
    sixteen = flop(*H100)
    assert sixteen["high"] < tenant["flop"]["high"]
    assert [tenant["flop"][name] for name in ("low", "central", "ceiling")] == [
        sixteen[name] for name in ("low", "central", "ceiling")
    ]


def test_fp8_raises_high_alone() -> None:
    """FP8 multiplies high by its factor where a chip has it, however it is asked for, and nothing elsewhere."""
    plain, fp8 = flop(*H100), flop(*H100, "--fp8")

    assert fp8 == flop(*H100, "--format", "fp8")
    assert PRIORS.fp8_high_factor_ppm / PPM == pytest.approx(fp8["high"] / plain["high"], rel=1e-5)
    assert [plain[name] for name in ("low", "central", "ceiling")] == [
        fp8[name] for name in ("low", "central", "ceiling")
    ]
    assert flop(*A100) == flop(*A100, "--fp8")


def test_duty_multiplies_all_but_the_ceiling() -> None:
    """Half the held time running: half of low, central and high."""
    whole, half = flop(*A100), flop(*A100, "--duty", "0.5")

    assert {**{name: value // 2 for name, value in whole.items()}, "ceiling": whole["ceiling"]} == half
    assert whole == flop(*A100, "--duty", "1")


def test_earlier_runs_move_the_bounds() -> None:
    """Each earlier run of the tenant pulls central towards it and narrows the range: the posterior of calibrations."""
    prior, once, twice = (
        flop(*A100, *(word for _ in range(number) for word in ("--utilisation-earlier", "0.4"))) for number in range(3)
    )

    assert prior["central"] < once["central"] < twice["central"]
    widths = [one["high"] / one["low"] for one in (prior, once, twice)]
    assert widths == sorted(widths, reverse=True)
    after = posterior(PRIORS.of("ampere"), [400_000, 400_000], PRIORS.earlier_scatter_ppm)
    assert 8 * 24 * 3_600 * 312 * 10**12 * after.central_ppm // PPM == twice["central"]


def test_people_are_told_every_assumption() -> None:
    """The text names the chip, shows four bounds, and says what was assumed of share, format and duty."""
    told = flopwatch("estimate", "--accelerator", "B200", "--count", 16, "--hours", "0.5").out

    assert told.startswith("16 x B200 (HGX) for 0.5 hours\n")
    for sentence in ("Duty is unknown in (0, 1]", "(extrapolated)", "Format 16-bit", "priors of 2026", "quantiles"):
        assert sentence in told
    assert ["low", "central", "high", "ceiling"] == [line.split()[0] for line in told.splitlines()[3:7]]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("--accelerator", "A100", "--format", "fp8"), "Format fp8: A100 has no faster FP8 rate"),
        (("--accelerator", "H100", "--fp8"), "Format fp8: high is 1.35 times as high"),
        (("--accelerator", "H100", "--duty", ".8"), "Duty 0.8, as stated, multiplies all bounds but the ceiling."),
        (("--accelerator", "H100"), "'H100' does not state "),
        (("--accelerator", "p5.48xlarge"), "is an instance type: its count is taken as accelerators"),
        (("--accelerator", "H100", "--utilisation-earlier", "0.31"), "own: 1 earlier run at 0.310, over Beta("),
    ],
)
def test_what_is_given_is_said(arguments: tuple[str, ...], sentence: str) -> None:
    """Each option, and each name that leaves something open, has its sentence, in text and in JSON."""
    command = ("estimate", *arguments, "--count", 1, "--hours", 1)

    assert sentence in flopwatch(*command).out
    assert any(sentence in one for one in flopwatch(*command, "--json").document["assumptions"]["sentences"])


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("H1000", "The catalogue knows no accelerator 'H1000': did you mean H100"),
        (
            "Warp Drive",
            "The catalogue knows no accelerator 'Warp Drive': config/catalogue/accelerators.csv lists what there",
        ),
        ("", "The catalogue knows no accelerator ''"),
        ("Hanguang 800", "The catalogue has no 16-bit rate of 'Hanguang 800', so nothing can be said"),
    ],
)
def test_an_unknown_accelerator_is_a_sentence(name: str, sentence: str) -> None:
    """No guess: names that are near, or where to look, and exit 2."""
    ran = flopwatch("estimate", "--accelerator", name, "--count", 1, "--hours", 1)

    assert (2, "") == (ran.code, ran.out)
    assert sentence in ran.err


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("--count", "0"),
        ("--count", "1.5"),
        ("--hours", "0"),
        ("--hours", "nan"),
        ("--hours", "1e9"),
        ("--hours", "a day"),
        ("--duty", "0"),
        ("--duty", "1.01"),
        ("--utilisation-earlier", "-0.3"),
        ("--utilisation-earlier", "31"),
        ("--format", "int8"),
    ],
)
def test_a_wrong_number_is_refused(option: str, value: str) -> None:
    """What cannot be a count, a time or a share ends with 2 and names the option."""
    ran = flopwatch("estimate", *A100, option, value)

    assert (2, "") == (ran.code, ran.out)
    assert option in ran.err


def test_a_question_without_books_reads_no_database_and_no_client_of_kafka() -> None:
    """What only other commands need would take as long to read as all the rest."""
    program = (
        "import sys; from monitor.cli import flopwatch\n"
        f"flopwatch({['estimate', *map(str, A100)]}, standalone_mode=False)\n"
        "sys.exit(' '.join({'sqlalchemy', 'psycopg', 'kafka', 'confluent_kafka'} & set(sys.modules)) or 0)"
    )

    ran = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False)

    assert "A100" in ran.stdout
    assert ("", 0) == (ran.stderr.strip(), ran.returncode)
