"""The command `yima`."""

from __future__ import annotations

import argparse
import importlib.metadata
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from firmware.core.errors import CoreError
from host_tools import (
    authority_cli,
    cable_cli,
    clockpage,
    demo,
    enrol_cli,
    pack_cli,
    roster_cli,
    rules_cli,
    run,
    serving,
    user_cli,
)
from host_tools.authority import app as authority
from host_tools.authority.fields import PeopleTrouble
from host_tools.device.build import ROOT, BuildError
from host_tools.device.image import ImageError
from host_tools.files import FileTrouble
from host_tools.packfile import PackTrouble
from host_tools.server import serve as server
from host_tools.state import (
    AUTHORITY_PORT,
    CONSOLE_PORT,
    DEFAULT_PORT_BASE,
    DEVICES_PORT,
    HANDHELD_PORT,
    HOST,
    MOST_DEVICES,
    State,
)

DEFAULT_STATE = Path(".yima")
#: The command line or a file given on it is wrong.
BAD_INPUT = 2
#: The system could not be kept running.
BROKEN = 1


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; the exit status."""
    options = _parser().parse_args(arguments)
    if getattr(options, "database", None):
        os.environ[server.DATABASE_VARIABLE] = options.database
    try:
        status: int = options.action(options)
        return status
    except (FileTrouble, PackTrouble, PeopleTrouble, CoreError) as e:
        return _complain(str(e), BAD_INPUT)
    except (run.RunTrouble, cable_cli.CableTrouble, clockpage.ClockTrouble, BuildError, ImageError) as e:
        return _complain(str(e), BROKEN)
    except OSError as e:
        # Disk full, no permission, address in use: what is wrong stands in the error itself.
        return _complain(str(e), BROKEN)
    except KeyboardInterrupt:
        return 130


def _complain(message: str, status: int) -> int:
    print(f"yima: {message}", file=sys.stderr)
    return status


def _parser() -> argparse.ArgumentParser:
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument(
        "--state", type=Path, default=DEFAULT_STATE, metavar="DIR", help="where everything is kept (.yima)"
    )
    parser = argparse.ArgumentParser(
        prog="yima", description="Health code checking: authority, fleet server and handheld."
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    command = commands.add_parser("run", parents=[common], help="run authority, server and handheld")
    command.add_argument("--port-base", type=_port_base, default=DEFAULT_PORT_BASE, metavar="N")
    command.add_argument("--no-browser", action="store_true", help="only print the pages' addresses")
    _add_devices(command)
    command.set_defaults(action=_run)

    command = commands.add_parser(
        "demo", parents=[common], help="play a passenger queue; status 1 if anything differs"
    )
    command.set_defaults(action=_demo)

    command = commands.add_parser("scenario", help="play scenarios at the door; status 1 if anything differs")
    command.add_argument("files", nargs="*", type=Path, metavar="FILE", help="default: all of them")
    command.add_argument("--shots", type=Path, metavar="DIR", help="where pictures of the screen go")
    command.set_defaults(action=_scenario)

    command = commands.add_parser(
        "camera-table", help="how many of a phone's positions before the camera still read"
    )
    command.add_argument("--write", type=Path, metavar="FILE", help="a page with marks for the tables")
    command.set_defaults(action=_camera_table)

    command = commands.add_parser("sim", parents=[common], help="the simulated handheld alone")
    command.add_argument("--port", type=_port, default=DEFAULT_PORT_BASE + HANDHELD_PORT)
    command.add_argument("--authority", default=f"http://{HOST}:{DEFAULT_PORT_BASE + AUTHORITY_PORT}")
    _add_devices(command)
    command.set_defaults(action=_sim)

    _add_authority(commands, common)
    _add_server(commands, common)
    cable_cli.add_parser(commands, common)
    pack_cli.add_parser(commands, common)
    _add_trust(commands, common)
    rules_cli.add_parser(commands)

    command = commands.add_parser("version", help="print the version")
    command.set_defaults(action=_version)
    return parser


def _add_devices(command: argparse.ArgumentParser) -> None:
    command.add_argument("--devices", type=_devices, default=1, metavar="N", help="so many handhelds")
    command.add_argument("--serial", action="store_true", help="with serial ports for mpremote")
    command.add_argument("--speed", type=_speed, default=1, metavar="N", help="time runs N times as fast")


_Commands = argparse._SubParsersAction  # the type has no public name


def _add_authority(commands: _Commands[argparse.ArgumentParser], common: argparse.ArgumentParser) -> None:
    group = commands.add_parser("authority", help="the issuer of codes").add_subparsers(
        required=True, metavar="COMMAND"
    )
    command = group.add_parser("serve", parents=[common], help="town, wallets, intakes, office on 127.0.0.1")
    command.add_argument("--port", type=_port, default=DEFAULT_PORT_BASE + AUTHORITY_PORT)
    command.set_defaults(action=_authority_serve)
    authority_cli.add_commands(group, common)


def _add_server(commands: _Commands[argparse.ArgumentParser], common: argparse.ArgumentParser) -> None:
    common = argparse.ArgumentParser(add_help=False, parents=[common])
    common.add_argument(
        "--database", metavar="URL", help=f"PostgreSQL instead of a file; better: {server.DATABASE_VARIABLE}"
    )
    group = commands.add_parser("server", help="the fleet server").add_subparsers(
        required=True, metavar="COMMAND"
    )
    command = group.add_parser("serve", parents=[common], help="device port (TLS) and console on 127.0.0.1")
    command.add_argument("--port", type=_port, default=DEFAULT_PORT_BASE + DEVICES_PORT)
    command.add_argument("--console-port", type=_port, default=DEFAULT_PORT_BASE + CONSOLE_PORT)
    command.add_argument("--authority", metavar="URL", help="where packs come from")
    command.set_defaults(action=_server_serve)
    enrol_cli.add_parser(group, common)
    command = group.add_parser(
        "sealing-key", parents=[common], help="write the public key that handhelds seal their records for"
    )
    command.add_argument("file", type=Path, metavar="FILE", help="yima pack sealing-key takes it")
    command.set_defaults(action=_server_sealing_key)
    roster_cli.add_parser(group, common)
    user_cli.add_parser(group, common)


def _add_trust(commands: _Commands[argparse.ArgumentParser], common: argparse.ArgumentParser) -> None:
    group = commands.add_parser("trust", help="foreign issuers").add_subparsers(
        required=True, metavar="COMMAND"
    )
    command = group.add_parser("add", parents=[common], help="trust the signers of EU certificates")
    command.add_argument("certificates", nargs="+", type=Path, metavar="CERT", help="X.509, PEM or DER")
    command.set_defaults(action=_trust_add)


def _run(options: argparse.Namespace) -> int:
    state, browser = State(options.state), not options.no_browser
    return run.run(state, options.port_base, browser, options.devices, options.serial, options.speed)


def _demo(options: argparse.Namespace) -> int:
    return demo.demo(State(options.state))


def _scenario(options: argparse.Namespace) -> int:
    argv = [sys.executable, "-m", "simulator.play", *(str(path.resolve()) for path in options.files)]
    if options.shots:
        argv += ["--shots", str(options.shots.resolve())]
    return subprocess.run(argv, cwd=ROOT).returncode


def _camera_table(options: argparse.Namespace) -> int:
    argv = [sys.executable, "-m", "simulator.reading"]
    if options.write:
        argv += ["--write", str(options.write.resolve())]
    return subprocess.run(argv, cwd=ROOT).returncode


def _sim(options: argparse.Namespace) -> int:
    argv = [sys.executable, "-m", "simulator"]
    for profile in State(options.state.resolve()).handhelds(options.devices):
        if not (profile / run.FLASH_IMAGE).exists():
            # Not enrolled: it works offline with what it is given by cable, or by `yima run`.
            run.install(profile, None)
        argv += ["--profile", str(profile)]
    sealing = State(options.state.resolve()).server / server.SEALING
    argv += ["--sealing-keys", str(sealing)] if sealing.is_dir() else []
    argv += ["--serial"] if options.serial else []
    argv += ["--speed", str(options.speed)] if options.speed > 1 else []
    os.chdir(ROOT)
    return subprocess.run([*argv, "--port", str(options.port), "--authority", options.authority]).returncode


def _authority_serve(options: argparse.Namespace) -> int:
    part = authority.Authority(State(options.state))
    app = authority.make_app(part)
    print(f"office: http://{HOST}:{options.port}/office/ (password: yima authority password)", flush=True)
    serving.run([serving.Listener(app, options.port)])
    return 0


def _server_serve(options: argparse.Namespace) -> int:
    server.run(State(options.state), server.Ports(options.port, options.console_port), options.authority)
    return 0


def _server_sealing_key(options: argparse.Namespace) -> int:
    public, kid = server.open_keys(State(options.state)).public()
    options.file.write_text(public.hex() + "\n", "ascii")
    print(f"sealing key {kid.hex()}")
    return 0


def _trust_add(options: argparse.Namespace) -> int:
    part = authority.Authority(State(options.state))
    for path in options.certificates:
        for imported in part.certificates.add(path):
            word = "added" if imported.new else "known already"
            print(f"{imported.kid.hex()}  {imported.issuer}  {imported.algorithm}  {word}")
    print(f"pack version {part.packs.current(part.now_unix()).version}")
    return 0


def _version(options: argparse.Namespace) -> int:
    print(f"yima {importlib.metadata.version('yima')}")
    return 0


def _date(unix: int) -> str:
    return time.strftime("%Y-%m-%d %H:%M", time.gmtime(unix))


def _port(text: str) -> int:
    port = int(text)
    if not 1 <= port <= 65_535:
        raise argparse.ArgumentTypeError("a port is a number from 1 to 65535")
    return port


def _speed(text: str) -> int:
    speed = int(text)
    if not 1 <= speed <= clockpage.FASTEST:
        raise argparse.ArgumentTypeError(f"from 1 to {clockpage.FASTEST}")
    return speed


def _devices(text: str) -> int:
    count = int(text)
    if not 1 <= count <= MOST_DEVICES:
        raise argparse.ArgumentTypeError(f"from 1 to {MOST_DEVICES}")
    return count


def _port_base(text: str) -> int:
    base = int(text)
    most = 65_535 - HANDHELD_PORT - MOST_DEVICES
    if not 1024 <= base <= most:
        raise argparse.ArgumentTypeError(f"from 1024 to {most}")
    return base


if __name__ == "__main__":
    sys.exit(main())
