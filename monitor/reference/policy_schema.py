"""The JSON schema of policy files, for editors: made from the models that read them, so that the two agree.

What one key asks of another (a cluster has no FLOP, a run no window) no schema says: `flopwatch check` does.
"""

from __future__ import annotations

import json
from typing import Any

from monitor.reference.policy_format import PolicyFile

FILE = "policy.schema.json"


def policy_schema() -> dict[str, Any]:
    """The schema of a policy file, JSON Schema 2020-12."""
    schema = _without_titles(PolicyFile.model_json_schema(by_alias=True))
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **schema,
        "title": "flopwatch policy",
        "description": f"{schema['description']} `flopwatch check` also looks at what keys ask of each other.",
    }


def schema_text() -> str:
    """The schema as its file has it."""
    return json.dumps(policy_schema(), indent=2, ensure_ascii=False) + "\n"


def _without_titles(schema: Any) -> Any:
    """A schema without the titles that are only the keys again."""
    if isinstance(schema, list):
        return [_without_titles(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    return {key: _without_titles(one) for key, one in schema.items() if not (key == "title" and isinstance(one, str))}
