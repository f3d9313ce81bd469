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
    assert len(found) == 30
    assert sorted(found.values()) == sorted(reasons.NAMES) == sorted(reasons.VERDICT_OF)
    assert len(set(found.values())) == len(found)
    for name, number in found.items():
        assert reasons.NAMES[number] == name.lower()


def test_only_ok_passes():
    assert [number for number, verdict in reasons.VERDICT_OF.items() if verdict == reasons.PASS] == [
        reasons.OK
    ]


def test_what_stops():
    # Whatever the handheld could not decide is for a person's look; only a known fact refuses.
    names = [reasons.NAMES[n] for n, verdict in reasons.VERDICT_OF.items() if verdict == reasons.STOP]
    assert sorted(names) == [
        "bad_signature",
        "colour_orange",
        "colour_red",
        "colour_yellow",
        "expired",
        "fever",
        "id_differs",
        "mask_off",
        "test_positive",
    ]
