"""`yima pack …`: what the authority's packs hold, and the ways by which they leave without a network."""

from __future__ import annotations

import argparse
import getpass
import sys
import time
from pathlib import Path

from firmware.core import pack
from host_tools.authority import content, eu_rules, rule_files, sheets
from host_tools.authority.app import Authority
from host_tools.authority.keys import ROLES
from host_tools.authority.revocations import KINDS, LOG_LIMIT_BYTES, Revoked, parse
from host_tools.files import FileTrouble, read_limited, write_private
from host_tools.state import State

PARTS = {
    "keys": pack.KEYS,
    "revocations": pack.REVOCATIONS,
    "changes": pack.REVOCATION_CHANGES,
    "scenes": pack.SCENES,
    "rules": pack.RULES,
    "value-sets": pack.VALUE_SETS,
    "texts": pack.TEXTS,
    "roster": pack.ROSTER,
    "sealing-key": pack.SEALING_KEY,
    "config": pack.CONFIG,
}
CODE_KINDS = {1: "live", 2: "printed", 3: "EU certificate", 4: "place"}

_Commands = argparse._SubParsersAction  # the type has no public name
_Parser = argparse.ArgumentParser


def add_parser(commands: _Commands[_Parser], common: _Parser) -> None:
    """Add `pack` to the commands of `yima`."""
    pack_parser = commands.add_parser("pack", help="what handhelds trust: keys, revocations, scenes, rules")
    group = pack_parser.add_subparsers(required=True, metavar="COMMAND")

    def command(name: str, action: object, words: str) -> _Parser:
        made = group.add_parser(name, parents=[common], help=words)
        made.set_defaults(action=action)
        return made

    command("build", _build, "sign a new pack if anything has changed")
    command("show", _show, "print what the pack holds")
    made = command("file", _file, "write the pack as one file, for a cable or a memory stick")
    made.add_argument("out", type=Path, metavar="OUT.ypk")
    _add_only(made)
    made = command("sheet", _sheet, "write the pack as QR pictures on A4 pages")
    made.add_argument("out", type=Path, metavar="OUT.pdf")
    _add_only(made)
    for name, action, words in (
        ("revoke", _revoke, "no handheld shall let this pass any more"),
        ("unrevoke", _unrevoke, "take a revocation back"),
    ):
        made = command(name, action, words)
        made.add_argument("kind", choices=tuple(KINDS))
        made.add_argument("identity", nargs="*", metavar="HEX", help="sub, cti or kid")
        made.add_argument("--file", type=Path, metavar="FILE", help="one identity on each line")
    made = command("withdraw-key", _withdraw_key, "stop an issuer key at once")
    made.add_argument("kid", metavar="KID")
    made = command("rotate-issuer", _rotate_issuer, "a new issuer key beside the old one")
    made.add_argument("label", choices=tuple(ROLES))
    command("rotate-root", _rotate_root, "a new root key, vouched for by the old one")
    made = command("roster", _roster, "take the unit's roster from a CSV file: sub,role[,name]")
    made.add_argument("file", type=Path, metavar="FILE.csv")
    command("pin", _pin, "set the PIN that handhelds ask for: it is asked for here, or read from a pipe")
    made = command("sealing-key", _sealing_key, "take the server's key for sealed journals")
    made.add_argument("file", type=Path, metavar="FILE")
    made = command("rules", _rules, "take rules from a file or folder; `default` for the notice's")
    made.add_argument("file", type=Path, metavar="FILE")
    made.add_argument("--country", default="", metavar="XX", help="whose acceptance rules of the EU count")
    made.add_argument("--value-sets", type=Path, metavar="FILE")


def _add_only(command: _Parser) -> None:
    command.add_argument(
        "--only",
        nargs="+",
        choices=tuple(PARTS),
        metavar="PART",
        help=f"leave the others out, for handhelds that have them: {', '.join(PARTS)}",
    )


def _authority(options: argparse.Namespace) -> Authority:
    return Authority(State(options.state))


def _tell(part: Authority) -> int:
    issued = part.packs.current(part.now_unix())
    print(f"pack version {issued.version}")
    return 0


def _build(options: argparse.Namespace) -> int:
    return _tell(_authority(options))


