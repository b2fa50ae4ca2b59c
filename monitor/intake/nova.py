"""Notifications of OpenStack Nova: which instance is held, from when, until when.

Read are versioned notifications and the older flat ones (`compute.instance.*`), plain or as oslo.messaging puts them on
the bus: everything inside `oslo.message`, a text, or an object where what forwards them has read it. Times without zone
are UTC.

Both may come, of one instance and at one time. The flat `create.end` knows only the name of the flavor, so that this
describes what the versioned one, if there is one, names.

Each step has a start and an end, and only the end counts: what began may fail. `create.end` counts from `launched_at`,
the rest from when it was notified. Powering off, rebuilding and moving free nothing: the instance was seen, as it is
with each `exists` of its audit period, unless that says that it is gone or nowhere (deleted, shelved and offloaded).
What was never launched held nothing: its create failed.

From `resize_finish` until it is confirmed or reverted, the old host is held beside the new one. That is a second
allocation, `nova/UUID/old`, whose shape stands in `resize_prep`, the last notification with the old flavor.

The accelerator stands in the flavor's extra specs: the first alias of `pci_passthrough:alias`, or so many `PGPU` or
`VGPU`, named by the trait that a physical one must have, else by the flavor. A flavor without is an instance type.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from monitor.intake.dialect import (
    DESCRIBED,
    SEEN,
    STARTED,
    STOPPED,
    Event,
    Options,
    Translated,
    at,
    event,
    instant,
    outer,
    parsed,
    text,
    together,
    whole,
)
from monitor.intake.refusal import Ignored, Refusal, shown

VERSIONED, FLAT = "instance.", "compute.instance."
# What a notification says of the instance, and of what is held on the old host while it is resized.
WHAT_IT_SAYS: dict[str, tuple[str | None, str | None]] = {
    "create.end": (STARTED, None),
    "unshelve.end": (STARTED, None),
    "restore.end": (STARTED, None),
    "resize_prep.end": (None, DESCRIBED),
    "resize_finish.end": (STARTED, STARTED),
    "resize_confirm.end": (SEEN, STOPPED),
    "resize_revert.end": (STARTED, STOPPED),
    "delete.end": (STOPPED, None),
    "soft_delete.end": (STOPPED, None),
    "shelve_offload.end": (STOPPED, None),
    "power_off.end": (SEEN, None),
    "rebuild.end": (SEEN, None),
    "live_migration_post_dest.end": (SEEN, None),
    "exists": (SEEN, None),
}
RENAMED = {  # flat: versioned
    "resize.prep.end": "resize_prep.end",
    "finish_resize.end": "resize_finish.end",
    "resize.confirm.end": "resize_confirm.end",
    "resize.revert.end": "resize_revert.end",
    "live_migration.post.dest.end": "live_migration_post_dest.end",
}
# What names the flavor: once it has changed, no notification has that of the old host.
NAMES_THE_FLAVOR = {"": (STARTED, SEEN), "/old": (DESCRIBED,)}
NOWHERE = {"building", "deleted", "soft-delete", "shelved_offloaded"}  # states in which no host is held

_UNITS = re.compile(r"resources\w*:(PGPU|VGPU)", re.ASCII)
_TRAIT = re.compile(r"trait\w*:CUSTOM_(\w+)", re.ASCII)


def recognises(document: object) -> bool:
    """Whether a JSON document is of this dialect."""
    return at(document, "oslo.message") is not None or (
        text(document, "event_type") is not None and text(document, "publisher_id") is not None
    )


def translate(raw: bytes, options: Options) -> Iterator[Translated]:
    """What becomes of a notification."""
    document = parsed(raw)
    inside = at(document, "oslo.message")
    message = parsed(inside.encode()) if isinstance(inside, str) else document if inside is None else inside
    if isinstance(message, Refusal):
        yield Translated("notification", message)
        return
    name = text(message, "event_type")
    if name is None:
        yield Translated(
            "notification",
            Refusal("envelope", f"The record is {shown(message)}; expected a notification with event_type."),
        )
        return
    yield Translated(shown(name, quote=False), _outcome(message, name, options))


def _outcome(message: Mapping[str, Any], name: str, options: Options) -> tuple[Event, ...] | Ignored | Refusal:
    flat = name.startswith(FLAT)
    verb = name.removeprefix(FLAT) if flat else name.removeprefix(VERSIONED)
    verb = RENAMED.get(verb, verb) if flat else verb
    if verb == name or verb not in WHAT_IT_SAYS:
        fault = text(message, "payload", "nova_object.data", "fault", "nova_object.data", "exception")
        shortened = shown(name, quote=False)
        return Ignored(shortened if fault is None else f"{shortened} refused: {shown(fault, quote=False)}")
    payload = at(message, "payload") if flat else at(message, "payload", "nova_object.data")
    uuid = text(payload, "instance_id" if flat else "uuid")
    project = text(payload, "tenant_id")
    if uuid is None or project is None:
        return Refusal("field", f"payload is {shown(payload)}; expected the instance and its tenant_id.")
    now, old = WHAT_IT_SAYS[verb]
    if now in (STOPPED, SEEN) and payload.get("launched_at", uuid) in (None, ""):
        return Ignored(f"{name} of an instance that never ran")
    if verb == "exists":
        if text(payload, "deleted_at") is not None or text(payload, "terminated_at") is not None:
            now = STOPPED  # in this audit period: heals a delete that was lost
        elif text(payload, "state") in NOWHERE:
            return Ignored(f"{name} of an instance that is {text(payload, 'state')}")
    time = _time(message, payload, verb, now)
    if isinstance(time, Refusal):
        return time
    flavor = _flavor(payload, flat)
    identity = _identity(message, payload, name, uuid, time)
    facts = [(kind, part, kind in NAMES_THE_FLAVOR[part]) for kind, part in ((now, ""), (old, "/old")) if kind]
    if flat and verb == "create.end":  # the versioned one may be told, too: of the same time, and naming more
        facts = [(DESCRIBED, "", True), (STARTED, "", False)]
    made = [
        event(
            kind,
            (options.source, identity + part + ("/flavor" if kind == DESCRIBED and not part else "")),
            time,
            options.tenant or project,
            allocation=f"nova/{uuid}{part}",
            account=project if options.tenant else None,
            **({} if kind == STOPPED else _held(payload, kind, options)),
            **(flavor if names else {}),
        )
        for kind, part, names in facts
    ]
    return together(*made)


def _time(message: Mapping[str, Any], payload: Any, verb: str, kind: str | None) -> str | Refusal:
    """When it became true. Of a notification that did not come over the bus only the payload knows."""
    notified, launched = text(message, "timestamp"), text(payload, "launched_at")
    ended = text(payload, "terminated_at") or text(payload, "deleted_at")
    if verb == "exists":
        period = text(payload, "audit_period_ending")
        period = period or text(payload, "audit_period", "nova_object.data", "audit_period_ending")
        return instant(ended if kind == STOPPED else notified or period)
    if verb == "create.end":
        return instant(launched or notified)
    return instant(notified or (ended if kind == STOPPED else None) or text(payload, "updated_at") or launched)


def _identity(message: Mapping[str, Any], payload: Any, name: str, uuid: str, time: str) -> str:
    return text(message, "message_id") or f"{uuid}/{name}/{text(payload, 'request_id') or ''}/{time}"


def _held(payload: Any, kind: str, options: Options) -> dict[str, Any]:
    return {
        "zone": text(payload, "availability_zone"),
        "layer": "node",
        "within": outer(options, text(payload, "node") or text(payload, "host")),
        "lease_seconds": options.lease_seconds if kind == SEEN else None,
    }


def _flavor(payload: Any, flat: bool) -> dict[str, Any]:
    """What a flavor says: accelerators and their number, or its own name."""
    if flat:
        name = text(payload, "instance_type")
        return {} if name is None else {"instance_type": name, "instances": 1}
    flavor = at(payload, "flavor", "nova_object.data")
    name, specs = text(flavor, "name"), at(flavor, "extra_specs")
    if isinstance(specs, dict) and specs:
        alias, _, number = (text(specs, "pci_passthrough:alias") or "").partition(",")[0].partition(":")
        if alias.strip():
            return {"accelerator": alias.strip(), "count": whole(number.strip()) if number else 1}
        units = [(found[1], whole(value) or 0) for key, value in specs.items() if (found := _UNITS.fullmatch(key))]
        if count := whole(sum(number for _, number in units)):
            traits = [
                found[1] for key, value in specs.items() if value == "required" and (found := _TRAIT.fullmatch(key))
            ]
            cards = all(unit == "PGPU" for unit, _ in units)
            return {"accelerator": traits[0] if cards and len(traits) == 1 else name, "count": count}
    return {} if name is None else {"instance_type": name, "instances": 1}
