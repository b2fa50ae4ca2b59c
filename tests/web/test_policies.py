"""Pages of policies: what applies, by which law, and what each rule asks and does not establish."""

from __future__ import annotations

from html import escape
from pathlib import Path

import pytest

from monitor.core.policy import Policy
from tests.web.browsing import House, reference
from tests.web.test_cases import ANY, DECIDED, CaseHouse

PAGE_BYTES_MAX = 100_000


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> House:
    """A console over the policies that are shipped."""
    return House(Path(tmp_path_factory.mktemp("house")))


def test_the_list_has_every_version(house: House) -> None:
    """Those that apply now come first; one that was superseded is there, too."""
    page = house.signed_in("viewer").get("/policies").text
    places = [page.index(f'href="/policies/{one.id}@{one.version}"') for one in reference().policies]
    now = house.clock.now_ms()

    assert len(reference().policies) == page.count('href="/policies/')
    applying = [place for place, one in zip(places, reference().policies, strict=True) if one.in_force(now)]
    assert max(applying) < min(set(places) - set(applying))


@pytest.mark.parametrize("policy", reference().policies, ids=lambda one: f"{one.id}@{one.version}")
def test_a_policy_says_all_that_its_file_says(house: House, policy: Policy) -> None:
    """Status, legal force, sources and what each rule does not establish; within the size of a page."""
    name = f"{policy.id}@{policy.version}"
    page = house.signed_in("viewer").get(f"/policies/{name}").text

    assert escape(policy.status, quote=False).split("'")[0] in page
    for rule in policy.rules:
        assert f"<code>{rule.id}</code>" in page
    assert page.count("From memory") == sum(not source.seen for source in policy.sources)
    assert PAGE_BYTES_MAX > len(page.encode())


def test_a_version_that_is_none_is_not_found(house: House) -> None:
    """A sentence says so."""
    assert "There is no such version of a policy." in house.signed_in("viewer").get("/policies/none@1").text


def test_a_rule_says_what_came_of_it(tmp_path: Path) -> None:
    """Flags that are open by level, those of late, and in how many decided cases something was found."""
    office = CaseHouse(tmp_path)
    for number, level in enumerate(("watch", "watch", "critical"), 1):
        office.raise_flag(f"F-{number}", level, f"t-{number}")
    case, reviewer = office.raise_flag("F-4", tenant="t-4"), office.signed_in("reviewer")
    office.act(reviewer, case, "claim")
    assert 303 == office.act(reviewer, case, "decide", **{**DECIDED, "outcome": "referred"})
    page = office.signed_in("viewer").get("/policies/internal-ladder@1").text
    told = page.split(f"<code>{ANY}</code>")[1].split("</dl>")[0]

    assert '1 <span class="level level-critical">' in told
    assert '2 <span class="level level-watch">' in told
    assert "told of in 30 days: 4, in 90: 4" in told
    assert "100% of 1 decided cases found something" in told
    assert "no case with a flag of it is decided" in page
    office.close()
