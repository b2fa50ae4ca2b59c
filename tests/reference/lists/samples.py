"""Small lists in every format, made here, and the effects that ship."""

from __future__ import annotations

import json
from datetime import date

from monitor.core.lists import ListedParty
from monitor.reference.lists.effects import load_effects
from monitor.reference.lists.files import ListFile, read_list
from monitor.reference.root import config_root

SOURCES = load_effects(config_root(), date(2026, 11, 10))
SYNTHETIC = config_root() / "lists" / "synthetic"
WRITTEN = 1_793_000_000_000

SDN = "Specially Designated Nationals (SDN) - Treasury Department"
EL = "Entity List (EL) - Bureau of Industry and Security"

CSL_CSV = f"""\
_id,source,entity_number,type,programs,name,title,addresses,alt_names,citizenships,nationalities,ids
a1,{SDN},501,Entity,SDGT; IRAN,QUARTZ FERRY LTD,,"1 Quay, Saltmouth, GB; GB",Quartz; QF LTD,,,"GB, X-1, Company Number"
a2,{EL},,,,Address 03,,"Room 9, Heron Tower, Hong Kong, HK",,,,
a3,{SDN},502,Individual,,DOE-INVENTED,,,,PA,,
""".encode()
CSL_JSON = json.dumps(
    {
        "results": [
            {
                "id": "a1",
                "source": SDN,
                "entity_number": 501,
                "type": "Entity",
                "programs": ["SDGT", "IRAN"],
                "name": "QUARTZ FERRY LTD",
                "alt_names": ["Quartz", "QF LTD"],
                "addresses": [{"address": "1 Quay", "city": "Saltmouth", "country": "GB"}, {"country": "GB"}],
                "ids": [{"type": "Company Number", "number": "X-1", "country": "GB"}],
            },
            {
                "id": "a2",
                "source": EL,
                "entity_number": None,
                "type": None,
                "name": "Address 03",
                "addresses": [{"address": "Room 9, Heron Tower", "city": "Hong Kong", "country": "HK"}],
            },
            {
                "id": "a3",
                "source": SDN,
                "entity_number": 502,
                "type": "Individual",
                "name": "DOE-INVENTED",
                "citizenships": ["PA"],
            },
        ]
    }
).encode()
SIMPLE_CSV = (
    '"id","schema","name","aliases","birth_date","countries","addresses","identifiers","sanctions","phones","emails",'
    '"program_ids","dataset","first_seen","last_seen","last_change"\n'
    '"x1","Company","Quartz Ferry","Quarz-Fähre;""Quartz; Ferry & Sons""","","gb;pa","1 Quay","X-1","","","","SDN",'
    '"Something","2026-01-01T00:00:00","2026-11-02T00:00:00","2026-01-01T00:00:00"\n'
).encode()
FTM = [
    {
        "id": "f1",
        "schema": "Company",
        "properties": {
            "name": ["Quartz Ferry"],
            "weakAlias": ["QF"],
            "previousName": ["Agate Ferry"],
            "topics": ["sanction"],
            "country": ["gb", "cn-xz"],
            "addressEntity": ["f1-place"],
            "leiCode": ["LEI0000017"],
        },
        "datasets": ["invented"],
        "last_seen": "2026-11-03T00:00:00",
        "target": True,
    },
    {"id": "f1-place", "schema": "Address", "properties": {"full": ["1 Quay, Saltmouth"], "country": ["pa"]}},
    {"id": "f1-why", "schema": "Sanction", "properties": {"entity": ["f1"], "authority": [SDN], "programId": ["P-1"]}},
    {"id": "f2", "schema": "Company", "properties": {"name": ["Beside"], "topics": ["sanction.linked"]}},
    {"id": "f3", "schema": "Company", "properties": {"name": ["Nobody"], "topics": ["role.pep"]}},
    {"id": "f4", "schema": "Ownership", "properties": {"owner": ["f1"], "asset": ["f2"], "percentage": ["50"]}},
]
FTM_JSONL = "".join(json.dumps(entity) + "\n" for entity in FTM).encode()
OWN_YAML = """\
# Ours.
schema: flopwatch.list/1
title: Ours
dated: 2026-11-01
parties:
  - id: w1
    source: own
    names: ["Quartz Ferry"]
    aliases: ["Quarz-Fähre"]
    former_names: ["Agate Ferry"]
    weak_aliases: ["QF"]
    countries: ["GB"]
    addresses: ["1 Quay"]
    identifiers: {company_number: X-1}
""".encode()
SAMPLES = {
    "us-csl-csv": CSL_CSV,
    "us-csl-json": CSL_JSON,
    "opensanctions-csv": SIMPLE_CSV,
    "ftm-jsonl": FTM_JSONL,
    "flopwatch-yaml": OWN_YAML,
}


def read(content: bytes, format: str | None = None) -> ListFile:
    """The list of a file's bytes."""
    return read_list("us", content, format, WRITTEN, SOURCES)


def only(content: bytes) -> ListedParty:
    """The one party of a list."""
    (party,) = read(content).parties
    return party
