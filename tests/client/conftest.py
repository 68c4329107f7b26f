"""The daemons that the tests of the daemon speak to."""

from __future__ import annotations

from tests.daemon.conftest import *  # noqa: F403 - what its __all__ names
