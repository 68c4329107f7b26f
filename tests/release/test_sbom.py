"""The bill of materials holds all that is delivered, and fits the schema of CycloneDX."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from release import sbom
from release.licences import packages
from release.parts import DATA, PARTS
from release.pins import ROOT
from tests.release.wheel import wheel


@pytest.fixture(scope="module")
def bill() -> dict[str, Any]:
    return sbom.bill(sbom.installed())


def test_it_fits_the_schema(tmp_path: Path) -> None:
    """Strictly: names of licences, addresses and hashes too."""
    validation = pytest.importorskip(
        "cyclonedx.validation.json", reason="pip install '.[ci]' for CycloneDX's own validator"
    )
    schema = pytest.importorskip("cyclonedx.schema")
    sbom.write(tmp_path / "sbom.json", sbom.installed())
    text = (tmp_path / "sbom.json").read_text("utf-8")
    validator = validation.JsonStrictValidator(schema.SchemaVersion.V1_6)
    assert validator.validate_str(text) is None
    assert validator.validate_str(text.replace('"library"', '"book"')) is not None


def test_it_lists_every_package_and_part_with_a_licence(bill: dict[str, Any]) -> None:
    names = {component["name"] for component in bill["components"]}
    assert set(packages()) | {part.name for part in PARTS} <= names
    for component in bill["components"]:
        (licence,) = component["licenses"]
        assert licence.get("expression") or any(licence["license"].values()), component["name"]
    (whole, *_) = bill["dependencies"]
    assert set(whole["dependsOn"]) == {component["bom-ref"] for component in bill["components"]}


def test_every_table_of_the_text_front_end_is_a_part_or_written_here() -> None:
    listed = {file for part in PARTS for file in part.files}
    rows = (DATA / "README.md").read_text("utf-8").splitlines()
    for path in DATA.rglob("*"):
        if path.is_file() and path.name != "README.md" and not path.name.startswith("LICENSE"):
            (row,) = (row for row in rows if row.startswith("|") and path.name in row)
            assert ("written here" in row) != (path.relative_to(ROOT).as_posix() in listed), path


def test_the_parts_are_those_of_the_readme() -> None:
    """The same versions, and for the voice the licence of its pack."""
    text = (DATA / "README.md").read_text("utf-8")
    for part in PARTS[:-1]:
        name = Path(part.files[0]).name
        (row,) = (row for row in text.splitlines() if row.startswith("|") and name in row)
        assert part.version in row, part.name
    assert f'licence = "{PARTS[-1].licence}"' in (ROOT / "voices/yue/voice.toml").read_text("utf-8")


def test_wheels_give_hashes_and_the_same_file_each_time(tmp_path: Path) -> None:
    wheel(tmp_path, "one", "1.0", "License: Apache 2.0\nRequires-Dist: two>=1")
    wheel(tmp_path, "two", "2.0", 'License-Expression: MIT\nRequires-Dist: far; extra == "x"')
    wheel(tmp_path, "sambertd", "0.1.0", "License: MIT")
    first, again = (sbom.bill(sbom.in_wheels(tmp_path)) for _ in range(2))
    assert json.dumps(first) == json.dumps(again)
    one, two = first["components"][:2]
    assert (one["name"], two["name"]) == ("one", "two")
    assert one["licenses"] == [{"license": {"id": "Apache-2.0"}}]
    assert len(one["hashes"][0]["content"]) == 64
    edges = {edge["ref"]: edge["dependsOn"] for edge in first["dependencies"]}
    assert edges["pkg:pypi/one@1.0"] == ["pkg:pypi/two@2.0"]
    assert edges["pkg:pypi/two@2.0"] == []
