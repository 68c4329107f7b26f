"""Print what this machine has and lacks, for engines and for sound, as a report to paste.

The sound: every device with the rates it takes, what keeps this user from a card, and then, on the
device of the settings, a tone and a sentence to listen to. Where a daemon runs it has that device,
and plays both (unless --device names another). --silent plays nothing. The settings are those of
--config, else those of the service where it is installed.

With --gpu it makes and tries the engines of the voices named, as `build` does, and leaves the sound
out. That takes from minutes to an hour. Engines in use are left alone. The report, on stdout, names
hardware, software and programs that use the sound, and no person or network.

    sambertctl doctor
    sambertctl doctor --device USB
    sambertctl doctor --gpu voices/yue > report.md
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import sys
from collections.abc import Sequence
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path

from sambertd_client.endpoint import client_endpoint
from sambertd_client.exits import INTERRUPTED, REFUSED, WRONG, tell, wants_json
from sambertd_client.parser import Parser

from daemon import sound_check
from daemon.config import Config, checked, default, load
from daemon.config_errors import ConfigError
from daemon.device import SpeakerError
from daemon.sound_trial import Tell
from engines.device import device
from engines.errors import EngineError
from trt_build.commands import doctor as engines
from trt_build.errors import BuildError
from trt_build.machine import facts

CONFIG = "config"  # the code of settings that are wrong
SYSTEM_CONFIG = Path("/etc/sambertd/sambertd.toml")


def main(argv: Sequence[str] | None = None) -> int:
    """`sambertctl doctor`."""
    arguments = sys.argv[1:] if argv is None else argv
    made = parser(as_json=wants_json(arguments))
    options = made.parse_args(arguments)
    if options.json and options.gpu:
        made.error("--json is not for --gpu, whose report is to be read")
    logging.getLogger("daemon").addHandler(logging.NullHandler())  # the report says it all
    try:
        config = _config(options)
        if options.json:
            return _as_json(config, options)
        code = engines.run(options)
        if options.gpu or options.no_sound:
            return code
        return code or int(not _sound(config, options))
    except ConfigError as error:
        return _failed(WRONG, CONFIG, error, options)
    except (EngineError, BuildError) as error:
        return _failed(REFUSED, error.code, error, options)
    except KeyboardInterrupt:
        return INTERRUPTED


def _failed(exit_code: int, code: str, error: Exception, options: argparse.Namespace) -> int:
    if options.json:
        tell(code, str(error))
    else:
        print(f"sambertctl doctor: {error} [{code}]", file=sys.stderr)
    return exit_code


def _sound(config: Config, options: argparse.Namespace) -> bool:
    tell = partial(print, flush=True)
    tell("\n### Sound\n")
    if not options.config and SYSTEM_CONFIG.is_file():
        tell(f"The settings are those of {SYSTEM_CONFIG}.\n")
    found: list[sound_check.Output] = []
    try:
        found = sound_check.devices()
        if found:
            tell(sound_check.listed(found))
        for remark in sound_check.remarks(found):
            tell(f"\n{remark}")
    except SpeakerError as error:
        tell(f"{error}.")
    tell("")
    return _well(config, options, found, tell)


def _as_json(config: Config, options: argparse.Namespace) -> int:
    found: list[sound_check.Output] = []
    told: list[str] = []
    ok = True
    if not options.no_sound:
        try:
            found = sound_check.devices()
            told.extend(sound_check.remarks(found))
        except SpeakerError as error:
            told.append(f"{error}.")
        ok = _well(config, options, found, told.append)
    machine = {str(what): value for what, value in facts(device())}
    report = {"ok": ok, "machine": machine, "devices": list(map(asdict, found)), "told": told}
    print(json.dumps(report, ensure_ascii=False))
    return int(not ok)


def _well(
    config: Config,
    options: argparse.Namespace,
    found: Sequence[sound_check.Output],
    tell: Tell,
) -> bool:
    if options.silent:
        return bool(found)
    return sound_check.heard(config, tell, own=options.device is not None)


def _config(options: argparse.Namespace) -> Config:
    """Raises ConfigError."""
    path = options.config or (SYSTEM_CONFIG if SYSTEM_CONFIG.is_file() else None)
    config = load(path, os.environ) if path else default(os.environ)
    if not options.config:
        config = replace(config, endpoint=client_endpoint())
    if options.endpoint:
        config = replace(config, endpoint=options.endpoint)
    if options.device is not None:
        config = replace(config, speaker=replace(config.speaker, device=options.device))
    return checked(config)


def parser(*, as_json: bool = False) -> argparse.ArgumentParser:
    """Of its command line; completion reads it too."""
    made = Parser(prog="sambertctl doctor", description=__doc__, as_json=as_json)
    engines.add_arguments(made)
    made.add_argument("--json", action="store_true", help="the report for programs; not of --gpu")
    sound = made.add_argument_group("sound")
    sound.add_argument("--silent", action="store_true", help="look, but play nothing")
    sound.add_argument("--no-sound", action="store_true", help="leave the sound out")
    sound.add_argument("--config", type=Path, metavar="FILE", help="the daemon's settings")
    sound.add_argument("--device", metavar="NAME", help="part of the name of the sound device")
    sound.add_argument("--endpoint", help="of a daemon that may run")
    return made


if __name__ == "__main__":
    sys.exit(main())
