"""`sambertd` with the humming voice, as a process of its own: same arguments, same exit codes.

TONE_LOAD_S: seconds its voices take to load. TONE_NO_PORTAUDIO: a machine without the library.
TONE_STALL_S: seconds without a sign of life that count as a hang.
"""

from __future__ import annotations

import ctypes.util
import logging
import os
import sys
import time
from collections.abc import Callable
from functools import partial

import daemon.server
from daemon.command_line import parse
from daemon.server import Server
from daemon.voices import Shelf
from tests.daemon.tone import load_tone


def load(progress: Callable[[str], None]) -> Shelf:
    progress("loading voice tone")
    time.sleep(float(os.environ.get("TONE_LOAD_S", "0")))
    return load_tone(progress)


if __name__ == "__main__":
    if "TONE_NO_PORTAUDIO" in os.environ:
        ctypes.util.find_library = lambda name: None
    daemon.server.STALL_S = float(os.environ.get("TONE_STALL_S", daemon.server.STALL_S))
    logging.basicConfig(level="INFO")
    reread = partial(parse, sys.argv[1:], os.environ)
    sys.exit(Server(reread(), load, reread=reread).run())
