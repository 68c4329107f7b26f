"""One box for all tests of this folder, with sambertd installed as a user would."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.systemd.box import SOURCE, WHEELS, Box, missing, report

REQUESTED = "SAMBERTD_SYSTEMD"  # a folder of wheels; `make test-systemd` sets it


@pytest.fixture(scope="session")
def bare_box() -> Iterator[Box]:
    """A box without sambertd."""
    wheelhouse = os.environ.get(REQUESTED)
    if not wheelhouse:
        pytest.skip("not asked for; run `sudo make test-systemd`")
    reason = missing()
    if reason:
        print(f"\n*** NOT TESTED IN A REAL SYSTEMD: {reason}", file=sys.stderr)
        pytest.skip(reason)
    box = Box(Path(wheelhouse))
    report("a systemd of our own boots", box.boot_s)
    yield box
    box.close()


@pytest.fixture(scope="session")
def box(bare_box: Box) -> Box:
    """With sambertd installed and running, and the users `kiosk`, who may speak, and `stranger`."""
    began = time.monotonic()
    words = bare_box.run(f"umask 077; make -C {SOURCE} install WHEELHOUSE={WHEELS}")
    report("make install, without network, until it is ready", time.monotonic() - began)
    assert "Installed." in words
    bare_box.run("useradd -m kiosk && usermod -aG sambertd kiosk && useradd -m stranger")
    return bare_box
