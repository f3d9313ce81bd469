"""What the authority puts into packs besides keys and revocations: scenes, rules, value sets, texts, roster.

Scenes and rules are those of the notice unless the folder says otherwise; roster, sealing key and
other rules are what `yima pack roster`, `yima pack sealing-key` and `yima pack rules` brought here.
"""

from __future__ import annotations

import csv
import hashlib
import io
import secrets
from collections.abc import Mapping, Sequence
from pathlib import Path

from firmware.core import cbor, pack, scene, table
from firmware.core.rules import MAX_RULES
from firmware.core.trust import kid_of_key
from host_tools.authority.default_rules import default_records
from host_tools.authority.default_scenes import default_scenes
from host_tools.authority.eu_rules import Compiled, value_set_blobs
from host_tools.authority.words import INTERVAL_DAYS
from host_tools.files import FileTrouble, read_limited, write_private

ROLES = {"staff": pack.STAFF, "new": pack.NEW, "returning": pack.RETURNING}
RULES_FILE = "rules.cbor"
#: Days between tests of the key groups, comma between them, where they are not the usual ones.
INTERVALS_FILE = "intervals"
CONFIG_FILE = "config.cbor"
#: Key of the PIN's hash in the unit's settings.
CONFIG_PIN = 1
PIN_PRESSES = 6
ROSTER_FILE = "roster.csv"
#: What a file of rules of every country of the EU takes.
MAX_RULE_ITEMS = 65_536
SEALING_FILE = "sealing.pub"
ROSTER_LIMIT_BYTES = 4 * 1_048_576
SUB_BYTES = 16


def scenes_part() -> bytes:
    """The book of scenes."""
    return table.encode_book((table.key_of(one.id), scene.encode_scene(one)) for one in default_scenes())


def rules_parts(folder: Path) -> dict[int, bytes | None]:
    """Rules, with value sets and texts where there are any: those brought here, else the notice's."""
    path = folder / RULES_FILE
    records, texts, value_sets = default_records(intervals(folder)), {}, {}
    if path.exists():
        kept = cbor.loads(read_limited(path), max_items=MAX_RULE_ITEMS)
        if not isinstance(kept, dict) or set(kept) != {1, 2, 3}:
            raise FileTrouble(f"{path}: not the rules that were kept")
        records, texts, value_sets = kept[1], kept[2], kept[3]
    texts_of = [
        (pack.text_key(reason, language), text.encode())
        for reason, both in texts.items()
        for language, text in enumerate(both)
        if text
    ]
    sets = [(table.key_of(name), blob) for name, blob in value_sets.items()]
    return {
        pack.RULES: table.encode_book((n.to_bytes(8, "big"), record) for n, record in enumerate(records)),
        pack.VALUE_SETS: table.encode_book(sets) if sets else None,
        pack.TEXTS: table.encode_book(texts_of) if texts_of else None,
    }


def intervals(folder: Path) -> list[int]:
    """Days between tests of key groups 1 to 8, for the notice's rules. Raises FileTrouble."""
    path = folder / INTERVALS_FILE
    if not path.exists():
        return list(INTERVAL_DAYS)
    try:
        days = [int(number) for number in read_limited(path, 256).split(b",")]
    except ValueError as e:
        raise FileTrouble(f"{path}: not whole numbers") from e
    if len(days) != len(INTERVAL_DAYS):
        raise FileTrouble(f"{path}: not one number for each key group")
    return days


def keep_intervals(folder: Path, days: Sequence[int]) -> None:
    """Take other days between tests into the notice's rules."""
    write_private(folder / INTERVALS_FILE, ",".join(map(str, days)).encode())


def keep_rules(folder: Path, rules: Compiled, value_sets: dict[str, list[str]]) -> None:
    """Take rules in place of those before. Raises FileTrouble where they are too many."""
    if len(rules.records) > MAX_RULES:
        raise FileTrouble(f"a handheld looks at {MAX_RULES} rules, not at {len(rules.records)}")
    texts: dict[object, object] = {reason: list(both) for reason, both in rules.texts.items()}
    blobs: dict[object, object] = {}
    blobs.update(value_set_blobs({**value_sets}))
    write_private(folder / RULES_FILE, cbor.dumps({1: rules.records, 2: texts, 3: blobs}))


