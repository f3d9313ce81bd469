"""`yima authority …`: persons, results, grants, laboratories and units, printing (docs/authority.md).

ID numbers are read from standard input: a command line is seen by others and kept by shells.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

from host_tools.authority import content, lists, pictures, printing, results, schema, words
from host_tools.authority.app import Authority
from host_tools.authority.default_scenes import default_scenes, scene_ids
from host_tools.authority.fields import PeopleTrouble
from host_tools.authority.office_fields import moment, stamp
from host_tools.authority.office_gate import load_or_create_password
from host_tools.authority.people import COMMAND_LINE, Registration, numbers
from host_tools.files import read_limited, write_private
from host_tools.state import State

#: Some lines of a file were refused.
SOME_REFUSED = 1
MAX_SHOWN = 100
_Commands = argparse._SubParsersAction  # the type has no public name
_Action = Callable[[Authority, argparse.Namespace], int]
_COLOURS = tuple(en for _, en in words.COLOURS)
_TYPES = {"nucleic": schema.NUCLEIC, "igg": schema.IGG}
_RESULTS = {en: number for number, (_, en) in enumerate(words.RESULTS)}


def add_commands(group: _Commands[argparse.ArgumentParser], common: argparse.ArgumentParser) -> None:
    """Add everything but `serve` to the commands of `yima authority`."""

    def command(name: str, action: _Action, text: str) -> argparse.ArgumentParser:
        made = group.add_parser(name, parents=[common], help=text)
        made.set_defaults(action=_opened(action))
        return made

    _add_persons(command)
    _add_results(command)
    _add_printing(command)
    for kind, text in ((schema.LABORATORY, "laboratories"), (schema.UNIT, "authorised units")):
        _add_parties(group, common, kind, text)


_Adder = Callable[[str, _Action, str], argparse.ArgumentParser]


def _add_persons(command: _Adder) -> None:
    made = command("people", _people, "list persons")
    made.add_argument("text", nargs="?", default="", help="part of a name, id or end of an ID number")
    made.add_argument("--colour", choices=_COLOURS)
    made = command("add", _add, "register a person; the ID number is read from standard input")
    made.add_argument("name")
    made.add_argument("--village", default="")
    made.add_argument("--employer", default="")
    made.add_argument("--region", help="came from this key region")
    made.add_argument("--arrived", metavar="TIME", help="2020-05-20T08:30, China's time")
    made.add_argument("--withheld", action="store_true", help="no code before a unit grants it")
    _person(command("show", _show, "what is known of a person"))
    _person(command("remove", _remove, "forget a person and end their codes"))
    made = _person(command("colour", _colour, "give a person another colour"))
    made.add_argument("colour", choices=_COLOURS)
    made = _person(command("groups", _groups, "put a person into key groups; none without numbers"))
    made.add_argument("groups", nargs="*", type=int, metavar="N")
    made.add_argument("--interval", type=int, metavar="DAYS", help="own days between tests")
    made = command("interval", _interval, "set the days between tests of a key group; show them")
    made.add_argument("group", type=int, nargs="?")
    made.add_argument("days", type=int, nargs="?")
    made = _person(command("arrival", _arrival, "note an arrival from a key region"))
    made.add_argument("region", nargs="?")
    made.add_argument("arrived", nargs="?", metavar="TIME", help="2020-05-20T08:30, China's time")
    made.add_argument("--withheld", action="store_true", help="no code before a unit grants it")
    made = _person(command("contacts", _contacts, "who looks after a person"))
    made.add_argument("--village", default="")
    made.add_argument("--employer", default="")
    made = _person(command("companion", _companion, "let somebody travel on a person's code"))
    made.add_argument("companion")
    made.add_argument("--remove", action="store_true")
    made = _person(command("wallet", _wallet, "the path of a person's wallet page"))
    made.add_argument("--new", action="store_true", help="a new one; the old is dead")
    made = command("list", _list, "who must be looked after, tested, or is overdue; CSV")
    made.add_argument("list", choices=lists.NAMES)
    made = command("roster", _roster, "an employer's staff for `yima pack roster`; CSV")
    made.add_argument("employer")
    made.add_argument("--role", choices=tuple(content.ROLES), default="staff")
    made = command("log", _log, "the last changes")
    made.add_argument("--limit", type=int, default=50, choices=range(1, 1001), metavar="N")
    command("forget-town", _forget_town, "remove the invented town and end its codes")
    command("password", _password, "print the office's password")


def _add_results(command: _Adder) -> None:
    made = command("results", _results, "take in a laboratory's CSV file; status 1 if lines are refused")
    made.add_argument("file", type=Path)
    made.add_argument("--lab", metavar="ID", help="whose samples they are")
    made.add_argument("--whole", action="store_true", help="take nothing if any line is wrong")
    made = _person(command("result", _result, "enter one result"))
    made.add_argument("type", choices=tuple(_TYPES))
    made.add_argument("result", choices=tuple(_RESULTS))
    made.add_argument("--taken", metavar="TIME", help="2020-05-20T08:30, China's time; now by default")
    made = _person(command("grant", _grant, "give a person their code on a negative result"))
    made.add_argument("--unit", metavar="ID", help="on whose behalf")


def _add_printing(command: _Adder) -> None:
    made = _person(command("code", _code, "print what a person shows now"))
    made.add_argument("--medium", choices=("live", "paper"))
    made.add_argument("--out", type=Path, metavar="PNG", help="write the QR picture as well")
    made = command("print", _print, "paper codes as A4 sheets of cards")
    made.add_argument("persons", nargs="+", metavar="PERSON")
    made.add_argument("out", type=Path, metavar="OUT.pdf")
    made = command("paper-revoke", _paper_revoke, "end a printed code by the number on its card")
    made.add_argument("number")
    made = command("poster", _poster, "a poster with the way to a code")
    made.add_argument("out", type=Path, metavar="OUT.pdf")
    made.add_argument("--url", help="where the code is to be had")
    made.add_argument("--size", choices=tuple(printing.FORMATS), default="a4")
    made = command("place", _place, "a signed code that tells handhelds where they are")
    made.add_argument("name")
    made.add_argument("scene", choices=scene_ids())
    made.add_argument("out", type=Path, metavar="OUT.pdf")
    made.add_argument("--days", type=int, default=printing.PLACE_DAYS)


def _add_parties(
    group: _Commands[argparse.ArgumentParser], common: argparse.ArgumentParser, kind: str, text: str
) -> None:
    actions = group.add_parser(kind, help=text).add_subparsers(required=True, metavar="COMMAND")

    def add(part: Authority, options: argparse.Namespace) -> int:
        party_id, secret = part.parties.add(kind, options.name, COMMAND_LINE, part.now_unix())
        print(f"{party_id}  {secret}")
        print("The credential is shown this once; only its hash is kept.", file=sys.stderr)
        return 0

    def show(part: Authority, options: argparse.Namespace) -> int:
        for row in part.parties.list(kind):
            end = "" if row.revoked_unix is None else f"  revoked {stamp(row.revoked_unix)}"
            print(f"{row.id}  {row.name}  {stamp(row.created_unix)}{end}")
        return 0

    def revoke(part: Authority, options: argparse.Namespace) -> int:
        part.parties.revoke(kind, options.id, COMMAND_LINE, part.now_unix())
        return 0

    commands: tuple[tuple[str, _Action, str, str | None], ...] = (
        ("add", add, "add one; prints id and credential", "name"),
        ("list", show, "list them", None),
        ("revoke", revoke, "refuse a credential from now on", "id"),
    )
    for name, action, help_text, argument in commands:
        made = actions.add_parser(name, parents=[common], help=help_text)
        if argument:
            made.add_argument(argument)
        made.set_defaults(action=_opened(action))


def _opened(action: _Action) -> Callable[[argparse.Namespace], int]:
    """`action` on the authority of the options' state folder."""
    return lambda options: action(Authority(State(options.state)), options)


