"""The bill of materials, CycloneDX 1.6: python -m release.sbom (make sbom)

Lists what is delivered: Python packages, the voice, and the tables of the text front end, each with
its licence. The packages are those of requirements.lock that are installed here, or all wheels of a
folder, then with their hashes. The same sources give the same file.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
import uuid
import zipfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timezone
from email.parser import Parser
from hashlib import sha256
from importlib import metadata
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from release.licences import Facts, licence_in, packages
from release.parts import PARTS, Part
from release.project import ROOT, project, version

OURS = ("sambertd", "sambertd-client")
SPDX = {  # what packages say, where that is no identifier of SPDX
    "3-Clause BSD License": "BSD-3-Clause",
    "Apache 2.0": "Apache-2.0",
    "Apache License 2.0": "Apache-2.0",
    "Apache Software License": "Apache-2.0",
    "BSD": "BSD-3-Clause",
    "BSD-3-Clause and Public-Domain": "",
    "ISC License (ISCL)": "ISC",
    "MIT License": "MIT",
    "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
}
IDENTIFIER = re.compile(
    r"(MIT|MIT-0|ISC|Apache-2\.0|BSD-[23]-Clause|MPL-2\.0|L?GPL-[\d.]+-(only|or-later)|Unicode-3\.0|CC-.*)"
)


@dataclass(frozen=True)
class Package:
    """A Python package: its metadata, and the SHA-256 of its wheel, "" where it is unknown."""

    facts: Facts
    sha256: str = ""

    @property
    def name(self) -> str:
        return canonicalize_name(self.facts["Name"])

    @property
    def ref(self) -> str:
        return f"pkg:pypi/{self.name}@{self.facts['Version']}"

    def needs(self) -> set[str]:
        """Names of packages it asks for, on some Python or other, without extras."""
        lines = map(Requirement, self.facts.get_all("Requires-Dist") or [])
        return {
            str(canonicalize_name(line.name))
            for line in lines
            if line.marker is None or "extra ==" not in str(line.marker)
        }


def installed() -> Iterator[Package]:
    """The packages of requirements.lock as they are installed here.

    Raises importlib.metadata.PackageNotFoundError.
    """
    for name in packages():
        yield Package(metadata.metadata(name))


def in_wheels(folder: Path) -> Iterator[Package]:
    """The packages in a folder of wheels, less our own."""
    for wheel in sorted(folder.glob("*.whl")):
        with zipfile.ZipFile(wheel) as archive:
            (name,) = (
                n for n in archive.namelist() if re.fullmatch(r"[^/]+\.dist-info/METADATA", n)
            )
            package = Package(
                Parser().parsestr(archive.read(name).decode("utf-8"), headersonly=True),
                sha256(wheel.read_bytes()).hexdigest(),
            )
        if package.name not in OURS:
            yield package


def bill(found: Iterable[Package]) -> dict[str, Any]:
    """The document, of the packages and of all parts."""
    listed = sorted(found, key=lambda package: package.name)
    refs = {package.name: package.ref for package in listed}
    root = f"pkg:pypi/sambertd@{version()}"
    parts = [_of_part(part) for part in PARTS]
    everything = [*refs.values(), *(part["bom-ref"] for part in parts)]
    depend = [{"ref": root, "dependsOn": sorted(everything)}] + [
        {
            "ref": package.ref,
            "dependsOn": sorted(refs[name] for name in package.needs() & refs.keys()),
        }
        for package in listed
    ]
    content: dict[str, Any] = {
        "metadata": {"timestamp": _time_of_commit(), "component": _of_project(root)},
        "components": [*map(_of_package, listed), *parts],
        "dependencies": depend,
    }
    number = uuid.uuid5(uuid.NAMESPACE_URL, json.dumps(content, sort_keys=True))
    head = {"bomFormat": "CycloneDX", "specVersion": "1.6", "serialNumber": f"urn:uuid:{number}"}
    return {**head, "version": 1, **content}


def write(path: Path, found: Iterable[Package]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps(bill(found), ensure_ascii=False, indent=1)
    path.write_text(f"{text}\n", "utf-8")


def _of_project(ref: str) -> dict[str, Any]:
    about = project()
    return {
        "type": "application",
        "bom-ref": ref,
        "purl": ref,
        "name": about["name"],
        "version": about["version"],
        "description": about["description"],
        "licenses": _licenses(about["license"]),
    }


def _of_package(package: Package) -> dict[str, Any]:
    found: dict[str, Any] = {
        "type": "library",
        "bom-ref": package.ref,
        "purl": package.ref,
        "name": package.name,
        "version": package.facts["Version"],
        "licenses": _licenses(licence_in(package.facts)),
    }
    if package.sha256:
        found["hashes"] = [{"alg": "SHA-256", "content": package.sha256}]
    return found


def _of_part(part: Part) -> dict[str, Any]:
    return {
        "type": part.kind,
        "bom-ref": f"part:{part.name.replace(' ', '-')}@{part.version}",
        "name": part.name,
        "version": part.version,
        "description": f"{part.about}; {', '.join(part.files)}",
        "licenses": _licenses(part.licence),
        "externalReferences": [{"type": "distribution", "url": part.source}],
        "hashes": [{"alg": "SHA-256", "content": part.sha256()}],
    }


def _licenses(said: str) -> list[dict[str, Any]]:
    """What a package says, as an identifier or expression of SPDX where it is one."""
    known = SPDX.get(said, said)
    if IDENTIFIER.fullmatch(known):
        return [{"license": {"id": known}}]
    if re.search(r" (AND|OR|WITH) ", known):
        return [{"expression": known}]
    return [{"license": {"name": said}}]


def _time_of_commit() -> str:
    command = ["git", "log", "-1", "--format=%ct"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    at = datetime.fromtimestamp(int(done.stdout or 0), timezone.utc)
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")


def main() -> int:
    parser = argparse.ArgumentParser(prog="make sbom ARGS=...", description=__doc__)
    parser.add_argument("--wheels", type=Path, help="a folder of wheels instead of what is here")
    parser.add_argument(
        "--out", type=Path, default=ROOT / f"dist/sambertd-{version()}.cdx.json", help="the file"
    )
    arguments = parser.parse_args()
    found = list(in_wheels(arguments.wheels) if arguments.wheels else installed())
    if not found:
        print(f"no wheels in {arguments.wheels}", file=sys.stderr)
        return 1
    write(arguments.out, found)
    print(f"{arguments.out}: {len(found)} packages, {len(PARTS)} parts")
    return 0


if __name__ == "__main__":
    sys.exit(main())
