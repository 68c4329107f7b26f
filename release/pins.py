"""What a box of another Python or processor needs, from requirements.lock, and its wheels:

    python -m release.pins --python 3.12 --arch arm64 [--extras build] FOLDER

`make wheelhouse ARGS=...` calls it.

pip weighs the conditions in a list of packages (`; python_full_version < "3.11"`) on the Python it
runs with, whatever target it is told; so they are weighed here.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from packaging.requirements import Requirement

ROOT = Path(__file__).parent.parent
LOCK = ROOT / "requirements.lock"
HASHES = ROOT / "requirements.hashes"
DEV_LOCK = ROOT / "requirements-dev.lock"
PYTHONS = ("3.10", "3.11", "3.12", "3.13")
MACHINES = {"amd64": "x86_64", "arm64": "aarch64"}  # by Debian's name
_HASH = re.compile(r"--hash=sha256:[0-9a-f]{64}")
EXTRAS = ("build",)  # pesq and gpu are compiled on the box
GLIBC = (17, 28)  # manylinux_2_17 to 2_28: Debian 10, Ubuntu 20.04


@dataclass(frozen=True)
class Target:
    """The Python, as "3.11", and Debian's name of the processor that wheels are for."""

    python: str
    arch: str

    def __post_init__(self) -> None:
        if self.python not in PYTHONS or self.arch not in MACHINES:
            raise ValueError(
                f"no packages for Python {self.python} on {self.arch}; "
                f"choose of {', '.join(PYTHONS)} and {', '.join(MACHINES)}"
            )

    @property
    def machine(self) -> str:
        return MACHINES[self.arch]

    def environment(self) -> dict[str, str]:
        """For the conditions of requirements."""
        return {
            "python_version": self.python,
            "python_full_version": f"{self.python}.9",
            "platform_machine": self.machine,
            "platform_system": "Linux",
            "sys_platform": "linux",
            "implementation_name": "cpython",
            "platform_python_implementation": "CPython",
        }

    def platforms(self) -> list[str]:
        """Tags of wheels that run there, the newest first."""
        newest, oldest = GLIBC[1], GLIBC[0]
        tags = [f"manylinux_2_{minor}_{self.machine}" for minor in range(newest, oldest - 1, -1)]
        return [*tags, f"manylinux2014_{self.machine}"]


def known_extras(text: str) -> list[str]:
    """The extras that wheels can be had of for any box, from words with commas between them.

    Raises argparse.ArgumentTypeError: extra_unknown.
    """
    words = [word for word in text.split(",") if word]
    for word in words:
        if word not in EXTRAS:
            raise argparse.ArgumentTypeError(
                f"{word}: wheels for other boxes can be had of {', '.join(EXTRAS)} only; else "
                "run `make install EXTRAS=...` on the box itself [extra_unknown]"
            )
    return words


def pins(target: Target, lock: Path = LOCK) -> list[str]:
    """The lines of a lock file that count for a target, as `name==version`."""
    found = []
    for line in lock.read_text("utf-8").splitlines():
        if line and not line.startswith("#"):
            pin = Requirement(line)
            if pin.marker is None or pin.marker.evaluate(target.environment()):
                found.append(f"{pin.name}{pin.specifier}")
    return found


def resolve(target: Target, extras: list[str]) -> list[str]:
    """The pins with those of extras of pyproject.toml (`build`); needs uv and the network.

    Raises subprocess.CalledProcessError.
    """
    if not extras:
        return pins(target)
    command = [
        *(sys.executable, "-m", "uv", "pip", "compile", "--quiet", "--no-header"),
        *("--no-annotate", "--group", "build", "--python-version", target.python),
        *("--python-platform", f"{target.machine}-manylinux_2_{GLIBC[1]}"),
        *("--no-emit-package", "sambertd-client", "--constraint", str(DEV_LOCK)),
        *(word for extra in ("cpu", *extras) for word in ("--extra", extra)),
        "pyproject.toml",
    ]
    done = subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True)
    return done.stdout.split("\n")[:-1]


def hashes() -> dict[str, list[str]]:
    """By `name==version`, the "--hash=sha256:..." of each file that may be installed."""
    blocks = re.split(r"\n(?=\S)", HASHES.read_text("utf-8"))
    return {block.split()[0]: _HASH.findall(block) for block in blocks if block[0] != "#"}


def download(target: Target, wanted: list[str], folder: Path, source: Path | None = None) -> None:
    """Put the wheels of `wanted` into a folder; those of the lock only as their hashes say.

    source: a folder of wheels to take them from, without the network.
    Raises subprocess.CalledProcessError, after pip has said why.
    """
    known = hashes()
    ours = [f"{pin} {' '.join(known[pin])}\n" for pin in wanted if pin in known]
    with tempfile.NamedTemporaryFile("w", suffix=".hashes") as file:
        file.writelines(ours)
        file.flush()
        _fetch(target, ["-r", file.name] if ours else [], folder, source)
    _fetch(target, [pin for pin in wanted if pin not in known], folder, source)


def _fetch(target: Target, wanted: list[str], folder: Path, source: Path | None) -> None:
    command = [
        *(sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check"),
        *("--no-deps", "--only-binary=:all:", "--dest", str(folder)),
        *("--python-version", target.python, "--implementation", "cp"),
        *(word for tag in target.platforms() for word in ("--platform", tag)),
        *(("--no-index", "--find-links", str(source)) if source else ()),
        *wanted,
    ]
    if wanted:
        subprocess.run(command, check=True, stdin=subprocess.DEVNULL)


def main() -> int:
    parser = argparse.ArgumentParser(prog="make wheelhouse ARGS=...", description=__doc__)
    parser.add_argument("--python", required=True, choices=PYTHONS, help="of the box")
    parser.add_argument("--arch", required=True, choices=tuple(MACHINES), help="of the box")
    words = "build: INT8 engines can be built on the box"
    parser.add_argument("--extras", type=known_extras, default=[], help=words)
    parser.add_argument("folder", type=Path, help="where the wheels go")
    arguments = parser.parse_args()
    target = Target(arguments.python, arguments.arch)
    try:
        download(target, resolve(target, arguments.extras), arguments.folder)
    except subprocess.CalledProcessError:
        print("they could not be fetched, see above", file=sys.stderr)
        return 1
    print(f"In {arguments.folder}: wheels for Python {target.python} on {target.arch}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