def _person(command: argparse.ArgumentParser) -> argparse.ArgumentParser:
    command.add_argument("person", help="the id in `yima authority people`")
    return command


def _people(part: Authority, options: argparse.Namespace) -> int:
    colour = None if options.colour is None else words.colour_number(options.colour)
    offset, total = 0, 1
    while offset < total:
        rows, total = part.people.search(options.text, colour, offset)
        for row in rows:
            note = f"{row.note_zh} / {row.note_en}" if row.note_zh else "waits for a grant" * row.withheld
            print(f"{row.id:12} {row.name}\t{words.COLOURS[row.colour][1]}\t{row.id_tail}\t{note}")
        offset += max(1, len(rows))
    return 0


def _add(part: Authority, options: argparse.Namespace) -> int:
    if sys.stdin.isatty():
        print("ID number: ", end="", file=sys.stderr, flush=True)
    registration = Registration(
        name=options.name,
        id_number=sys.stdin.readline(64).strip(),
        village=options.village,
        employer=options.employer,
        region=options.region,
        arrived_unix=moment(options.arrived or ""),
        withheld=options.withheld,
    )
    print(part.people.add(registration, COMMAND_LINE, part.now_unix()).id)
    return 0


def _show(part: Authority, options: argparse.Namespace) -> int:
    row = part.people.get(options.person)
    print(f"{row.id}  {row.name}  {row.masked_name}  {words.COLOURS[row.colour][1]}  ID ends {row.id_tail}")
    if row.village or row.employer:
        print(f"village {row.village or '–'}, employer {row.employer or '–'}")
    if row.withheld:
        print("no code before a grant")
    if row.groups:
        names = ", ".join(f"{number} {words.GROUPS[number - 1][1]}" for number in numbers(row.groups))
        print(f"groups {names}" + (f", every {row.interval_days} d" if row.interval_days else ""))
    now = part.now_unix()
    if row.arrival_region:
        arrived = now - row.arrival_age_s if row.arrival_age_s is not None else row.arrival_unix
        print(f"arrived from {row.arrival_region} {stamp(arrived)}")
    for result in part.people.results(row.id):
        print(
            f"{words.TEST_KINDS[result.kind][1]} {words.RESULTS[result.result][1]} "
            f"{stamp(lists.taken(result, now))}  {result.lab_id or 'office'} {result.sample}"
        )
    for other in part.people.companions(row.id):
        print(f"with {other.id} {other.name}")
    for paper in part.papers.of(row.id):
        state = "revoked" if paper.revoked_unix else f"until {stamp(paper.expires_unix)}"
        print(f"paper {printing.number(paper.cti)} {state}")
    return 0


