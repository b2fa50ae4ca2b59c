"""Every dialect of JSON documents, whatever comes: nothing is raised, and nobody's records are taken for another's."""

from __future__ import annotations

import json
from types import ModuleType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.intake import azure, cloudtrail, eventbridge, gcp, kubernetes, nova
from monitor.intake.dialect import Options
from monitor.intake.translate import dialect_of
from tests.intake.foreign import VALUES, check_anything, damaged, samples, strangers

# The module, and the folders of real samples that it recognises.
DIALECTS: dict[str, tuple[ModuleType, tuple[str, ...]]] = {
    "azure": (azure, ("azure_activity_log", "azure_event_grid")),
    "cloudtrail": (cloudtrail, ("aws_cloudtrail",)),
    "eventbridge": (eventbridge, ("aws_eventbridge",)),
    "gcp": (gcp, ("gcp_audit",)),
    "kubernetes": (kubernetes, ("kubernetes_audit",)),
    "nova": (nova, ("openstack_nova_versioned", "openstack_nova_legacy", "openstack_ironic")),
}
OPTIONS = [Options("/o"), Options("/o", "acme", "node/{node}", lease_seconds=60)]


@pytest.mark.parametrize("name", DIALECTS)
@given(data=st.data(), options=st.sampled_from(OPTIONS))
def test_whatever_comes_is_an_event_or_has_a_reason(name: str, data: st.DataObject, options: Options) -> None:
    """No record raises anything, and every event that leaves is one of the contract."""
    anything = st.binary() | VALUES.map(lambda value: json.dumps(value).encode()) | damaged(samples(name))

    check_anything(DIALECTS[name][0].translate, data.draw(anything), options)


@pytest.mark.parametrize("name", DIALECTS)
def test_each_sample_is_recognised_by_its_own_dialect(name: str) -> None:
    """What others send is left to others."""
    module, folders = DIALECTS[name]

    assert all(map(module.recognises, samples(name)))
    assert [] == [file for file, document in strangers(name, *folders) if module.recognises(document)]


WRAPPED: list[tuple[dict[str, Any], str]] = [
    ({"specversion": "1.0", "type": "io.flopwatch.source.alive.v1"}, "canonical"),
    ({"specversion": "1.0", "type": "com.example.built", "data": {"operationName": "a/b"}}, "canonical"),
    ({"specversion": "1.0", "type": "Microsoft.Resources.ResourceDeleteSuccess"}, "azure"),
]


@pytest.mark.parametrize(("document", "expected"), WRAPPED)
def test_a_cloud_event_is_of_whom_its_type_says(document: dict[str, Any], expected: str) -> None:
    """What Event Grid writes as CloudEvents is no event of ours that nobody is interested in."""
    assert expected == dialect_of(json.dumps(document).encode())


@pytest.mark.parametrize("name", DIALECTS)
@given(document=VALUES)
def test_any_document_may_be_asked_of(name: str, document: Any) -> None:
    """Recognising never raises; what is none of a dialect's shapes is not recognised."""
    assert not DIALECTS[name][0].recognises(document)


@pytest.mark.parametrize("name", DIALECTS)
@pytest.mark.parametrize("raw", [b"", b"{", b"[" * 300, b'"\xff"', b'"\\ud800"', b"NaN", b"1" * 5_000, b"\0"])
def test_what_is_no_document_is_refused_as_such(name: str, raw: bytes) -> None:
    """One record, one reason: bytes that are no UTF-8, or no JSON."""
    (translated,) = DIALECTS[name][0].translate(raw, OPTIONS[0])

    assert ("encoding" if b"\xff" in raw else "json") == translated.outcome.reason
