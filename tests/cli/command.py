"""The command line in this process, and events to give it."""

from __future__ import annotations

import contextlib
import io
import json
import shutil
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

from monitor.cli import main
from monitor.reference.root import config_root

SOURCE = "/sim/eu-1"
HELD = {"accelerator": "H100 SXM 80GB", "count": 8, "region": "eu-1", "fabric": "f-1"}


class Ran(NamedTuple):
    """What a command left behind."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        """What was printed, as JSON."""
        return json.loads(self.out)


def flopwatch(*arguments: object) -> Ran:
    """Run one command through its entry point. What it does not catch itself is a traceback: it fails the test."""
    before = sys.argv
    sys.argv = ["flopwatch", *map(str, arguments)]
    out, err = (io.TextIOWrapper(io.BytesIO(), "utf-8", write_through=True) for _ in range(2))
    code: object = 0
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            main()
    except SystemExit as leaving:
        code = leaving.code
    finally:
        sys.argv = before
    texts = [stream.buffer.getvalue().decode() for stream in (out, err)]  # type: ignore[attr-defined]
    return Ran(int(str(code or 0)), *texts)


def fact(verb: str, id: str, time: str = "2026-03-01T00:00:00Z", /, **data: Any) -> dict[str, Any]:
    """A fact of allocation `job` of tenant `acme`."""
    return {
        "specversion": "1.0",
        "id": id,
        "source": SOURCE,
        "type": f"io.flopwatch.{verb}.v1",
        "time": time,
        "subject": "job",
        "data": {"tenant": "acme", "allocation": "job", **data},
    }


def written(path: Path, contents: Iterable[object]) -> Path:
    """A file of events, one a line; bytes are written as they are."""
    lines = [content if isinstance(content, bytes) else json.dumps(content).encode() for content in contents]
    path.write_bytes(b"".join(line + b"\n" for line in lines))
    return path


def operators_alone(folder: Path) -> Path:
    """The shipped configuration with the policies of the operator alone; none of them is guarded."""
    root = folder / "config"
    shutil.copytree(config_root(), root)
    for path in (root / "policies").iterdir():
        if not path.name.startswith("internal-"):
            path.unlink()
    (root / "published.yaml").unlink(missing_ok=True)
    return root
