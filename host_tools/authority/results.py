"""Laboratory results: rows from a CSV file, a JSON batch or the office, checked and taken in once each.

A row names a sample (unique within its laboratory), a person by ID number or by id, and the result. A row
that came before is "known"; a pending one may become negative or positive, anything else is a conflict. Rows
for ID numbers that nobody registered yet are kept for `KEPT_S` and go to whoever registers that number.
"""

from __future__ import annotations

import csv
import datetime
import itertools
import json
import re
import secrets
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from fastapi import APIRouter, Request
from fastapi.concurrency import run_in_threadpool
from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from host_tools.authority import schema
from host_tools.authority.fields import PeopleTrouble
from host_tools.authority.idnumber import IdNumberError
from host_tools.authority.papers import Papers
from host_tools.authority.parties import Parties
from host_tools.authority.people import People, note
from host_tools.web import BodyError, read_body

DAY_S = 86_400
#: A sample is not from the future; a laboratory's clock may be a little ahead.
AHEAD_S = 600
OLDEST_S = 180 * DAY_S
#: How long a result waits for its person to register.
KEPT_S = 30 * DAY_S
MAX_FILE_BYTES = 4_194_304
MAX_LINES = 20_000
MAX_LINE_CHARS = 512
MAX_BATCH_BYTES = 1_048_576
MAX_BATCH = 1_000
CHUNK = 1_000
COLUMNS = ("sample", "id_number", "person", "type", "result", "taken")
NEEDED = ("sample", "type", "result", "taken")
CHINA = datetime.timezone(datetime.timedelta(hours=8))
POSITIVE, PENDING = 1, 2
Clock = Callable[[], int]
_SAMPLE = re.compile(r"[A-Za-z0-9._/-]{1,32}", re.ASCII)
_PERSON = re.compile(r"[a-z0-9-]{1,32}", re.ASCII)
_TYPES = {"nucleic": 0, "pcr": 0, "核酸": 0, "igg": 1}
_RESULTS = {
    "negative": 0,
    "阴性": 0,
    "positive": 1,
    "阳性": 1,
    "pending": PENDING,
    "待出": PENDING,
    "未出": PENDING,
}


class RowError(ValueError):
    """What is wrong with one row. The message does not repeat what was in it."""


class FileRefused(PeopleTrouble):
    """The whole file or batch is refused."""


@dataclass(frozen=True)
class Row:
    """One result. Either `id_number` or `person` says whose it is."""

    sample: str
    id_number: str
    person: str
    kind: int
    result: int
    taken_unix: int


@dataclass
class Outcome:
    """What became of a file or batch; `refused` are pairs of a row's number and what is wrong with it."""

    taken: int = 0
    known: int = 0
    refused: list[tuple[int, str]] = field(default_factory=list)


def parse_row(fields: Mapping[str, object], now_unix: int) -> Row:
    """Check one row's fields. Raises RowError."""
    texts = {}
    for name in COLUMNS:
        value = fields.get(name, "")
        if name == "taken" and type(value) is int:
            value = str(value)
        if not isinstance(value, str) or len(value) > 64:
            raise RowError(f"{name}: a text of at most 64 characters is needed")
        texts[name] = value.strip()
    if not _SAMPLE.fullmatch(texts["sample"]):
        raise RowError("sample: 1 to 32 letters, digits and ._/- are needed")
    if bool(texts["id_number"]) == bool(texts["person"]):
        raise RowError("either id_number or person is needed")
    if texts["person"] and not _PERSON.fullmatch(texts["person"]):
        raise RowError("person: not an id")
    kind = _TYPES.get(texts["type"].lower())
    if kind is None:
        raise RowError("type: nucleic or igg is needed")
    result = _RESULTS.get(texts["result"].lower())
    if result is None:
        raise RowError("result: negative, positive or pending is needed")
    taken_unix = parse_time(texts["taken"])
    if not now_unix - OLDEST_S <= taken_unix <= now_unix + AHEAD_S:
        raise RowError("taken: in the future, or more than 180 days ago")
    return Row(texts["sample"], texts["id_number"], texts["person"], kind, result, min(taken_unix, now_unix))


