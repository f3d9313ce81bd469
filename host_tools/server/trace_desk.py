"""Cases: a trace asked for with a reason, what it found, and names once a second person agrees."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from sqlalchemy import delete, func, or_, select

from host_tools.server.accounts import Principal
from host_tools.server.days import DAY_S
from host_tools.server.schema import Staff, TraceCase
from host_tools.server.stays import Stay
from host_tools.server.store import Store
from host_tools.server.trace import DAYS, Trace
from host_tools.server.trace_sql import Contact
from host_tools.server.views import SUB_DIGITS

KINDS = ("person", "place", "contacts")
LEAST_REASON, MOST_REASON = 5, 200
MOST_MINUTES = 720
MOST_LISTED = 200


class CaseTrouble(Exception):
    """A case that cannot be made or allowed; the message is for who asked."""


@dataclass(frozen=True)
class Question:
    """What is asked: a person by pseudonym or by a record of theirs, or a place; between two moments."""

    kind: str
    start_unix: int
    end_unix: int
    reason: str
    sub: bytes | None = None
    record_id: int | None = None
    place: str | None = None
    minutes: int = 15
    hops: int = 1


@dataclass
class Result:
    """What a case found. `people` names each pseudonym: its first digits, or all of it and the name."""

    case: TraceCase
    stays: list[Stay] = field(default_factory=list)
    contacts: list[Contact] = field(default_factory=list)
    whole: bool = True
    people: dict[bytes, str] = field(default_factory=dict)


class Desk:
    """Cases in `store`. All methods are blocking."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._trace = Trace(store)

    def ask(self, who: Principal, question: Question, now_unix: int) -> int:
        """Open a case; its number. Raises CaseTrouble."""
        reason = question.reason.replace("\0", "").strip()
        if not LEAST_REASON <= len(reason) <= MOST_REASON:
            raise CaseTrouble(f"a reason has {LEAST_REASON} to {MOST_REASON} characters")
        if question.kind not in KINDS or question.hops not in (1, 2):
            raise CaseTrouble("no such kind of trace")
        if not 1 <= question.minutes <= MOST_MINUTES:
            raise CaseTrouble(f"from 1 to {MOST_MINUTES} minutes")
        start, end = question.start_unix, question.end_unix
        if not 0 <= start <= end <= now_unix + DAY_S or end - start > (DAYS + 1) * DAY_S:
            raise CaseTrouble(f"the time asked for is {DAYS} days at most, and not ahead")
        sub, place = question.sub, (question.place or "").replace("\0", "")
        if question.kind == "place":
            if not place or len(place) > 96 or not who.sees(place):
                raise CaseTrouble("a place within your scope is needed")
            sub = None
        else:
            if sub is None and question.record_id is not None:
                sub = self._trace.subject_of(question.record_id, who.scope)
            if sub is None or len(sub) != 16:
                raise CaseTrouble("a pseudonym of 32 digits is needed, or a record that keeps one")
            place = ""
        with self._store.writing() as session:
            case = TraceCase(
                asked_unix=now_unix,
                asked_by=who.name,
                scope=who.scope,
                kind=question.kind,
                sub=sub,
                place=place or None,
                start_unix=start,
                end_unix=end,
                minutes=question.minutes,
                hops=question.hops,
                reason=reason,
            )
            session.add(case)
            session.flush()
            return case.id

    def case(self, number: int, who: Principal) -> TraceCase:
        """A case that somebody may see: one's own, or any within one's scope for who may approve.

        Raises CaseTrouble.
        """
        with self._store.reading() as session:
            case = session.get(TraceCase, number)
        approver = who.may("approve") and case is not None and case.scope.startswith(who.scope)
        if case is None or not (case.asked_by == who.name or approver):
            raise CaseTrouble("no such case")
        return case

    def cases(self, who: Principal) -> Sequence[TraceCase]:
        """The cases that somebody may see, newest first."""
        query = select(TraceCase).order_by(TraceCase.id.desc()).limit(MOST_LISTED)
        own = TraceCase.asked_by == who.name
        if who.may("approve"):
            query = query.where(or_(own, TraceCase.scope.startswith(who.scope, autoescape=True)))
        else:
            query = query.where(own)
        with self._store.reading() as session:
            return session.scalars(query).all()

    def ask_names(self, number: int, who: Principal, now_unix: int) -> None:
        """Wish to see names in one's own case. Raises CaseTrouble."""
        with self._store.writing() as session:
            case = session.get(TraceCase, number)
            if case is None or case.asked_by != who.name:
                raise CaseTrouble("no such case")
            if case.names_asked_unix is None:
                case.names_asked_unix = now_unix

    def approve(self, number: int, who: Principal, now_unix: int) -> None:
        """Allow names in somebody else's case. Raises CaseTrouble."""
        self.case(number, who)
        if not who.may("approve"):
            raise CaseTrouble("this role may not approve")
        with self._store.writing() as session:
            case = session.get_one(TraceCase, number)
            if case.asked_by == who.name:
                raise CaseTrouble("a second person has to approve")
            if case.names_asked_unix is None:
                raise CaseTrouble("nobody has asked for names here")
            if case.approved_unix is None:
                case.approved_by, case.approved_unix = who.name, now_unix

    def result(self, case: TraceCase) -> Result:
        """Ask again what the case asks, and name people as far as that is allowed."""
        result = Result(case)
        start, end = case.start_unix, case.end_unix
        if case.kind == "place" and case.place is not None:
            result.stays, result.whole = self._trace.place(case.place, start, end)
        elif case.sub is not None:
            result.stays = self._trace.person(case.sub, start, end, case.scope)
            if case.kind == "contacts":
                met = self._trace.contacts(case.sub, start, end, case.minutes, case.hops, case.scope)
                result.contacts, result.whole = met.found, met.whole
        subs = {stay.sub for stay in result.stays} | {contact.sub for contact in result.contacts}
        if case.sub is not None:
            subs.add(case.sub)
        result.people = self._named(subs) if case.approved_unix else {s: _short(s) for s in subs}
        return result

    def forget(self, before_unix: int) -> None:
        """Delete cases from before a moment: they hold pseudonyms, and end with the records."""
        with self._store.writing() as session:
            session.execute(delete(TraceCase).where(TraceCase.asked_unix < before_unix))

    def presence(self, now_unix: int, who: Principal) -> list[tuple[str, int]]:
        """How many people are at each place that somebody may see."""
        return self._trace.presence(now_unix, who.scope)

    def _named(self, subs: Iterable[bytes]) -> dict[bytes, str]:
        names: dict[bytes, str] = {}
        listed = sorted(subs)
        with self._store.reading() as session:
            for at in range(0, len(listed), 500):
                query = (
                    select(Staff.sub, func.max(Staff.name))
                    .where(Staff.sub.in_(listed[at : at + 500]))
                    .group_by(Staff.sub)
                )
                names.update((sub, name) for sub, name in session.execute(query))
        return {sub: f"{names.get(sub, '')} {sub.hex()}".strip() for sub in listed}


def _short(sub: bytes) -> str:
    return sub.hex()[:SUB_DIGITS] + "…"