def _show(options: argparse.Namespace) -> int:
    part = _authority(options)
    manifest = part.packs.current(part.now_unix()).manifest
    issued, expires = _date(manifest.issued_unix), _date(manifest.expires_unix)
    print(f"version {manifest.version}, issued {issued}, expires {expires}")
    print(f"root key {part.keys.root_kid.hex()}")
    names = {number: name for name, number in PARTS.items()}
    for kind, length, digest in manifest.parts():
        print(f"part {names.get(kind, str(kind)):12} {length:8} bytes  {digest.hex()[:16]}")
    for key in part.packs.issuer_keys(part.now_unix()):
        words = ", ".join(CODE_KINDS[kind] for kind in key.kinds)
        span = f"{_date(key.not_before_unix)} to {_date(key.not_after_unix)}"
        print(f"{key.kid.hex()}  {key.issuer:8} {words}, COSE algorithm {key.alg}, {span}")
    revoked = part.packs.revocations.all()
    for what in KINDS:
        print(f"revoked {what}s: {sum(entry.kind == what for entry in revoked)}")
    return 0


def _file(options: argparse.Namespace) -> int:
    part = _authority(options)
    package = part.packs.package(part.now_unix(), _kinds(options))
    write_private(options.out, package)
    print(f"{options.out}: {len(package)} bytes, pack version {part.packs.current(part.now_unix()).version}")
    return 0


def _sheet(options: argparse.Namespace) -> int:
    part = _authority(options)
    package = part.packs.package(part.now_unix(), _kinds(options))
    issued = part.packs.current(part.now_unix())
    title = (
        f"数据包 Pack {issued.version} · {_date(issued.manifest.issued_unix)} · {part.keys.root_kid.hex()}"
    )
    write_private(options.out, sheets.sheet_pdf(package, title))
    print(f"{options.out}: {len(package)} bytes, pack version {issued.version}")
    return 0


def _revoke(options: argparse.Namespace) -> int:
    part = _authority(options)
    if options.kind == "key":
        raise FileTrouble("an issuer key is revoked by `yima pack withdraw-key`")
    count = part.packs.revocations.add(_identities(options), part.now_unix())
    print(f"{count} revoked")
    return _tell(part)


def _unrevoke(options: argparse.Namespace) -> int:
    part = _authority(options)
    count = part.packs.revocations.remove(_identities(options), part.now_unix())
    print(f"{count} taken back")
    return _tell(part)


def _withdraw_key(options: argparse.Namespace) -> int:
    part = _authority(options)
    part.packs.withdraw_key(parse("key", options.kid).identity, part.now_unix())
    return _tell(part)


def _rotate_issuer(options: argparse.Namespace) -> int:
    part = _authority(options)
    print(f"new key {part.keys.rotate_issuer(options.label, part.now_unix()).kid.hex()}")
    return _tell(part)


def _rotate_root(options: argparse.Namespace) -> int:
    part = _authority(options)
    part.keys.rotate_root(part.now_unix())
    print(f"new root key {part.keys.root_kid.hex()}")
    return _tell(part)


def _roster(options: argparse.Namespace) -> int:
    part = _authority(options)
    print(f"{part.packs.keep_roster(options.file)} people")
    return _tell(part)


def _pin(options: argparse.Namespace) -> int:
    part = _authority(options)
    if sys.stdin.isatty():
        keys = getpass.getpass("new PIN, six of the keys 1 (no), 2 (middle) and 3 (yes): ")
    else:
        keys = sys.stdin.readline(64).strip()
    part.packs.keep_pin(keys)
    return _tell(part)


def _sealing_key(options: argparse.Namespace) -> int:
    part = _authority(options)
    part.packs.keep_sealing_key(content.parse_public_key(read_limited(options.file, 1_024), options.file))
    return _tell(part)


def _rules(options: argparse.Namespace) -> int:
    part = _authority(options)
    if str(options.file) == rule_files.DEFAULT:
        part.packs.keep_default_rules()
    else:
        sets = eu_rules.read_value_sets(options.value_sets) if options.value_sets else {}
        part.packs.keep_rules(rule_files.read_rule_file(options.file, options.country), sets)
    return _tell(part)


def _identities(options: argparse.Namespace) -> list[Revoked]:
    """What the command names, one by one or in a file. Raises FileTrouble."""
    texts = list(options.identity)
    if options.file:
        try:
            texts += read_limited(options.file, LOG_LIMIT_BYTES).decode("ascii").split()
        except UnicodeDecodeError as e:
            raise FileTrouble(f"{options.file}: not hex digits") from e
    if not texts:
        raise FileTrouble("nothing to revoke: give hex digits or --file")
    return [parse(options.kind, text) for text in texts]


def _kinds(options: argparse.Namespace) -> set[int] | None:
    return {PARTS[name] for name in options.only} if options.only else None


def _date(unix: int) -> str:
    return time.strftime("%Y-%m-%d %H:%M", time.gmtime(unix))
