"""The command line of `sambertd`: its options win over the file of settings."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import replace
from importlib import metadata
from pathlib import Path

from daemon.config import BUILDS, LOG_LEVELS, Config, checked, default, load


def parse(argv: Sequence[str], environ: Mapping[str, str]) -> Config:
    """Config from a command line. Raises ConfigError; exits as argparse does on a bad line."""
    options = _parser().parse_args(argv)
    config = load(options.config, environ) if options.config else default(environ)
    speaker = config.speaker
    if options.no_speaker:
        speaker = replace(speaker, enabled=False)
    if options.device is not None:
        speaker = replace(speaker, device=options.device)
    if options.latency is not None:
        speaker = replace(speaker, latency_s=options.latency)
    access = config.access
    if options.listen is not None:
        access = replace(access, listen=options.listen)
    engines = config.engines
    if options.build is not None:
        engines = replace(engines, build=options.build)
    if options.store is not None:
        engines = replace(engines, store=options.store)
    given = {
        "endpoint": options.endpoint,
        "voices": options.voices,
        "voice": options.voice,
        "log_level": options.log_level,
    }
    chosen = {key: value for key, value in given.items() if value is not None}
    return checked(replace(config, speaker=speaker, engines=engines, access=access, **chosen))


def only_checks(argv: Sequence[str]) -> bool:
    """Whether a command line asks for a look at the settings and no more."""
    return bool(_parser().parse_args(argv).check_config)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="sambertd",
        description="A resident Mandarin voice: text in over ZeroMQ, speech out.",
        epilog="exit codes: 0 stopped; 2 bad command line; 3 the endpoint, or that of "
        "metrics, is taken or cannot be used; 4 no usable voice; 70 internal failure; 78 bad "
        "settings. SIGHUP and `sambertctl reload` read FILE again",
    )
    version = f"%(prog)s {metadata.version('sambertd')}"
    parser.add_argument("--version", action="version", version=version)
    parser.add_argument("--config", type=Path, metavar="FILE", help="settings in TOML")
    checking = (
        "show the settings as they would count, what is wrong with them or with the voices, and end"
    )
    parser.add_argument("--check-config", action="store_true", help=checking)
    where = "ipc:///path of a socket file, or tcp://HOST:PORT: for those with a key, see --listen"
    parser.add_argument("--endpoint", help=where)
    listen = "also here, encrypted, for those with a key (`sambertctl keys`): tcp://0.0.0.0:PORT"
    parser.add_argument("--listen", metavar="ENDPOINT", help=listen)
    parser.add_argument("--voices", type=Path, metavar="DIR", help="folder of voice packs")
    parser.add_argument("--voice", metavar="NAME", help="the default voice")
    device = 'part of the name of the sound device; "null" keeps time and is not heard'
    parser.add_argument("--device", metavar="NAME", help=device)
    parser.add_argument("--latency", type=float, metavar="S", help="of the speaker, in seconds")
    building = "build engines for this box: in the background, before serving, or not at all"
    parser.add_argument("--build", choices=BUILDS, help=building)
    parser.add_argument("--store", type=Path, metavar="DIR", help="where built engines are kept")
    parser.add_argument("--no-speaker", action="store_true", help="only stream to clients")
    parser.add_argument("--log-level", choices=LOG_LEVELS)
    return parser
