from firmware.core import reasons


def constants():
    found = {}
    for name in dir(reasons):
        value = getattr(reasons, name)
        if name.upper() == name and name[0] != "_" and type(value) is int:
            found[name] = value
    for verdict in ("PASS", "STOP", "ATTENTION"):
        del found[verdict]
    return found


def test_every_reason_has_one_number_a_name_and_a_verdict():
    found = constants()
    found.pop("TYPE_CHECKING", None)
    assert found.pop("FIRST_OF_RULES") == 1000
    assert len(found) == 44
    assert sorted(found.values()) == sorted(reasons.built_in())
    assert len(set(found.values())) == len(found)
    for name, number in found.items():
        assert reasons.name_of(number) == name.lower()
        assert number < reasons.FIRST_OF_RULES


def having(verdict):
    return sorted(reasons.name_of(n) for n in reasons.built_in() if reasons.verdict_of(n) == verdict)


def test_only_ok_and_a_remark_pass():
    assert having(reasons.PASS) == ["code_not_needed", "ok"]


def test_what_stops():
    # Whatever the handheld could not decide is for a person's look; only a known fact refuses.
    assert having(reasons.STOP) == [
        "bad_signature",
        "code_revoked",
        "colour_orange",
        "colour_red",
        "colour_yellow",
        "expired",
        "fever",
        "id_differs",
        "key_withdrawn",
        "mask_off",
        "subject_revoked",
        "test_positive",
    ]


def test_reasons_of_signed_rules():
    for number in (1000, 1999):
        assert reasons.verdict_of(number) == reasons.STOP
    for number in (2000, 2999, 4000, 10**9):
        assert reasons.verdict_of(number) == reasons.ATTENTION
    for number in (3000, 3999):
        assert reasons.verdict_of(number) == reasons.PASS
    assert reasons.name_of(1001) == "reason_1001"


def test_a_number_that_nobody_knows_lets_nobody_pass():
    known = reasons.built_in()
    for number in range(-1, 1000):
        if number not in known:
            assert reasons.verdict_of(number) == reasons.ATTENTION
