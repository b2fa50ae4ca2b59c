"""Make the passwords of `deploy/compose.yaml` where there are none. Standard library only.

The folder is for its owner alone. The files in it can be read by whoever gets into it: the containers that they are
mounted into have other users, and Compose gives files to them as they are.
"""

from __future__ import annotations

import secrets
from pathlib import Path

FOLDER = Path(__file__).parent / "secrets"


def make(folder: Path) -> None:
    """Write each file that is not there. None is made anew: PostgreSQL and Grafana keep what they began with."""
    folder.mkdir(mode=0o700, exist_ok=True)
    for name in ("postgres_password", "grafana_password"):
        if not (folder / name).exists():
            (folder / name).write_text(secrets.token_urlsafe(24), encoding="utf-8")
    password = (folder / "postgres_password").read_text(encoding="utf-8")
    (folder / "pg_service").write_text(f"[flopwatch]\npassword={password}\n", encoding="utf-8")
    for file in folder.iterdir():
        file.chmod(0o644)


if __name__ == "__main__":
    make(FOLDER)
