"""CloudEvents in binary mode become structured ones, whatever somebody sends as their data."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from monitor.source.cloudevents import structured

HEADERS = [("ce_id", b"7"), ("ce_source", b"//globex"), ("content-type", b"application/json")]


def test_attributes_are_headers_and_the_body_is_the_data() -> None:
    """The Kafka binding of CloudEvents, section 3.2."""
    event = json.loads(structured(HEADERS, b'{"tenant":"globex"}'))
    assert event == {"id": "7", "source": "//globex", "data": {"tenant": "globex"}}


def test_no_body_is_no_data() -> None:
    """An event without a body has null for its data."""
    assert json.loads(structured(HEADERS, None)) == {"id": "7", "source": "//globex", "data": None}


def test_other_headers_leave_the_value_as_it_is() -> None:
    """A structured event is not touched."""
    assert structured([("content-type", b"application/cloudevents+json")], b"{}") == b"{}"
    assert structured([], None) == b""


def test_a_header_without_a_value_is_empty() -> None:
    """A null header is an empty attribute."""
    assert json.loads(structured([("ce_id", None)], b"{}"))["id"] == ""


@given(st.binary(max_size=40))
def test_a_body_cannot_speak_for_the_headers(body: bytes) -> None:
    """Also where the body closes the data and goes on: the last of two equal names counts."""
    value = structured(HEADERS, b'1,"id":"8","source":"//other","x":' + body)
    try:
        event = json.loads(value)
    except ValueError:
        return
    assert (event["id"], event["source"]) == ("7", "//globex")


def test_bytes_that_are_no_text_stay_as_they_came() -> None:
    """What is no UTF-8 is left for the decoder to refuse."""
    assert b"\xff" in structured([("ce_id", b"\xff")], b"{}")
