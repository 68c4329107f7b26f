"""What the audit makes of pip-audit's answer; its data is on the internet."""

from __future__ import annotations

from typing import Any

import pytest

from release.audit import NoDataError, every_pin, holes

HOLE = {"id": "PYSEC-2026-1", "aliases": ["CVE-2026-1"], "fix_versions": ["1.2"], "description": ""}


def answer(*packages: dict[str, Any]) -> dict[str, Any]:
    return {"dependencies": list(packages), "fixes": []}


def test_a_hole_is_named_with_its_cure() -> None:
    bad = {"name": "numpy", "version": "1.1", "vulns": [HOLE]}
    good = {"name": "soxr", "version": "1.1", "vulns": []}
    assert list(holes(answer(good, bad))) == ["numpy 1.1: PYSEC-2026-1; mended in 1.2"]


@pytest.mark.parametrize("name", ["PYSEC-2026-1", "CVE-2026-1"])
def test_an_allowed_hole_is_passed_over(name: str) -> None:
    bad = {"name": "numpy", "version": "1.1", "vulns": [HOLE]}
    assert list(holes(answer(bad), {name: "not reached"})) == []


def test_a_package_that_was_not_looked_up_is_no_clean_bill() -> None:
    skipped = {"name": "rjieba", "skip_reason": "not found"}
    with pytest.raises(NoDataError, match="rjieba"):
        list(holes(answer(skipped)))


def test_every_version_of_every_python_is_asked_for() -> None:
    lists = every_pin()
    for pinned in lists:
        names = [pin.partition("==")[0] for pin in pinned]
        assert len(set(names)) == len(names)
    together = {pin for pinned in lists for pin in pinned}
    assert {pin.partition("==")[0] for pin in together} >= {"numpy", "tomli", "pyzmq"}
    assert len([pin for pin in together if pin.startswith("numpy==")]) == 3
