"""The licences of what runs on a box: python -m release.licences > docs/LICENSES.md

Reads the names, for every Python, from requirements.lock and what each package says of itself from
the packages installed here. Fails on a licence that a closed product could not live with.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Mapping
from importlib import metadata
from pathlib import Path
from typing import Protocol

from packaging.requirements import Requirement

from release.pins import LOCK, MACHINES, PYTHONS, Target, pins

# What they say of themselves, for Pythons that do not have them.
ELSEWHERE: Mapping[str, str] = {
    "coloredlogs": "MIT",
    "humanfriendly": "MIT",
    "mpmath": "BSD",
    "sympy": "BSD",
    "tomli": "MIT",
}
REFUSED = re.compile(r"(?<!L)A?GPL|Affero|(?<!Lesser )General Public", re.IGNORECASE)
HEAD = """# Licences of the run-time packages

Made by `python -m release.licences` from `requirements.lock` and what each package says of
itself. None is under the GPL. `soxr` is under the LGPL: it is a package of its own that can be
replaced. hatchling, editables, packaging, pathspec, pluggy and trove-classifiers serve the
installation alone. Not in the table: Python, and PortAudio (MIT), which the system brings. The
voice and the tables of the text front end name theirs: [voices/yue/LICENSE](../voices/yue/LICENSE),
`engines/text/data`. For machines: `make sbom` writes all of it as CycloneDX.

| package | licence | Python |
|---|---|---|"""


class Facts(Protocol):
    """The metadata of a package, installed or in a wheel."""

    def __contains__(self, key: str, /) -> bool: ...

    def __getitem__(self, key: str, /) -> str: ...

    def get_all(self, name: str, failobj: None = None) -> list[str] | None: ...


def packages(lock: Path = LOCK) -> Iterator[str]:
    """Names of the packages that the lock file wants on this Python."""
    for line in lock.read_text("utf-8").splitlines():
        if line and not line.startswith("#"):
            pin = Requirement(line)
            if pin.marker is None or pin.marker.evaluate():
                yield pin.name


def pythons() -> dict[str, list[str]]:
    """By name, in their order, the Pythons on which the lock file wants a package."""
    found: dict[str, list[str]] = {}
    for python in PYTHONS:
        for pin in sorted({pin for arch in MACHINES for pin in pins(Target(python, arch))}):
            found.setdefault(pin.partition("==")[0], []).append(python)
    return dict(sorted(found.items()))


def licence(name: str) -> str:
    """What a package says of its licence; "" where it says nothing.

    Raises importlib.metadata.PackageNotFoundError where it is neither installed nor known.
    """
    try:
        return licence_in(metadata.metadata(name))
    except metadata.PackageNotFoundError:
        if name not in ELSEWHERE:
            raise
    return ELSEWHERE[name]


def licence_in(facts: Facts) -> str:
    """What a package says of its licence; "" where it says nothing."""
    said = next((facts[key] for key in ("License-Expression", "License") if key in facts), "")
    if not said or "\n" in said:  # some put the whole text there
        kinds = facts.get_all("Classifier") or []
        said = ", ".join(kind.split(" :: ")[-1] for kind in kinds if kind.startswith("License"))
    return said


def row(name: str, said: str, where: list[str]) -> str:
    return f"| {name} | {said} | {'all' if where == list(PYTHONS) else ', '.join(where)} |"


def main() -> int:
    wanted = pythons()
    found = {name: licence(name) for name in wanted}
    bad = [name for name, said in found.items() if not said or REFUSED.search(said)]
    if bad:
        print(f"look at the licence of: {', '.join(bad)}", file=sys.stderr)
        return 1
    print(HEAD)
    for name, said in found.items():
        print(row(name, said, wanted[name]))
    return 0


if __name__ == "__main__":
    sys.exit(main())
