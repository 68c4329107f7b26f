"""The house as it is installed: names, commands, versions, wheels, pins, make."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
import zipfile
from importlib import metadata
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement

from release.pins import LOCK, hashes

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("daemon", "engines", "trt_build")
MAX_LINES = 330
# Folders of somebody's machine; the brackets keep this line from finding itself.
MACHINE_PATH = re.compile(r"(?<![\w.])/(?:wor[k]|roo[t]|Users/\w+|hom[e]/(?!robot\b|pi\b)\w+)/")


def read_toml(path: str) -> dict[str, Any]:
    return tomllib.loads((ROOT / path).read_text("utf-8"))


PROJECT = read_toml("pyproject.toml")
CLIENT = read_toml("client/pyproject.toml")


@pytest.fixture(scope="session")
def files() -> list[Path]:
    """Every file of the checkout that git does not ignore."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    if listed.returncode:
        pytest.skip("no git checkout")
    paths = (ROOT / name for name in listed.stdout.split("\0") if name)
    return [path for path in paths if path.is_file()]


def python(code: str, cwd: Path) -> str:
    """What a fresh interpreter prints, with nothing but the installed packages on its path."""
    done = subprocess.run([sys.executable, "-I", "-c", code], cwd=cwd, capture_output=True)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout.decode().strip()


# --- names: python-daemon also calls its package "daemon"


def test_daemon_is_ours(tmp_path: Path) -> None:
    found = python("import daemon; print(daemon.__file__)", tmp_path)
    assert Path(found) == ROOT / "daemon" / "__init__.py"


def test_daemon_survives_python_daemon() -> None:
    # Its wheel would overwrite __init__.py and add daemon/daemon.py and daemon/pidfile.py.
    assert (ROOT / "daemon/__init__.py").read_bytes() == b""
    assert not list((ROOT / "daemon").rglob("daemon.py"))
    assert not list((ROOT / "daemon").rglob("pidfile.py"))
    assert "python-daemon" not in {dist.name.lower() for dist in metadata.distributions()}


# --- commands


def test_commands_resolve() -> None:
    scripts = metadata.entry_points(group="console_scripts")
    for name in ("sambertd", "sambertctl"):
        assert callable(scripts[name].load())


def test_extra_commands_resolve() -> None:
    points = metadata.entry_points(group="sambertctl.commands")
    assert "text" in points.names
    for point in points:
        assert callable(point.load())


# --- versions


def test_versions_agree() -> None:
    changelog = (ROOT / "CHANGELOG.md").read_text("utf-8")
    newest = re.search(r"^## \[?(\d+\.\d+\.\d+)", changelog, re.MULTILINE)
    assert newest is not None
    version = PROJECT["project"]["version"]
    assert CLIENT["project"]["version"] == version
    assert newest[1] == version


@pytest.mark.parametrize("project", [PROJECT, CLIENT], ids=["sambertd", "sambertd-client"])
def test_installed_version_is_the_checkout(project: dict[str, Any]) -> None:
    about = project["project"]
    assert metadata.version(about["name"]) == about["version"]


# --- the client is light

ONLY = """
import sys
class Only:
    @staticmethod
    def find_spec(name, path=None, target=None):
        top = name.partition(".")[0]
        if top not in sys.stdlib_module_names and top not in {allowed}:
            raise ModuleNotFoundError(name, name=name)
sys.meta_path.insert(0, Only)
"""


def test_client_needs_only_its_three_dependencies(tmp_path: Path) -> None:
    allowed = {"sambertd_client", "zmq", "msgpack", "msgspec"}
    code = ONLY.replace("{allowed}", repr(allowed))
    whole = "import sambertd_client.cli; print('fine')"
    assert python(code + whole, tmp_path) == "fine"
    with pytest.raises(AssertionError, match="ModuleNotFoundError: numpy"):
        python(code + "import numpy", tmp_path)


# --- wheels


