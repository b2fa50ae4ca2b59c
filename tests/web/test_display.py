"""Text of others on pages: harmless, and to be seen as it is."""

from __future__ import annotations

from pathlib import Path

import pytest
from jinja2 import UndefinedError

from monitor.core.roles import Permission, Role, permitted
from monitor.web.display import FOLDER, environment, instant, read_files, span, visible, words

SIZE_MAX = 100_000


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Orchid Compute GmbH", "Orchid Compute GmbH"),
        ("华为 Öl", "华为 Öl"),
        ("abc\u202etxt.exe", "abc⟨202E⟩txt.exe"),
        ("\u2066a\u2069", "⟨2066⟩a⟨2069⟩"),
        ("a\x00b\nc\td\x1b[31m", "a⟨0000⟩b⟨000A⟩c⟨0009⟩d⟨001B⟩[31m"),
        ("a\u200bb\ufeff\u2028", "a⟨200B⟩b⟨FEFF⟩⟨2028⟩"),
        ("\ud800", "⟨D800⟩"),
        ("\U000e0041", "⟨E0041⟩"),
        (7, "7"),
    ],
)
def test_what_cannot_be_seen_is_shown(text: object, shown: str) -> None:
    """Signs that hide, that turn the direction of text around, or that a terminal or a page obeys."""
    assert shown == visible(text)


@pytest.mark.parametrize(
    "text",
    ["<script>alert(1)</script>", '" onmouseover="alert(1)', "'><img src=x>", "</bdi></title>", "&lt;", "{{ 7 }}"],
)
def test_text_of_others_stays_text(text: str) -> None:
    """In the page and in an attribute, isolated from what is around it."""
    template = environment(read_files()).from_string('{% import "parts.html" as parts %}{{ parts.text(value) }}')

    html = template.render(value=text)

    inside = html.removeprefix('<bdi class="text" title="').removesuffix("</bdi>")
    assert html == f'<bdi class="text" title="{inside}</bdi>'
    assert [] == [sign for sign in ("<", "'") if sign in inside]
    assert 1 == inside.count('">')
    assert 1 == inside.count('"')


def test_a_name_that_a_template_does_not_know_is_an_error() -> None:
    """Nothing is left out in silence."""
    with pytest.raises(UndefinedError):
        environment(read_files()).from_string("{{ nobody }}").render()


def test_every_template_escapes_and_has_nothing_inline() -> None:
    """No filter that lets HTML through, no script or style in a page, no address of somebody else."""
    for path in sorted((FOLDER / "templates").iterdir()):
        text = path.read_text(encoding="utf-8")
        for never in (
            "|safe",
            "| safe",
            "autoescape",
            "<style",
            " style=",
            " onclick",
            "javascript:",
            "http://",
            "https://",
        ):
            assert never not in text, f"{path.name} has {never}"


@pytest.mark.parametrize(
    ("at", "text"), [(None, "never"), (0, "1970-01-01 00:00 UTC"), (1_800_000_000_000, "2027-01-15 08:00 UTC")]
)
def test_instants(at: int | None, text: str) -> None:
    """In UTC, to the minute."""
    assert text == instant(at)


@pytest.mark.parametrize(
    ("duration_ms", "text"),
    [(-1, "0 min"), (59_999, "0 min"), (7_199_999, "119 min"), (7_200_000, "2 hours"), (172_800_000, "2 days")],
)
def test_how_long_something_lasts_is_short(duration_ms: int, text: str) -> None:
    """In the longest unit of which there are two."""
    assert text == span(duration_ms)


def test_names_of_the_code_are_written_as_words() -> None:
    """Permissions and roles, as people read them."""
    assert ["see names", "senior reviewer"] == [words(Permission.SEE_NAMES), words(Role.SENIOR_REVIEWER)]
    assert "own account" in {words(one) for one in permitted(Role.VIEWER)}


def test_files_for_browsers_are_small_and_nothing_else_is_one() -> None:
    """The look, the colours of pictures, htmx and keys, within a hundred kilobytes; licence and notes stay here."""
    files = read_files()

    assert ["console.css", "htmx.min.js", "keys.js", "pictures.css"] == sorted(files)
    assert sum(len(file.content) for file in files.values()) < SIZE_MAX


def test_htmx_is_as_it_came() -> None:
    """Its digest is the one that stands in the notes beside it, with its version."""
    (line,) = [
        line
        for line in (Path(FOLDER) / "static" / "README.md").read_text(encoding="utf-8").splitlines()
        if line.startswith("| `htmx.min.js`")
    ]
    content = read_files()["htmx.min.js"]

    assert content.digest == line.split("|")[3].strip()[:16]
    assert b'version:"2.0.11"' in content.content


def test_another_content_has_another_address(tmp_path: Path) -> None:
    """A browser that keeps the old one asks for the new one."""
    (tmp_path / "a.css").write_text("a {}")
    before = read_files(tmp_path)["a.css"].digest
    (tmp_path / "a.css").write_text("b {}")

    assert before != read_files(tmp_path)["a.css"].digest
