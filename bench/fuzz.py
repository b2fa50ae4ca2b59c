"""Give every parser of what comes from outside mutated samples, led by what they reach: `python -m bench.fuzz`.

Each parser has so many seconds in a process of its own. Nothing may be raised but what its docstring says, and every
event that a dialect makes must be one that `decode` takes. Begins with the samples of `tests/intake/samples/`; what was
found is kept in `.cache/fuzz/corpus` for the next time, and what broke a parser in `.cache/fuzz/broken`. Needs atheris,
which `make fuzz` installs.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from functools import partial
from itertools import islice
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["monitor.intake"]):
    from monitor.core.model import Record
    from monitor.errors import ProfileProblem
    from monitor.intake.decode import Rules, decode
    from monitor.intake.dialect import Options, line
    from monitor.intake.profiles import profile_events
    from monitor.intake.refusal import Ignored, Refusal
    from monitor.intake.translate import CANONICAL, DIALECTS, Translate, dialect_of
    from monitor.simulate.scenarios import simulate

ROOT = Path(__file__).resolve().parents[1]
HOME = ROOT / ".cache" / "fuzz"
SAMPLES = ROOT / "tests" / "intake" / "samples"
BYTES_MAX = 20_000
RECOGNISING = "recognising"
OPTIONS = (
    Options("/fuzz", received="2026-03-01T00:00:00Z"),
    Options("/fuzz", "acme", "node/{node}", "Europe/Berlin", 60),
)


def decoded(raw: bytes) -> None:
    """Events of ours: one record is one observation, one refusal, or of a type that is none of ours."""
    found = decode([Record("fuzz", 0, 0, 1, raw, None)], Rules())
    assert len(found.observations) + len(found.rejected) + sum(found.ignored.values()) == 1


def translated(translate: Translate, raw: bytes) -> None:
    """Foreign records: every event that leaves is accepted."""
    for options in OPTIONS:
        for one in translate(raw, options):
            if not isinstance(one.outcome, Ignored | Refusal):
                made = [Record("fuzz", 0, 0, 1, line(event), None) for event in one.outcome]
                assert decode(made, Rules()).rejected == []


def recognised(raw: bytes) -> None:
    """Any record may be asked of."""
    dialect_of(raw)


def profiled(raw: bytes) -> None:
    """Files of profiles are read, or a problem is told."""
    with suppress(ProfileProblem):
        profile_events(raw, "fuzz", 0, "/fuzz")


PARSERS: Mapping[str, Callable[[bytes], None]] = {
    "canonical": decoded,
    RECOGNISING: recognised,
    "profiles": profiled,
    **{name: partial(translated, one.translate) for name, one in DIALECTS.items() if name != CANONICAL},
}


def main() -> None:
    """Fuzz all parsers, one after another; the exit status is 1 if any of them broke."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=int, default=60, help="for each parser")
    parser.add_argument("--parser", choices=PARSERS, action="append", help="only this one; may be given again")
    parser.add_argument("--child", help=argparse.SUPPRESS)
    options, rest = parser.parse_known_args()
    if options.child:
        atheris.Setup([sys.argv[0], *rest], PARSERS[options.child])
        atheris.Fuzz()
    broken = [name for name in options.parser or PARSERS if not sound(name, options.seconds)]
    print(f"Broken: {', '.join(broken)}; see {HOME / 'broken'}." if broken else "No parser broke.")
    sys.exit(bool(broken))


def sound(name: str, seconds: int) -> bool:
    """Fuzz one parser in a process of its own; whether it stood."""
    corpus, artifacts = HOME / "corpus" / name, HOME / "broken"
    for folder in (corpus, artifacts):
        folder.mkdir(parents=True, exist_ok=True)
    command = [
        *(sys.executable, "-m", "bench.fuzz", "--child", name, f"-max_total_time={seconds}", f"-max_len={BYTES_MAX}"),
        *(f"-artifact_prefix={artifacts}/{name}-", "-timeout=10", "-print_final_stats=1", str(corpus)),
        *map(str, seeds(name)),
    ]
    ran = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    print(f"{name:<12} {'stood' if ran.returncode == 0 else 'BROKE'}: {', '.join(summary(ran.stdout))}", flush=True)
    if ran.returncode:
        print(ran.stdout[-3_000:])
    return ran.returncode == 0


def seeds(name: str) -> Iterator[Path]:
    """Folders of records to begin with."""
    if name == CANONICAL:
        folder = HOME / "simulated"
        folder.mkdir(exist_ok=True)
        for number, raw in enumerate(islice(simulate("fleet").events(), 500)):
            (folder / str(number)).write_bytes(raw)
        yield folder
    elif name in DIALECTS:
        yield SAMPLES / name
    elif name == RECOGNISING:
        yield from sorted(SAMPLES.iterdir())


def summary(said: str) -> Iterator[str]:
    """What the fuzzer says at its end of how much it did."""
    for told in said.splitlines():
        if told.startswith("stat::number_of_executed_units"):
            yield f"{int(told.split()[-1]):,} inputs"
        if told.startswith("stat::new_units_added"):
            yield f"{int(told.split()[-1]):,} kept"


if __name__ == "__main__":
    main()
