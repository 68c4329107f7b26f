"""Known holes in what is delivered: python -m release.audit (make audit)

Asks pip-audit about every version in requirements.lock, for all Pythons. Exit codes: 0, none but
those in ALLOWED; 1, there are some; 3, the data cannot be had, so nothing is known.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from itertools import product
from typing import Any

from release.pins import MACHINES, PYTHONS, Target, pins

ALLOWED: Mapping[str, str] = {}  # identifier (PYSEC, CVE or GHSA): why it does no harm here
UNKNOWN = 3


class NoDataError(Exception):
    """The data of holes cannot be had; why."""


def ask(pinned: list[str]) -> dict[str, Any]:
    """What pip-audit says of versions, as its JSON has it.

    Raises NoDataError.
    """
    with tempfile.NamedTemporaryFile("w", suffix=".txt", encoding="ascii") as file:
        file.write("\n".join(pinned))
        file.flush()
        command = [
            *(sys.executable, "-m", "pip_audit", "-r", file.name, "--no-deps", "--disable-pip"),
            *("--format", "json", "--progress-spinner", "off", "--aliases", "on"),
        ]
        done = subprocess.run(command, capture_output=True, text=True)
    try:
        answer: dict[str, Any] = json.loads(done.stdout)
    except ValueError:
        said = done.stderr.strip().splitlines() or ["it said nothing"]
        raise NoDataError(f"pip-audit: {said[-1]}") from None
    return answer


def holes(answer: dict[str, Any], allowed: Mapping[str, str] = ALLOWED) -> Iterator[str]:
    """A line for each hole that is not allowed.

    Raises NoDataError if a package was not looked up: silence about it would read as "none".
    """
    skipped = [d["name"] for d in answer["dependencies"] if "skip_reason" in d]
    if skipped:
        raise NoDataError(
            f"the index knows nothing of {len(skipped)} packages: {', '.join(skipped)}"
        )
    for package in answer["dependencies"]:
        for hole in package["vulns"]:
            if not allowed.keys() & {hole["id"], *hole.get("aliases", ())}:
                cure = ", ".join(hole["fix_versions"]) or "no version yet"
                yield f"{package['name']} {package['version']}: {hole['id']}; mended in {cure}"


def every_pin() -> list[list[str]]:
    """All versions of all targets, as lists that name each package once: pip-audit wants that."""
    found: list[dict[str, str]] = []
    targets = (Target(python, arch) for python, arch in product(PYTHONS, MACHINES))
    for pin in sorted({pin for target in targets for pin in pins(target)}):
        name = pin.partition("==")[0]
        room = next((room for room in found if name not in room), None)
        if room is None:
            found.append(room := {})
        room[name] = pin
    return [list(room.values()) for room in found]


def main() -> int:
    try:
        lines = [line for pinned in every_pin() for line in holes(ask(pinned))]
    except NoDataError as error:
        print(f"*** NOT AUDITED: {error}", file=sys.stderr)
        return UNKNOWN
    for line in lines:
        print(line)
    print(f"{len(lines)} known holes; allowed with a reason: {len(ALLOWED)}")
    return 1 if lines else 0


if __name__ == "__main__":
    sys.exit(main())
