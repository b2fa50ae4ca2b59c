"""The weights of the training score that ship, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from monitor.core.likelihood import FEATURES
from monitor.errors import ReferenceProblem
from monitor.reference.root import config_root
from monitor.reference.training_score import load_weights

NAME = "training_score.yaml"
TEXT = (config_root() / NAME).read_text(encoding="utf-8")
DAILY = '  daily:\n    {weight: -300, sentence: "It follows the hours of the day, as services and nightly work do."}\n'


def refusal(folder: Path, text: str) -> str:
    """The sentence about a file that says this."""
    (folder / NAME).write_text(text, encoding="utf-8")
    with pytest.raises(ReferenceProblem) as problem:
        load_weights(folder)
    return str(problem.value)


def test_the_packaged_weights_are_read() -> None:
    """Bands, a version, a digest, and a weight and a sentence for each feature that is computed."""
    weights = load_weights(config_root())

    assert FEATURES.keys() == weights.features.keys()
    assert (350, 100) == (weights.likely, weights.possible)
    assert (-300, "It follows the hours of the day, as services and nightly work do.") == weights.features["daily"]
    assert weights.digest.startswith("sha256:")
    assert f'version: "{weights.version}"' in TEXT


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        (DAILY, "", "the document: each feature once and no other: daily, not "),
        ("  daily:", "  weekly:", "the document: each feature once and no other: daily, weekly, not "),
        (DAILY, DAILY + DAILY, "the key 'daily' stands twice"),
        (
            "{likely: 350, possible: 100}",
            "{likely: 100, possible: 350}",
            "bands: possible must begin below likely, not ",
        ),
        (
            "{likely: 350, possible: 100}",
            "{likely: 100, possible: 100}",
            "bands: possible must begin below likely, not ",
        ),
        ("{likely: 350, possible: 100}", "{likely: 350}", "bands.possible: field required"),
        ("{likely: 350", "{certain: 900, likely: 350", "bands.certain: extra inputs are not permitted"),
        ("weight: -300", "weight: -3.5", "features.daily.weight: "),
        ("weight: -300", "weight: -10001", "features.daily.weight: "),
        ("weight: -300, ", "", "features."),
        ('"It is on one fabric."', '""', "features.fabric.sentence: "),
        ('version: "2026-11-26"', "version: 2026", "version: "),
        ("version:", "versoin:", "version: "),
        ("features:", "features: [", "is no valid YAML"),
    ],
)
def test_a_damaged_file_is_refused_with_a_sentence(tmp_path: Path, old: str, new: str, sentence: str) -> None:
    """What cannot be weights is named by file and field in one sentence, and people are told what to do."""
    assert old in TEXT

    said = refusal(tmp_path, TEXT.replace(old, new, 1))

    assert sentence in said
    assert NAME in said
    assert said.endswith("correct it there.")
    assert "\n" not in said


def test_the_digest_follows_the_content_alone(tmp_path: Path) -> None:
    """A remark changes nothing, a weight changes the digest."""
    (tmp_path / NAME).write_text(f"# a remark\n{TEXT}", encoding="utf-8")
    assert load_weights(config_root()).digest == load_weights(tmp_path).digest

    (tmp_path / NAME).write_text(TEXT.replace("weight: -300", "weight: -301", 1), encoding="utf-8")
    assert load_weights(config_root()).digest != load_weights(tmp_path).digest


def test_a_missing_file_is_a_sentence(tmp_path: Path) -> None:
    """No file: the sentence names it."""
    with pytest.raises(ReferenceProblem, match=r"training_score\.yaml cannot be read \(no such file or directory\)"):
        load_weights(tmp_path)