def _remove(part: Authority, options: argparse.Namespace) -> int:
    part.remove(options.person, COMMAND_LINE)
    return 0


def _forget_town(part: Authority, options: argparse.Namespace) -> int:
    for person_id in part.people.town_ids():
        part.remove(person_id, COMMAND_LINE)
    return 0


def _colour(part: Authority, options: argparse.Namespace) -> int:
    part.set_colour(options.person, words.colour_number(options.colour), COMMAND_LINE)
    return 0


def _groups(part: Authority, options: argparse.Namespace) -> int:
    part.people.set_groups(options.person, options.groups, options.interval, COMMAND_LINE, part.now_unix())
    return 0


def _interval(part: Authority, options: argparse.Namespace) -> int:
    if options.group is not None:
        if options.days is None:
            raise PeopleTrouble("the days are missing")
        part.set_interval(options.group, options.days, COMMAND_LINE)
    for number, days in enumerate(part.people.intervals(), 1):
        print(f"{number}  {days:2} d  {' / '.join(words.GROUPS[number - 1])}")
    return 0


def _arrival(part: Authority, options: argparse.Namespace) -> int:
    part.people.set_arrival(
        options.person,
        options.region,
        moment(options.arrived or ""),
        options.withheld,
        COMMAND_LINE,
        part.now_unix(),
    )
    return 0


def _contacts(part: Authority, options: argparse.Namespace) -> int:
    now = part.now_unix()
    part.people.set_contacts(options.person, options.village, options.employer, COMMAND_LINE, now)
    return 0


def _companion(part: Authority, options: argparse.Namespace) -> int:
    change = part.people.remove_companion if options.remove else part.people.add_companion
    change(options.person, options.companion, COMMAND_LINE, part.now_unix())
    return 0


def _wallet(part: Authority, options: argparse.Namespace) -> int:
    if options.new:
        part.people.new_wallet(options.person, COMMAND_LINE, part.now_unix())
    print(f"/wallet/{part.people.get(options.person).wallet}")
    return 0


