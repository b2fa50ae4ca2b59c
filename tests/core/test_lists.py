"""Which effect of a source list holds when."""

from __future__ import annotations

from monitor.core.lists import NO_EFFECT, Effect, ListEffects


def effect(owner: str, since: int | None, until: int | None) -> Effect:
    return Effect("x", "X", "blocked", owner, since, until, "somebody", "somewhere")


def test_an_owner_effect_holds_in_its_period() -> None:
    """From its first instant on, and no longer at its end; nothing before, between and where it is none."""
    first, second, none = effect("licence", 10, 20), effect("attention", 30, 40), effect(NO_EFFECT, 40, None)
    effects = ListEffects("1", "sha256:0", {"x": (first, second, none)})

    expected = {9: None, 10: first, 19: first, 20: None, 29: None, 30: second, 39: second, 40: None}
    assert expected == {at: effects.of_owned("x", at) for at in expected}
    assert first == effects.of("x")


def test_an_owner_effect_without_dates_always_holds() -> None:
    """No beginning and no end."""
    always = effect("blocked", None, None)

    assert always == ListEffects("1", "sha256:0", {"x": (always,)}).of_owned("x", 0)


def test_an_ended_effect_alone_leaves_nothing() -> None:
    """After the last period nothing holds."""
    assert ListEffects("1", "sha256:0", {"x": (effect("blocked", None, 5),)}).of_owned("x", 5) is None
