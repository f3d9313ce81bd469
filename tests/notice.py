"""The notice's verdict over a code, written out by hand: what the rules in a pack must come to as well."""

from firmware.core import codes, reasons

# How long before arrival a negative test still counts (the notice, section 5).
ARRIVAL_TEST_S = 7 * 86400

_COLOUR_REASONS = {
    codes.COLOUR_YELLOW: reasons.COLOUR_YELLOW,
    codes.COLOUR_ORANGE: reasons.COLOUR_ORANGE,
    codes.COLOUR_RED: reasons.COLOUR_RED,
}


def code_reasons(code, person, scene, now_unix, current):
    """What speaks against a person with a verified code, stops first; an empty list if nothing does.

    `now_unix` is None where the clock is not to be trusted.
    """
    found = []
    if person.colour in _COLOUR_REASONS:
        found.append(_COLOUR_REASONS[person.colour])
    if person.test is not None and person.test[0] == codes.RESULT_POSITIVE:
        found.append(reasons.TEST_POSITIVE)
    if now_unix is not None and now_unix >= code.expires_unix:
        found.append(reasons.EXPIRED)
    found.extend(_time_reasons(code, scene, now_unix))
    if current is None:
        found.append(reasons.NO_TRUST_LIST)
    elif now_unix is not None and now_unix >= current.expires_unix:
        found.append(reasons.TRUST_EXPIRED)
    if code.kind == codes.KIND_DCC:
        found.append(reasons.FOREIGN_MANUAL)
    elif _arrived_untested(person):
        found.append(reasons.ARRIVAL_UNTESTED)
    return found


def _time_reasons(code, scene, now_unix):
    """What the time of issue says, for a person's look."""
    if now_unix is None:
        return [reasons.CLOCK_UNTRUSTED]
    if code.issued_unix > now_unix + scene.future_tolerance_s:
        return [reasons.NOT_YET_VALID]
    if code.kind == codes.KIND_LIVE and now_unix - code.issued_unix > scene.live_max_age_s:
        return [reasons.STALE]
    return []


def _arrived_untested(person):
    """Whether an arrival from a key region has neither a negative test nor a positive IgG.

    The notice counts tests of the seven days before arrival; one taken since is the better proof and counts.
    """
    if person.arrival is None:
        return False
    if person.igg is not None and person.igg[0] == codes.RESULT_POSITIVE:
        return False
    if person.test is None or person.test[0] != codes.RESULT_NEGATIVE:
        return True
    return person.test[1] < person.arrival[1] - ARRIVAL_TEST_S
