"""What trt_build uses of TensorRT is in every release it must build with, without TensorRT here."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
RELEASES = {"10.3", "10.16", "11.4"}
# Which class the variables of trt_build hold.
CLASSES = {
    "builder": "Builder",
    "network": "INetworkDefinition",
    "config": "IBuilderConfig",
    "parser": "OnnxParser",
    "shapes": "IOptimizationProfile",
    "error": "ParserError",
    "cache": "ITimingCache",
}


def known() -> dict[str, set[str]]:
    """Releases by name."""
    lines = (ROOT / "tests/data/tensorrt/names.tsv").read_text("utf-8").splitlines()
    return {name: set(releases.split()) for name, releases in (x.split("\t") for x in lines)}


KNOWN = known()


def chains(tree: ast.Module) -> Iterator[tuple[str, list[str]]]:
    """Every a.b.c as ("a", ["b", "c"])."""
    for node in ast.walk(tree):
        chain: list[str] = []
        at: ast.expr | ast.AST = node
        while isinstance(at, ast.Attribute):
            chain.insert(0, at.attr)
            at = at.value
        if chain and isinstance(at, ast.Name):
            yield at.id, chain


def used(tree: ast.Module) -> set[str]:
    """Names of TensorRT that a module uses, of the module `trt` and of its objects."""
    found = set()
    for root, chain in chains(tree):
        if chain[-1].startswith("__"):
            continue
        if root == "trt":
            found.add(".".join(chain))
        for holder, name in pairwise([root, *chain]):
            if holder in CLASSES:
                found.add(f"{CLASSES[holder]}.{name}")
    return found


def missing(names: set[str]) -> dict[str, set[str]]:
    """Releases that lack a name."""
    out = {}
    for name in names:
        lacking = RELEASES - KNOWN.get(name, set())
        if lacking:
            out[name] = lacking
    return out


def modules() -> list[Path]:
    """The modules that work with TensorRT: with its module, or only with objects of it."""
    return [
        path
        for path in sorted((ROOT / "trt_build").rglob("*.py"))
        if path.name == "timing_cache.py"
        or any(
            root == "trt" and chain[0] in KNOWN
            for root, chain in chains(ast.parse(path.read_text("utf-8")))
        )
    ]


def test_the_builder_is_among_them() -> None:
    assert ROOT / "trt_build/builder.py" in modules()


@pytest.mark.parametrize("path", modules(), ids=lambda path: path.name)
def test_names_are_in_every_release(path: Path) -> None:
    assert missing(used(ast.parse(path.read_text("utf-8")))) == {}


def test_names_of_some_releases_only_are_found() -> None:
    source = "trt.BuilderFlag.INT8\ntrt.HardwareCompatibilityLevel.SAME_COMPUTE_CAPABILITY\n"
    source += "trt.NoSuchThing\nconfig.set_calibration_profile(x)\nnetwork.num_layers\n"
    assert missing(used(ast.parse(source))) == {
        "BuilderFlag.INT8": {"11.4"},
        "HardwareCompatibilityLevel.SAME_COMPUTE_CAPABILITY": {"10.3"},
        "NoSuchThing": RELEASES,
        "IBuilderConfig.set_calibration_profile": {"11.4"},
    }