def _list(part: Authority, options: argparse.Namespace) -> int:
    sys.stdout.write(lists.to_csv(part.lists.get(options.list, part.now_unix())).lstrip("\ufeff"))
    return 0


def _roster(part: Authority, options: argparse.Namespace) -> int:
    rows = part.people.staff(options.employer)
    if not rows:
        raise PeopleTrouble("nobody has this employer")
    role = content.ROLES[options.role]
    sys.stdout.write(content.roster_csv({row.sub: (role, row.masked_name) for row in rows}).decode())
    return 0


def _log(part: Authority, options: argparse.Namespace) -> int:
    for row in part.people.audit(options.limit):
        print(f"{stamp(row.time_unix)}  {row.actor}  {row.action}  {row.person_id or ''}  {row.detail}")
    return 0


def _password(part: Authority, options: argparse.Namespace) -> int:
    print(load_or_create_password(part.folder))
    return 0


def _results(part: Authority, options: argparse.Namespace) -> int:
    if options.lab is not None and options.lab not in {
        row.id for row in part.parties.list(schema.LABORATORY)
    }:
        raise PeopleTrouble(f"{options.lab}: no such lab")
    data = read_limited(options.file, results.MAX_FILE_BYTES)
    now = part.now_unix()
    outcome = part.intake.take(
        options.lab, results.read_csv(data, now), options.lab or COMMAND_LINE, now, options.whole
    )
    for number, detail in outcome.refused[:MAX_SHOWN]:
        print(f"line {number}: {detail}", file=sys.stderr)
    if len(outcome.refused) > MAX_SHOWN:
        print(f"… and {len(outcome.refused) - MAX_SHOWN} more", file=sys.stderr)
    print(f"{outcome.taken} taken, {outcome.known} known, {len(outcome.refused)} refused")
    return SOME_REFUSED if outcome.refused else 0


def _result(part: Authority, options: argparse.Namespace) -> int:
    now = part.now_unix()
    taken_unix = moment(options.taken or "")
    part.intake.enter(
        options.person,
        _TYPES[options.type],
        _RESULTS[options.result],
        now if taken_unix is None else taken_unix,
        COMMAND_LINE,
        now,
    )
    return 0


def _grant(part: Authority, options: argparse.Namespace) -> int:
    unit = options.unit
    if unit is not None:
        open_units = {row.id for row in part.parties.list(schema.UNIT) if row.revoked_unix is None}
        if unit not in open_units:
            raise PeopleTrouble(f"{unit}: no such unit, or revoked")
    part.grants.give(options.person, unit, unit or COMMAND_LINE, part.now_unix())
    return 0


def _code(part: Authority, options: argparse.Namespace) -> int:
    shown = part.show(part.people.holder(options.person), options.medium)
    if options.out:
        options.out.write_bytes(pictures.png(shown.text))
    print(shown.text)
    return 0


def _print(part: Authority, options: argparse.Namespace) -> int:
    write_private(options.out, part.printer.cards(options.persons, COMMAND_LINE, part.now_unix()))
    return 0


def _paper_revoke(part: Authority, options: argparse.Namespace) -> int:
    try:
        cti = bytes.fromhex(options.number.replace("-", ""))
    except ValueError as e:
        raise PeopleTrouble("the number has 16 hex digits") from e
    part.papers.revoke(cti, COMMAND_LINE, part.now_unix())
    return 0


def _poster(part: Authority, options: argparse.Namespace) -> int:
    if options.url is None:
        print(f"no --url: the poster leads to {printing.EXAMPLE_URL}", file=sys.stderr)
    write_private(options.out, printing.poster_pdf(options.url or printing.EXAMPLE_URL, options.size))
    return 0


def _place(part: Authority, options: argparse.Namespace) -> int:
    scene = next(scene for scene in default_scenes() if scene.id == options.scene)
    now = part.now_unix()
    text, expires_unix = printing.place_text(part.keys.place, options.name, scene.id, now, options.days)
    write_private(options.out, printing.place_pdf(text, options.name, scene, expires_unix))
    print(text)
    return 0
