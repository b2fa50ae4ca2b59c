"""The page of a group: the numbers and the words of `flopwatch explain`, and no names for whoever sees none."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from markupsafe import escape

from monitor.core.bounds import Bounds
from monitor.core.findings import number
from monitor.core.flags import Change, Entry
from monitor.core.parties import Parties
from monitor.log import tenant_reference
from monitor.run.casework import Gatherer
from monitor.run.explain import GroupStory
from monitor.store import TICK, JournalEntry
from monitor.web.display import visible
from monitor.web.pages.groups import _reached
from tests.cli.command import HELD, fact, flopwatch, written
from tests.core.casefile import flag
from tests.store.taking import url_of
from tests.web.browsing import NOW, House, reference

HOSTILE = "<script>alert(1)</script>\u202eevil"
PAYER = "acct-77 <b>of</b> them"
GROUP = f"tenants linked with {HOSTILE}"
PAGE_BYTES_MAX = 100_000


def grouped(folder: Path, **settings: object) -> House:
    """Two tenants with one payer, one of a hostile name; a weak link to a third; the two have a flag together."""
    profiles = {
        HOSTILE: {"payer": PAYER, "contact_domain": "acme.example"},
        "basalt": {"payer": PAYER},
        "cedar": {"contact_domain": "acme.example"},
    }
    facts = []
    for place, (tenant, profile) in enumerate(profiles.items()):
        facts += [
            fact("allocation.started", f"a{place}", tenant=tenant, **{**HELD, "count": 64}),
            fact("tenant.profiled", f"p{place}", tenant=tenant, **profile, basis=dict.fromkeys(profile, "claimed")),
        ]
    state = Path(url_of(folder).removeprefix("sqlite:///"))
    assert 0 == flopwatch("replay", written(folder / "events.jsonl", facts), "--state", state).code
    house = House(folder, **settings)
    flagged(house)
    return house


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """A console over such a group."""
    house = grouped(tmp_path_factory.mktemp("house"))
    yield house
    house.close()


def flagged(house: House) -> None:
    """People were told of the group, and it is on a case."""
    raised = flag("F-group", "warning", tenant=GROUP)
    raised = raised._replace(finding=raised.finding._replace(members=(HOSTILE, "basalt")))
    told = Change(raised, Entry("F-group", NOW, "raised", raised.level, "It is large."))
    house.store.decide(JournalEntry(TICK, {"as_of": 0}), [told], NOW)
    Gatherer(house.store.casework, reference().policies, house.clock).work({}, Parties({}, NOW))


def story_of(house: House) -> GroupStory:
    found = house.surveys.latest().group(tenant_reference(GROUP))
    assert found is not None
    return found


def test_a_group_is_as_its_members_together(house: House) -> None:
    """Bounds are added up; who is only weakly linked is no member; the story of a tenant has the same total."""
    survey, story = house.surveys.latest(), story_of(house)
    of_tenant = survey.tenant("basalt")
    assert of_tenant is not None

    assert {HOSTILE, "basalt"} == {name for name, _ in story.members}
    assert story.answers[0].flop.central == sum(flop.central for _, flop in story.members)
    assert [story.answers[0].flop] == [group.flop for group in of_tenant.groups]
    assert [("strong", (HOSTILE, "basalt"))] == [(one.strength, one.tenants) for one in story.links]
    assert [("weak", ("cedar",))] == [(one.strength, one.tenants) for one in story.others]
    assert list(story.thresholds) == sorted(story.thresholds) != []


def test_a_page_has_the_words_of_the_story(house: House) -> None:
    """Links with their evidence and what else they may mean, members, the flag with its case."""
    story = story_of(house)
    page = house.signed_in("reviewer").get(f"/groups/{tenant_reference(GROUP)}").text

    for one in (*story.links, *story.others):
        for sentence in (*one.evidence, one.innocent, one.settles):
            assert str(escape(visible(sentence))) in page
    assert number(story.answers[0].flop.central, 2) in page
    (row,) = house.store.casework.of_subject(f"group {GROUP}")
    assert f'href="/cases/{row.id}"' in page
    assert f'href="/tenants/{tenant_reference("basalt")}"' in page
    assert "<script>alert" not in page
    assert PAGE_BYTES_MAX > len(page.encode())


def test_pages_of_tenants_and_cases_lead_to_the_group(house: House) -> None:
    """Also for whoever sees no names."""
    viewer, address = house.signed_in("viewer"), f'href="/groups/{tenant_reference(GROUP)}"'
    (row,) = house.store.casework.of_subject(f"group {GROUP}")

    assert address in viewer.get(f"/tenants/{tenant_reference('basalt')}").text
    assert address in viewer.get(f"/cases/{row.id}").text
    assert "/groups/" not in viewer.get(f"/tenants/{tenant_reference('cedar')}").text


def test_who_sees_no_names_sees_none_here(house: House) -> None:
    """References stand for tenants, and no sentence names one; what is reached is no secret."""
    page = house.signed_in("viewer").get(f"/groups/{tenant_reference(GROUP)}").text

    for hidden in ("basalt", "cedar", "acct-77", "alert(1)", "acme.example"):
        assert hidden not in page
    assert tenant_reference("basalt") in page
    assert "not reached" in page


def test_a_group_that_is_none_is_not_found(house: House) -> None:
    """A sentence says so; a tenant's reference is none of a group."""
    viewer = house.signed_in("viewer")

    for name in ("none", tenant_reference("basalt")):
        assert "There is no such group" in viewer.get(f"/groups/{name}").text


def test_a_large_group_fits_a_page(tmp_path: Path) -> None:
    """Forty tenants with long names, pairs of whom share more than all of them do; who is left out is counted."""
    names = [f"{number:02d}-{'<&' * 60}" for number in range(40)]
    facts = [
        fact(
            "tenant.profiled",
            f"p{number}",
            tenant=name,
            payer="acct-9",
            contact_domain=f"d{number // 2}.example",
            basis={"payer": "claimed", "contact_domain": "claimed"},
        )
        for number, name in enumerate(names)
    ]
    facts += [fact("allocation.started", f"a{number}", tenant=name, **HELD) for number, name in enumerate(names)]
    state = Path(url_of(tmp_path).removeprefix("sqlite:///"))
    assert 0 == flopwatch("replay", written(tmp_path / "events.jsonl", facts), "--state", state).code
    house = House(tmp_path)
    (group,) = house.surveys.latest().linked().groups
    page = house.signed_in("reviewer").get(f"/groups/{tenant_reference(group.name)}").text
    house.close()

    assert "40 tenants that are taken for one customer" in page
    assert "And 10 smaller ones." in page
    assert "And 15 weaker ones." in page
    assert PAGE_BYTES_MAX > len(page.encode())


@pytest.mark.parametrize(
    ("threshold", "said"),
    [
        (1, "reached, even by the low estimate"),
        (2, "reached by the central estimate"),
        (4, "reached by the high estimate alone"),
        (5, "not reached"),
    ],
)
def test_a_threshold_is_reached_by_one_of_three_estimates(threshold: int, said: str) -> None:
    """The low one says most; each includes the threshold itself."""
    assert said == _reached(Bounds(1, 3, 4, 9), threshold)
