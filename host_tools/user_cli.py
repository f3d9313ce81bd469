"""`yima server user`: accounts of the console."""

from __future__ import annotations

import argparse
import contextlib
import getpass
import sys
from collections.abc import Iterator
from pathlib import Path

from host_tools import clockpage
from host_tools.files import FileTrouble
from host_tools.server.accounts import MAY, Accounts
from host_tools.server.serve import open_store
from host_tools.state import State


def add_parser(
    group: argparse._SubParsersAction[argparse.ArgumentParser], common: argparse.ArgumentParser
) -> None:
    """Add `user` to the commands of `yima server`."""
    commands = group.add_parser("user", help="accounts of the console").add_subparsers(
        required=True, metavar="COMMAND"
    )
    command = commands.add_parser("add", parents=[common], help="a new account, or another password")
    command.add_argument("name")
    command.add_argument("--role", choices=list(MAY), required=True)
    command.add_argument("--scope", default="", metavar="TEXT", help="how the places' names begin")
    command.add_argument("--password-file", type=Path, metavar="FILE", help="else it is asked for")
    command.set_defaults(action=_add)
    command = commands.add_parser("disable", parents=[common], help="lock an account, end its sessions")
    command.add_argument("name")
    command.set_defaults(action=_disable)
    command = commands.add_parser("list", parents=[common], help="print the accounts")
    command.set_defaults(action=_list)


@contextlib.contextmanager
def _accounts(options: argparse.Namespace) -> Iterator[Accounts]:
    store = open_store(State(options.state))
    try:
        yield Accounts(store)
    finally:
        store.close()


def _password(path: Path | None) -> str:
    if path is not None:
        return path.read_text("utf-8").rstrip("\n")
    if not sys.stdin.isatty():
        return sys.stdin.readline().rstrip("\n")
    password = getpass.getpass("password: ")
    if getpass.getpass("again: ") != password:
        raise FileTrouble("the two passwords differ")
    return password


def _add(options: argparse.Namespace) -> int:
    password = _password(options.password_file)
    with _accounts(options) as accounts:
        accounts.add(options.name, options.role, options.scope, password, int(clockpage.now()))
    return 0


def _disable(options: argparse.Namespace) -> int:
    with _accounts(options) as accounts:
        if not accounts.disable(options.name, int(clockpage.now())):
            raise FileTrouble(f"{options.name}: no such account")
    return 0


def _list(options: argparse.Namespace) -> int:
    with _accounts(options) as accounts:
        found = accounts.all()
    for account in found:
        state = "" if account.disabled_unix is None else "  disabled"
        print(f"{account.name}  {account.role}  {account.scope or '-'}{state}")
    return 0