def parse_time(text: str) -> int:
    """Unix seconds, or ISO 8601 with date and time; without an offset it is China's time. Raises RowError."""
    if re.fullmatch(r"[0-9]{1,11}", text, re.ASCII):
        return int(text)
    if not re.fullmatch(
        r"[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}(:[0-9]{2})?(Z|[+-][0-9]{2}:[0-9]{2})?",
        text,
        re.ASCII,
    ):
        raise RowError("taken: a time like 2020-05-20 08:30 is needed")
    try:
        moment = datetime.datetime.fromisoformat(text.replace("Z", "+00:00"))
        return int((moment if moment.tzinfo else moment.replace(tzinfo=CHINA)).timestamp())
    except (ValueError, OverflowError) as e:
        raise RowError("taken: there is no such time") from e


def read_csv(data: bytes, now_unix: int) -> Iterator[tuple[int, Row | RowError]]:
    """The rows of a CSV file with the number of their line; RowError in place of one that is wrong.

    The first line names the columns, in any order. UTF-8 or GB 18030, commas, one line per row (a quoted
    field has no line break), blank lines are passed over. Raises FileRefused, from the first step on.
    """
    if len(data) > MAX_FILE_BYTES:
        raise FileRefused(f"larger than {MAX_FILE_BYTES} bytes")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        try:
            text = data.decode("gb18030")
        except UnicodeDecodeError as e:
            raise FileRefused("neither UTF-8 nor GB 18030") from e
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    if len(lines) > MAX_LINES + 2:
        raise FileRefused(f"more than {MAX_LINES} lines")
    try:
        header = [name.strip().lower() for name in _cells(lines[0])]
    except RowError as e:
        raise FileRefused(f"line 1: {e}") from e
    if len(set(header)) != len(header) or not set(NEEDED) <= set(header) <= set(COLUMNS):
        raise FileRefused("line 1 must name the columns sample, id_number or person, type, result, taken")
    for number, line in enumerate(lines[1:], 2):
        if not line.strip():
            continue
        try:
            cells = _cells(line)
            if len(cells) != len(header):
                raise RowError(f"{len(header)} fields are needed")
            yield number, parse_row(dict(zip(header, cells, strict=True)), now_unix)
        except RowError as e:
            yield number, e


def _cells(line: str) -> list[str]:
    if len(line) > MAX_LINE_CHARS or "\0" in line:
        raise RowError("the line is too long or not text")
    try:
        return next(csv.reader([line], strict=True), [])
    except csv.Error as e:
        raise RowError("the quotes of the line do not match") from e


