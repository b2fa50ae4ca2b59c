"""Where the configuration that ships with the code lies."""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parents[1]


def config_root(package: Path = _PACKAGE) -> Path:
    """Return the folder of catalogue, policies, priors and country groups that belongs to this code.

    An installed wheel carries it inside the package, as `monitor/_config`; a checkout has it beside the package, as
    `config`. `package` is the folder of the package `monitor`. The folder is not opened here: a loader that misses a
    file in it says which one.
    """
    packaged = package / "_config"
    if packaged.is_dir():
        return packaged
    return package.parent / "config"