def roster_part(folder: Path) -> bytes | None:
    """The roster, None where the unit has none."""
    path = folder / ROSTER_FILE
    if not path.exists():
        return None
    people = read_roster(read_limited(path, ROSTER_LIMIT_BYTES), str(path))
    return table.encode_table(((table.key_of(sub), bytes((role,))) for sub, (role, _) in people.items()), 1)


def sealing_part(folder: Path) -> bytes | None:
    """The key x‖y and the kid that journals are sealed for, None where there is none yet."""
    path = folder / SEALING_FILE
    if not path.exists():
        return None
    key = parse_public_key(read_limited(path, 1_024), path)
    return key + kid_of_key(key)


def config_part(folder: Path) -> bytes | None:
    """The unit's settings, None where it has set none."""
    path = folder / CONFIG_FILE
    return read_limited(path, pack.limit_of(pack.CONFIG)) if path.exists() else None


def keep_pin(folder: Path, keys: str) -> None:
    """Have handhelds ask for this PIN, six of the keys 1, 2 and 3. Raises FileTrouble.

    Packs carry its hash only: a salt of 8 bytes, then 16 of SHA-256 over "yima-pin", salt and presses from 0.
    """
    if len(keys) != PIN_PRESSES or not set(keys) <= set("123"):
        raise FileTrouble(f"a PIN is {PIN_PRESSES} presses of the keys 1, 2 and 3")
    salt = secrets.token_bytes(8)
    presses = bytes(int(key) - 1 for key in keys)
    digest = hashlib.sha256(b"yima-pin" + salt + presses).digest()[:16]
    write_private(folder / CONFIG_FILE, cbor.dumps({CONFIG_PIN: salt + digest}))


def keep_roster(folder: Path, content: bytes, name: str) -> int:
    """Take a CSV file as the roster in place of the last one; how many people it has. Raises FileTrouble."""
    people = read_roster(content, name)
    if len(people) * 9 > pack.limit_of(pack.ROSTER) - table.HEADER_BYTES:
        raise FileTrouble(f"{name}: more people than a pack has room for")
    write_private(folder / ROSTER_FILE, content)
    return len(people)


def read_roster(content: bytes, name: str) -> dict[bytes, tuple[int, str]]:
    """Role and name by pseudonym, from CSV with a head line ``sub,role`` and perhaps ``name``.

    `sub` has 32 hex digits, `role` is staff, new or returning. Raises FileTrouble that tells the line, never
    what stands in it: rosters are personal data.
    """
    people: dict[bytes, tuple[int, str]] = {}
    try:
        rows = csv.DictReader(io.StringIO(content.decode("utf-8-sig")), strict=True)
        if not {"sub", "role"} <= set(rows.fieldnames or ()):
            raise FileTrouble(f"{name}: the first line must name the columns sub and role")
        for row in rows:
            sub, role = bytes.fromhex(row["sub"] or ""), ROLES.get((row["role"] or "").strip())
            if len(sub) != SUB_BYTES or role is None:
                raise FileTrouble(f"{name}: line {rows.line_num} is not a pseudonym and a role")
            people[sub] = role, (row.get("name") or "")[:48]
    except (ValueError, csv.Error):
        raise FileTrouble(f"{name}: not a roster in CSV") from None
    return people


def roster_csv(people: Mapping[bytes, tuple[int, str]]) -> bytes:
    """The CSV of a roster."""
    names = {number: name for name, number in ROLES.items()}
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(("sub", "role", "name"))
    writer.writerows((sub.hex(), names[role], name) for sub, (role, name) in people.items())
    return out.getvalue().encode()


def parse_public_key(content: bytes, path: Path) -> bytes:
    """A key x‖y from 128 hex digits. Raises FileTrouble."""
    try:
        key = bytes.fromhex(content.decode("ascii"))
    except ValueError as e:
        raise FileTrouble(f"{path}: not a key in hex digits") from e
    if len(key) != 64:
        raise FileTrouble(f"{path}: a key has 128 hex digits")
    return key
