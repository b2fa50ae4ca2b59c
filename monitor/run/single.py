"""The bounds of one allocation that nobody holds yet, by the rules that books are read with, and what they assume."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from difflib import get_close_matches
from typing import Any, NamedTuple

from monitor.core.bounds import Bounds
from monitor.core.catalogue import ONE_ACCELERATOR, Catalogue, Chip, Hardware, normal_name
from monitor.core.estimate import PPM, SCALE, Estimator, HourUsage
from monitor.core.ledger import NOT_MEASURED
from monitor.core.model import ACCELERATOR
from monitor.core.priors import Priors, Quantiles
from monitor.errors import EstimateProblem
from monitor.reference.calibrations import calibrated

SUGGESTED_MAX = 3
SIXTEEN_BIT, FP8 = "16-bit", "fp8"
FORMATS = (SIXTEEN_BIT, FP8)


class Single(NamedTuple):
    """One allocation: so many accelerators for so long."""

    accelerator: str  # as somebody names it
    accelerators: int
    held_ms: int
    format: str
    duty_ppm: int | None  # share of the held time in which anything ran; None: unknown
    earlier_ppm: tuple[int, ...]  # what earlier runs of the same tenant realised on that generation


class Estimate(NamedTuple):
    """FLOP, what they follow from, and the same as sentences."""

    flop: Bounds
    assumptions: Mapping[str, Any]
    sentences: tuple[str, ...]


def estimate(estimator: Estimator, single: Single) -> Estimate:
    """The bounds of one allocation, all of whose time is certain and none measured.

    Raises:
        EstimateProblem: the catalogue has no 16-bit rate of such an accelerator.
    """
    hardware = estimator.catalogue.resolve(single.accelerator, ACCELERATOR, 0)
    if not hardware.known:
        raise EstimateProblem(_unknown(estimator.catalogue, single.accelerator))
    chip = hardware.chip
    priors = _priors(estimator.priors, hardware, single)
    own = priors.of(chip.generation)
    usage = HourUsage(single.accelerators * ONE_ACCELERATOR * single.held_ms, 0, 0, NOT_MEASURED)
    whole = Estimator(estimator.catalogue, priors).flop(hardware, usage)
    duty_ppm = PPM if single.duty_ppm is None else single.duty_ppm
    low, central, high = (bound * duty_ppm // PPM for bound in whole[:3])
    flop = Bounds(low, central, high, whole.ceiling).divided(SCALE)
    sentences = tuple(_sentences(estimator.priors, hardware, own, single))
    assumptions = {
        "accelerator": hardware.name,
        "accelerators_thousandths": single.accelerators * hardware.per_unit,
        "held_ms": single.held_ms,
        "rate_flop_per_second": {
            "low": chip.rate_low,
            "central": chip.rate_central,
            "high": chip.rate_high,
            "ceiling": chip.rate_ceiling,
        },
        "rate_source": chip.source,
        "generation": chip.generation,
        "chip_classes": sorted(chip.classes),
        "chip_classes_possible": sorted(chip.classes_possible - chip.classes),
        "utilisation_ppm": {"low": own.low_ppm, "central": own.central_ppm, "high": own.high_ppm},
        "utilisation_basis": own.basis,
        "extrapolated": own.extrapolated,
        "utilisation_earlier_ppm": list(single.earlier_ppm),
        "priors_version": priors.version,
        "format": single.format,
        "fp8_high_factor_ppm": priors.fp8_high_factor_ppm if chip.fp8 else PPM,
        "duty_ppm": single.duty_ppm,
        "sentences": list(sentences),
    }
    return Estimate(flop, assumptions, sentences)


def _priors(priors: Priors, hardware: Hardware, single: Single) -> Priors:
    """The priors of this allocation: those of all tenants, its own earlier runs, its format."""
    if single.earlier_ppm:
        priors = calibrated(priors, {hardware.chip.generation: single.earlier_ppm})
    return priors if single.format == FP8 else replace(priors, fp8_high_factor_ppm=PPM)


def _unknown(catalogue: Catalogue, name: str) -> str:
    """Why there is no answer, and which names are near."""
    if normal_name(name) in catalogue.names:
        return f"The catalogue has no 16-bit rate of '{name}', so nothing can be said of its training compute."
    near = get_close_matches(normal_name(name), catalogue.names, n=SUGGESTED_MAX * 4)
    names = list(dict.fromkeys(catalogue.names[one].chip.name for one in near))[:SUGGESTED_MAX]
    advice = (
        f"did you mean {' or '.join(names)}?" if names else "config/catalogue/accelerators.csv lists what there is."
    )
    return f"The catalogue knows no accelerator '{name}': {advice}"


def _sentences(priors: Priors, hardware: Hardware, own: Quantiles, single: Single) -> list[str]:
    name, generation, factor = hardware.name, hardware.chip.generation, priors.fp8_high_factor_ppm / PPM
    sentences = [
        f"Model FLOP: held time x dense 16-bit rate x the share of it that training realises ({own.basis}; priors of "
        f"{priors.version}).",
        "Low, central and high are 5, 50 and 95 per cent quantiles. The ceiling is full speed in the chip's fastest "
        "training format for all of the held time.",
        *hardware.assumptions,
    ]
    if own.extrapolated:
        sentences.append(f"No published run on {generation}: the pooled prior, widened (extrapolated).")
    if not hardware.chip.fp8:
        sentences.append(f"Format {single.format}: {name} has no faster FP8 rate, so it makes no difference.")
    elif single.format == FP8:
        sentences.append(f"Format fp8: high is {factor:g} times as high; shares stay of the 16-bit rate.")
    else:
        sentences.append(
            f"Format 16-bit. The daemon does not see formats: on {name} its high is {factor:g} times this, as in FP8."
        )
    sentences.extend(_classes(hardware.chip))
    if single.duty_ppm is None:
        sentences.append(
            "Duty is unknown in (0, 1] and taken as 1, as high must; low and central are lower if nothing ran in part "
            "of the held time."
        )
    else:
        sentences.append(f"Duty {single.duty_ppm / PPM:g}, as stated, multiplies all bounds but the ceiling.")
    return sentences


def _classes(chip: Chip) -> Iterator[str]:
    """In which classes of export control a chip is, and may be."""
    for words, classes in (("is", chip.classes), ("may be", chip.classes_possible - chip.classes)):
        if classes:
            yield f"By the catalogue's figures {chip.name} {words} in {', '.join(sorted(classes))}."
