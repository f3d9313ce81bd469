"""`yima server roster …`: who belongs to the unit, for the day's staff table and for the pack's roster."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

from host_tools.authority.app import Authority
from host_tools.authority.content import ROSTER_LIMIT_BYTES, read_roster, roster_csv
from host_tools.authority.keys import RING_FILE
from host_tools.files import read_limited, write_private
from host_tools.server.reports import Reports
from host_tools.server.serve import open_store
from host_tools.state import State

ROSTER_FILE = "roster.csv"

_Commands = argparse._SubParsersAction  # the type has no public name
_Parser = argparse.ArgumentParser


def add_parser(server_commands: _Commands[_Parser], common: _Parser) -> None:
    """Add `roster` to the commands of `yima server`."""
    group = server_commands.add_parser("roster", help="who belongs to the unit").add_subparsers(
        required=True, metavar="COMMAND"
    )
    for name, action, words in (
        ("add", _add, "take people in from a CSV file: sub,role[,name]"),
        ("remove", _remove, "take the people of such a file out"),
    ):
        command = group.add_parser(name, parents=[common], help=words)
        command.add_argument("file", type=Path, metavar="FILE.csv")
        command.add_argument("--place", default="", help="the roster of one place; all places if not given")
        command.set_defaults(action=action)
    command = group.add_parser("show", parents=[common], help="how many people each place has")
    command.set_defaults(action=_show)


def _add(options: argparse.Namespace) -> int:
    people = read_roster(read_limited(options.file, ROSTER_LIMIT_BYTES), str(options.file))
    return _change(options, lambda reports: reports.add_staff(people, options.place), "people now")


def _remove(options: argparse.Namespace) -> int:
    people = read_roster(read_limited(options.file, ROSTER_LIMIT_BYTES), str(options.file))
    return _change(options, lambda reports: reports.remove_staff(list(people), options.place), "taken out")


def _change(options: argparse.Namespace, change: Callable[[Reports], int], words: str) -> int:
    state = State(options.state)
    store = open_store(state)
    try:
        reports = Reports(store)
        print(f"{change(reports)} {words}")
        whole = {person.sub: (person.role, person.name) for person in reports.roster()}
    finally:
        store.close()
    file = state.server / ROSTER_FILE
    write_private(file, roster_csv(whole))
    if not (state.authority / RING_FILE).exists():
        print(f"for the pack, the authority takes {file} by: yima pack roster")
        return 0
    part = Authority(state)
    part.packs.keep_roster(file)
    print(f"pack version {part.packs.current(part.now_unix()).version}")
    return 0


def _show(options: argparse.Namespace) -> int:
    store = open_store(State(options.state))
    try:
        places = [person.place for person in Reports(store).roster()]
    finally:
        store.close()
    for place in sorted(set(places)):
        print(f"{places.count(place):6} {place or 'all places'}")
    return 0
