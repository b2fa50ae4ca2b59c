"""The manifest of a pack: what it says of files, what it refuses, and what does not agree with it."""

from __future__ import annotations

import json

import pytest

from monitor.core.manifest import (
    FILES_MAX,
    NAME,
    Content,
    Manifest,
    content_of,
    disagreements,
    is_name,
    manifest_from,
    manifest_text,
)

FILES = {"case.json": b"{}", "reference/priors.yaml": b"a: 1"}
ABOUT = {"case": "C-1", "recipient": "the \u00e9tat"}
HELD = {"sha256": "0" * 64, "bytes": 2}


def text(files: object, format: object = 1) -> bytes:
    return json.dumps({"format": format, "files": files}).encode()


def test_a_manifest_comes_back_as_it_was_written() -> None:
    """With the SHA-256 and the size of each file, and what the pack says of itself."""
    found = manifest_from(manifest_text(FILES, ABOUT))

    assert Manifest(ABOUT, {name: content_of(content) for name, content in FILES.items()}) == found
    assert Content("44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a", 2) == content_of(b"{}")


@pytest.mark.parametrize(
    "name",
    [
        "", ".", "..", "../a", "a/..", "a/../b", "/a", "a//b", "a/", ".hidden", "a/.b", "-a", "a b", "a\\b", "C:a",
        "a\nb", "\u00e9", "a\x00", NAME, "a/b/c/d/e/f/g/h/i",
    ],
)  # fmt: skip
def test_a_name_leads_nowhere_else(name: str) -> None:
    """Nor does it mean one thing here and another one elsewhere."""
    assert not is_name(name)
    with pytest.raises(ValueError, match="is no name of a file in a pack"):
        manifest_from(text({name: HELD}))


@pytest.mark.parametrize("name", ["a", "case.json", "reference/policies/us-bis-2025-05.yaml", "id@1.yaml", "_a"])
def test_plain_names_are_names(name: str) -> None:
    """Those that packs have."""
    assert is_name(name)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "is no JSON document"),
        (b"\xff", "is no JSON document"),
        (b"[" * 100_000, "is no JSON document"),
        (b"[]", "is no manifest of format 1"),
        (text([]), "is no manifest of format 1"),
        (text({}, 2), "is no manifest of format 1"),
        (text({"a": 1}), "does not say the SHA-256 and the bytes of a"),
        (text({"a": {"sha256": "0" * 64}}), "does not say"),
        (text({"a": {**HELD, "sha256": "0" * 63}}), "does not say"),
        (text({"a": {**HELD, "sha256": 1}}), "does not say"),
        (text({"a": {**HELD, "bytes": -1}}), "does not say"),
        (text({"a": {**HELD, "bytes": True}}), "does not say"),
        (text({f"f{number}": HELD for number in range(FILES_MAX + 1)}), "names 10,001 files"),
    ],
)
def test_what_is_no_manifest_is_refused(content: bytes, sentence: str) -> None:
    """With a sentence that says why."""
    with pytest.raises(ValueError, match=sentence):
        manifest_from(content)


def test_what_does_not_agree_is_named() -> None:
    """What is missing, what was added, and what was changed; nothing else."""
    manifest = manifest_from(manifest_text({"a": b"1", "b": b"2", "c": b"3"}, {}))
    found = {"a": content_of(b"1"), "b": content_of(b"3"), "d": content_of(b"4")}

    expected = [
        "b was changed: its SHA-256 is not that of the manifest.",
        "c is missing.",
        "d was added: the manifest does not name it.",
    ]
    assert expected == disagreements(manifest, found)
    assert [] == disagreements(manifest, manifest.files)
