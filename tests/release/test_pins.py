"""Pins for boxes of other Pythons and processors."""

from __future__ import annotations

import sys
from itertools import product

import pytest
from packaging.requirements import Requirement

from release.pins import MACHINES, PYTHONS, Target, pins


@pytest.mark.parametrize(("python", "arch"), list(product(PYTHONS, MACHINES)))
def test_each_name_comes_once_and_without_conditions(python: str, arch: str) -> None:
    found = [Requirement(line) for line in pins(Target(python, arch))]
    names = [pin.name for pin in found]
    assert len(set(names)) == len(names)
    assert {"numpy", "onnxruntime", "pyzmq"} <= set(names)
    assert ("tomli" in names) is (python == "3.10")
    assert all(pin.marker is None for pin in found)


def test_other_pythons_get_other_versions() -> None:
    old, new = (set(pins(Target(python, "amd64"))) for python in ("3.10", "3.12"))
    assert {pin for pin in old - new if pin.startswith("numpy")}


def test_an_unknown_target_is_refused_with_a_choice() -> None:
    with pytest.raises(ValueError, match=r"choose of 3\.10"):
        Target("3.9", "amd64")
    with pytest.raises(ValueError, match="amd64, arm64"):
        Target("3.11", "riscv64")


def test_our_own_python_has_what_the_lock_gives_it() -> None:
    from release.licences import packages

    own = f"{sys.version_info[0]}.{sys.version_info[1]}"
    assert [Requirement(pin).name for pin in pins(Target(own, "amd64"))] == list(packages())