def build_wheel(project: Path, out: Path) -> set[str]:
    """The names of the files in a project's wheel, less its metadata."""
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(out)]
    done = subprocess.run(command, cwd=project, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    (wheel,) = out.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        return {name for name in archive.namelist() if ".dist-info/" not in name}


def below(files: list[Path], base: Path, *folders: str) -> set[str]:
    names = (path.relative_to(base) for path in files if path.is_relative_to(base))
    return {name.as_posix() for name in names if name.parts[0] in folders}


def test_wheel_holds_the_packages_and_their_data(files: list[Path], tmp_path: Path) -> None:
    names = build_wheel(ROOT, tmp_path)
    assert names == below(files, ROOT, *PACKAGES)
    assert "engines/text/data/g2pm/g2pm.npz" in names


def test_client_wheel_holds_the_client(files: list[Path], tmp_path: Path) -> None:
    names = build_wheel(ROOT / "client", tmp_path)
    assert names == below(files, ROOT / "client/src", "sambertd_client")
    assert "sambertd_client/py.typed" in names


# --- pins

PYTHONS = ("3.10", "3.11", "3.12", "3.13")
MACHINES = ("x86_64", "aarch64")
RUN_TIME = (
    *PROJECT["project"]["dependencies"],
    *PROJECT["project"]["optional-dependencies"]["cpu"],
    *CLIENT["project"]["dependencies"],
    *PROJECT["dependency-groups"]["build"],
)
DEVELOPMENT = (
    *RUN_TIME,
    *PROJECT["project"]["optional-dependencies"]["export"],
    *PROJECT["project"]["optional-dependencies"]["train"],
    *PROJECT["project"]["optional-dependencies"]["dev"],
)


def canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def pins(lock: str, environment: dict[str, str]) -> dict[str, str]:
    """Versions by name where a lock file is installed; each name once."""
    found: dict[str, str] = {}
    for line in (ROOT / lock).read_text("utf-8").splitlines():
        if line.startswith("#"):
            continue
        pin = Requirement(line)
        if pin.marker is None or pin.marker.evaluate(environment):
            assert canonical(pin.name) not in found, line
            (spec,) = pin.specifier
            assert spec.operator == "==", line
            found[canonical(pin.name)] = spec.version
    return found


ENVIRONMENTS = [
    {
        "python_version": version,
        "python_full_version": f"{version}.9",
        "platform_machine": machine,
        "sys_platform": "linux",
    }
    for version, machine in product(PYTHONS, MACHINES)
]


@pytest.mark.parametrize(
    ("lock", "wanted"),
    [("requirements.lock", RUN_TIME), ("requirements-dev.lock", DEVELOPMENT)],
    ids=["run-time", "development"],
)
def test_lock_fits_the_project(lock: str, wanted: tuple[str, ...]) -> None:
    for environment in ENVIRONMENTS:
        pinned = pins(lock, environment)
        for requirement in map(Requirement, wanted):
            name = canonical(requirement.name)
            if name in ("sambertd", "sambertd-client"):
                continue
            if requirement.marker is None or requirement.marker.evaluate(environment):
                assert name in pinned, f"{name}: run `make lock`"
                assert requirement.specifier.contains(pinned[name]), f"{name}: run `make lock`"


def test_run_time_pins_are_the_tested_ones() -> None:
    for environment in ENVIRONMENTS:
        tested = pins("requirements-dev.lock", environment)
        assert pins("requirements.lock", environment).items() <= tested.items()


@pytest.mark.parametrize("lock", ["requirements.lock", "requirements-dev.lock"])
def test_lock_names_packages_and_nothing_else(lock: str) -> None:
    text = (ROOT / lock).read_text("utf-8")
    assert "://" not in text
    assert "python-daemon" not in text
    assert not re.search(r"^(nvidia|cuda|triton)", text, re.MULTILINE)


def test_every_run_time_pin_has_its_hashes() -> None:
    known = hashes()
    lines = [line for line in LOCK.read_text("utf-8").splitlines() if not line.startswith("#")]
    assert sorted(known) == sorted(line.split(" ")[0] for line in lines), "run `make lock`"
    assert all(known.values())
    assert "requirements.hashes" in (ROOT / "Makefile").read_text("utf-8")


def test_run_time_has_no_torch() -> None:
    assert "torch" not in pins("requirements.lock", ENVIRONMENTS[0])


# --- imports


def is_typing_only(node: ast.stmt) -> bool:
    return isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"


def imported(path: Path) -> set[str]:
    """Top-level names of the absolute imports of a module, but those for type checkers alone."""
    names: set[str] = set()
    tree = ast.parse(path.read_text("utf-8"))
    tree.body = [node for node in tree.body if not is_typing_only(node)]
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names.update(alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names.add(node.module.partition(".")[0])
    return names


@pytest.mark.parametrize(
    ("folder", "declared"),
    [
        ("client/src", CLIENT["project"]["dependencies"]),
        ("daemon", RUN_TIME),
        ("engines", (*RUN_TIME, *PROJECT["project"]["optional-dependencies"]["gpu"])),
        ("trt_build/export", (*RUN_TIME, *PROJECT["project"]["optional-dependencies"]["export"])),
        ("examples", CLIENT["project"]["dependencies"]),
        ("training", DEVELOPMENT),
        ("benchmarks", DEVELOPMENT),
        ("release", (*RUN_TIME, "packaging")),
        ("tests", DEVELOPMENT),
    ],
)
def test_what_is_imported_is_declared(folder: str, declared: tuple[str, ...]) -> None:
    allowed = {canonical(Requirement(text).name) for text in declared}
    allowed |= {"sambertd", "sambertd-client"}
    distributions = metadata.packages_distributions()
    for path in (ROOT / folder).rglob("*.py"):
        for name in imported(path) - sys.stdlib_module_names:
            if (ROOT / name).is_dir():
                continue
            found = {canonical(dist) for dist in distributions.get(name, [name])}
            assert found & allowed, f"{path}: {name} is not in pyproject.toml"


# --- make


def bare_checkout(folder: Path) -> Path:
    """A folder with what `make say` reads, where .venv/bin/sambertctl prints its arguments."""
    (folder / "client").mkdir()
    for name in ("Makefile", "pyproject.toml", "client/pyproject.toml", "requirements.hashes"):
        (folder / name).write_bytes((ROOT / name).read_bytes())
    return folder


def make(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    outer = ("MAKEFLAGS", "MAKELEVEL", "TEXT", "OUT", "PYTHON", "PIP_ARGS")  # where make runs us
    environment = {key: value for key, value in os.environ.items() if key not in outer}
    return subprocess.run(
        ["make", *arguments], cwd=folder, env=environment, capture_output=True, text=True
    )


@pytest.mark.parametrize(
    "text",
    [
        "今天，天气“真好”！",
        """a "b" 'c' `d` \\ $HOME $(HOME) $(shell false) $$ # 50% ; | & *""",
        "-5度",
        "两行\n文字",
        "",
    ],
)
def test_make_say_hands_the_text_on_as_it_is(text: str, tmp_path: Path) -> None:
    folder = bare_checkout(tmp_path)
    command = folder / ".venv/bin/sambertctl"
    command.parent.mkdir(parents=True)
    command.write_text(f"#!{sys.executable}\nimport sys\nprint(sys.argv[1:])\n")
    command.chmod(0o755)
    (folder / ".venv/.run-ready").touch()
    spoken = make(folder, "say", f"TEXT={text}")
    assert spoken.stdout == f"{['say', '--autostart', '--fallback', 'speech.wav', '--', text]}\n"
    written = make(folder, "say", f"TEXT={text}", "OUT=a $b.wav")
    assert written.stdout == f"{['say', '--autostart', '--out', 'a $b.wav', '--', text]}\n"


def test_make_without_a_python_names_the_cure(tmp_path: Path) -> None:
    done = make(bare_checkout(tmp_path), "say", "PYTHON=no-such-python")
    assert done.returncode != 0
    assert "sudo apt install python3 python3-venv" in done.stderr
    assert not (tmp_path / ".venv").exists()


def test_make_without_the_module_venv_names_the_cure(tmp_path: Path) -> None:
    folder = bare_checkout(tmp_path)
    bare = folder / "python3.12"  # as Debian's, where python3.12-venv is not installed
    bare.write_text(
        f"#!{sys.executable} -I\nimport sys\nsys.modules['ensurepip'] = None\nexec(sys.argv[2])\n"
    )
    bare.chmod(0o755)
    done = make(folder, "say", f"PYTHON={bare}")
    assert done.returncode != 0
    assert "sudo apt install python3.12-venv" in done.stderr
    assert not (tmp_path / ".venv").exists()


def test_help_lists_every_target() -> None:
    text = make(ROOT, "help").stdout
    phony = re.search(r"^\.PHONY: (.*)$", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE)
    assert phony is not None
    for target in phony[1].split():
        assert f"  make {target} " in text


# --- habits of the house


def test_no_package_marker_in_tests(files: list[Path]) -> None:
    assert [path for path in files if path.match("tests/**/__init__.py")] == []


def test_files_stay_readable(files: list[Path]) -> None:
    code = (path for path in files if path.suffix == ".py" and ROOT / "tests" not in path.parents)
    long = {path.name: len(path.read_text("utf-8").splitlines()) for path in code}
    assert {name: lines for name, lines in long.items() if lines > MAX_LINES} == {}


def test_no_machine_paths(files: list[Path]) -> None:
    found = []
    for path in files:
        content = path.read_bytes()
        if b"\0" not in content and MACHINE_PATH.search(content.decode("utf-8", "replace")):
            found.append(path.relative_to(ROOT))
    assert found == []