class Intake:
    """Takes rows into the register; each laboratory's sample once. A positive result ends printed codes."""

    def __init__(self, people: People, papers: Papers) -> None:
        self._people = people
        self._papers = papers

    def take(
        self,
        lab_id: str | None,
        rows: Iterable[tuple[int, Row | RowError]],
        actor: str,
        now_unix: int,
        whole: bool = False,
    ) -> Outcome:
        """Take the good rows and tell of the others; with `whole`, none as soon as one is wrong.

        Without `whole` every CHUNK rows are committed, so that others get their turn at the database; what
        was broken off is simply sent again. Raises FileRefused.
        """
        outcome = Outcome()
        left = iter(rows)
        while chunk := list(itertools.islice(left, None if whole else CHUNK)):
            self._take_chunk(lab_id, chunk, actor, now_unix, whole, outcome)
        return outcome

    def _take_chunk(
        self,
        lab_id: str | None,
        rows: list[tuple[int, Row | RowError]],
        actor: str,
        now_unix: int,
        whole: bool,
        outcome: Outcome,
    ) -> None:
        positive: set[str] = set()
        before = (outcome.taken, outcome.known, len(outcome.refused))
        with self._people.database.writing() as session:
            session.execute(
                delete(schema.Result).where(
                    schema.Result.person_id.is_(None), schema.Result.received_unix < now_unix - KEPT_S
                )
            )
            for number, row in rows:
                try:
                    if isinstance(row, RowError):
                        raise row
                    if (whose := self._take_row(session, lab_id, row, now_unix)) is not None:
                        outcome.taken += 1
                        if (row.kind, row.result) == (schema.NUCLEIC, POSITIVE) and whose:
                            positive.add(whose)
                    else:
                        outcome.known += 1
                except RowError as e:
                    outcome.refused.append((number, str(e)))
            if whole and outcome.refused:
                number, detail = outcome.refused[0]
                raise FileRefused(
                    f"line {number}: {detail} ({len(outcome.refused)} bad lines; nothing taken)"
                )
            after = (outcome.taken, outcome.known, len(outcome.refused))
            new, known, refused = (now - then for now, then in zip(after, before, strict=True))
            note(session, now_unix, actor, "results", None, f"{new} taken, {known} known, {refused} refused")
        self._papers.withdraw(sorted(positive), actor, now_unix)

    def enter(
        self, person_id: str, kind: int, result: int, taken_unix: int, actor: str, now_unix: int
    ) -> None:
        """A result typed in at the office. Raises PeopleTrouble."""
        self._people.get(person_id)
        if not now_unix - OLDEST_S <= taken_unix <= now_unix or kind not in (0, 1) or result not in (0, 1, 2):
            raise PeopleTrouble("a result is not from the future nor older than 180 days")
        row = Row(f"office-{secrets.token_hex(8)}", "", person_id, kind, result, taken_unix)
        self.take(None, [(1, row)], actor, now_unix, whole=True)

    def _take_row(self, session: Session, lab_id: str | None, row: Row, now_unix: int) -> str | None:
        """None for a row that was known; else whose it is, "" where that is open. Raises RowError."""
        person_id: str | None
        id_hash: bytes | None = None
        if row.person:
            person_id = session.scalar(select(schema.Person.id).where(schema.Person.id == row.person))
            if person_id is None:
                raise RowError("person: nobody has this id")
        else:
            try:
                id_hash = self._people.id_hash(row.id_number)
            except IdNumberError as e:
                raise RowError(f"id_number: {e}") from e
            person_id = session.scalar(select(schema.Person.id).where(schema.Person.id_hash == id_hash))
        old = session.scalar(
            select(schema.Result).where(schema.Result.lab_id == lab_id, schema.Result.sample == row.sample)
        )
        if old is None:
            session.add(
                schema.Result(
                    lab_id=lab_id,
                    sample=row.sample,
                    person_id=person_id,
                    # Once it is known whose it is, the hash has done its work.
                    id_hash=id_hash if person_id is None else None,
                    kind=row.kind,
                    result=row.result,
                    taken_unix=row.taken_unix,
                    received_unix=now_unix,
                )
            )
            session.flush()
            _touch(session, person_id, now_unix)
            return person_id or ""
        same = old.person_id == person_id and old.kind == row.kind and (person_id or old.id_hash == id_hash)
        if not same or (old.result not in (row.result, PENDING)) or old.taken_unix != row.taken_unix:
            raise RowError("sample: was reported before with another person, time or result")
        if old.result == row.result:
            return None
        old.result, old.received_unix = row.result, now_unix
        _touch(session, person_id, now_unix)
        return person_id or ""


def _touch(session: Session, person_id: str | None, now_unix: int) -> None:
    session.execute(update(schema.Person).where(schema.Person.id == person_id).values(changed_unix=now_unix))


def read_batch(data: bytes, now_unix: int) -> list[tuple[int, Row | RowError]]:
    """The rows of a JSON batch with their index. Raises FileRefused."""
    try:
        value = json.loads(data)
    except (ValueError, RecursionError) as e:
        raise FileRefused("not JSON") from e
    rows = value.get("results") if isinstance(value, dict) else None
    if not isinstance(rows, list) or not 1 <= len(rows) <= MAX_BATCH:
        raise FileRefused(f"an object with 1 to {MAX_BATCH} results is needed")
    parsed: list[tuple[int, Row | RowError]] = []
    for index, fields in enumerate(rows):
        try:
            if not isinstance(fields, dict) or not set(fields) <= set(COLUMNS):
                raise RowError(f"an object with some of {', '.join(COLUMNS)} is needed")
            parsed.append((index, parse_row(fields, now_unix)))
        except RowError as e:
            parsed.append((index, e))
    return parsed


def router(intake: Intake, parties: Parties, now_unix: Clock) -> APIRouter:
    """``POST /api/labs/{lab}/results``."""
    routes = APIRouter()

    @routes.post("/api/labs/{lab}/results")
    async def take(lab: str, request: Request) -> dict[str, object]:
        # Who has no credential is not listened to.
        await run_in_threadpool(parties.check, schema.LABORATORY, lab, request)
        data = await read_body(request, MAX_BATCH_BYTES)

        def work() -> Outcome:
            now = now_unix()
            try:
                return intake.take(lab, read_batch(data, now), lab, now)
            except FileRefused as e:
                raise BodyError(422, str(e)) from e

        outcome = await run_in_threadpool(work)
        return {
            "taken": outcome.taken,
            "known": outcome.known,
            "refused": [{"index": index, "detail": detail} for index, detail in outcome.refused],
        }

    return routes
