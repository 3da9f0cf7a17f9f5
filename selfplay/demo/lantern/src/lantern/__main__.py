"""`python -m lantern`: serve what a TOML file, or the command line, says."""

import argparse
import logging
import signal
import sys
import threading
from dataclasses import replace
from pathlib import Path

from lantern.assemble import assemble
from lantern.config.load import load_settings
from lantern.config.settings import Settings, StaticMount
from lantern.core.server import Server
from lantern.errors import ConfigError
from lantern.middleware.access_log import open_access_log
from lantern.runtime.counters import Counters
from lantern.runtime.identity import identify


def main(arguments: list[str] | None = None) -> int:
    """Serve until SIGINT or SIGTERM. Returns 0, 1 when requests were cut off at the end, 2 for bad settings."""
    options = _parser().parse_args(arguments)
    logging.basicConfig(level=options.log_level.upper(), format="%(levelname)s %(name)s: %(message)s")
    try:
        server = _build(_settings(options))
    except (ConfigError, OSError) as error:
        print(f"lantern: {error}", file=sys.stderr)
        return 2
    asked_to_stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: asked_to_stop.set())
    server.start()
    print(f"{server.identity.introduction()} on {server.url}", flush=True)
    asked_to_stop.wait()
    return 0 if server.stop() else 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="lantern", description="A small HTTP/1.1 server.")
    parser.add_argument("--config", type=Path, metavar="FILE", help="settings, TOML")
    parser.add_argument("--root", type=Path, metavar="DIR", help="serve the files of a directory at /")
    parser.add_argument("--host", help="address to listen on")
    parser.add_argument("--port", type=int, help="port to listen on; 0 takes a free one")
    parser.add_argument("--log-level", default="info", choices=["debug", "info", "warning", "error"])
    return parser


def _settings(options: argparse.Namespace) -> Settings:
    settings = load_settings(options.config) if options.config else Settings()
    if options.root is not None:
        settings = replace(settings, static=(*settings.static, StaticMount(prefix="/", root=options.root)))
    if options.host is not None:
        settings = replace(settings, host=options.host)
    if options.port is not None:
        settings = replace(settings, port=options.port)
    return settings


def _build(settings: Settings) -> Server:
    identity = identify(settings.instance)
    counters = Counters()
    if settings.access_log:
        open_access_log(settings.access_log)
    return Server(assemble(settings, identity, counters), settings, identity=identity, counters=counters)


if __name__ == "__main__":
    sys.exit(main())
