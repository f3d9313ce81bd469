from firmware.core import cbor, scene
from firmware.core.scene import Scene, SceneError, fallback_scene


def full():
    one = Scene("event", scene.IDENTITY_ROSTER)
    one.name_zh, one.name_en = "会展", "Event"
    one.rank, one.steps = 7, b"\x01\x04\x02\x03"
    one.directions, one.counts_presence, one.capacity, one.closing_minute = 2, True, 120, 1380
    one.live_max_age_s, one.future_tolerance_s, one.pass_back_s = 90, 30, 600
    one.fever_centi_c, one.site_offset_centi_c = 3750, -20
    one.uses_roster, one.mask_implied, one.needs_code = True, True, False
    one.result_ms, one.id_timeout_ms = 1500, 9000
    return one


def test_round_trip():
    for one in (full(), Scene("a"), fallback_scene("transit")):
        data = scene.encode_scene(one)
        assert len(data) < 160
        again = scene.parse_scene(data)
        assert scene.encode_scene(again) == data
        for name in ("id", "steps", "closing_minute", "capacity", "counts_presence", "identity", "result_ms"):
            assert getattr(again, name) == getattr(one, name), name
        assert (again.fever_centi_c, again.site_offset_centi_c) == (
            one.fever_centi_c,
            one.site_offset_centi_c,
        )
        assert (again.needs_code, again.mask_implied, again.uses_roster) == (
            one.needs_code,
            one.mask_implied,
            one.uses_roster,
        )


def refused(key, value):
    fields = cbor.loads(scene.encode_scene(full()))
    if value is None:
        del fields[key]
    else:
        fields[key] = value
    try:
        scene.parse_scene(cbor.dumps(fields))
    except SceneError:
        return True
    return False


def test_wrong_fields():
    for key in range(1, 19):
        assert refused(key, None) == (key != 10), key
    for key, value in (
        (1, ""),
        (1, "x" * 33),
        (1, 5),
        (2, "名" * 11),
        (4, 256),
        (5, []),
        (5, [1, 2, 3, 4, 4]),
        (5, [1, 3, 3]),
        (5, [1, 5]),
        (5, [0]),
        (5, [3, 1]),  # nothing starts without the code step
        (6, 3),
        (7, 3),
        (8, True),
        (9, -1),
        (10, 1440),
        (11, 86_401),
        (12, 3_601),
        (13, 86_401),
        (14, [3730, 190, 3000, 4300, 1000]),
        (14, [3730, 190, 4300, 3000, 1000, 4000]),
        (14, [3730, 190, 3000, 4300, 4000, 4000]),
        (15, 2),
        (16, [15_000, 10_000, 20_000]),
        (16, [15_000, 10_000, 20_000, 30_001]),
        (16, [15_000, 10_000, 20_000, 0]),
        (17, 2),
        (18, 2),
        (19, 0),
    ):
        assert refused(key, value), (key, value)


def test_bytes_that_are_no_scene():
    data = scene.encode_scene(full())
    for bad in (b"", data[:-1], data + b"\0", b"\x80", bytes(513), b"\xa1" + data):
        try:
            scene.parse_scene(bad)
        except SceneError:
            continue
        assert False, bad


def test_a_scene_that_would_be_refused_is_not_encoded():
    one = full()
    one.result_ms = 10
    try:
        scene.encode_scene(one)
    except SceneError:
        return
    assert False


def test_who_is_named():
    nobody, everybody, roster = Scene("a", 0), Scene("a", 1), Scene("a", 2)
    assert [one.names(scene.ROLE_VISITOR) for one in (nobody, everybody, roster)] == [False, True, False]
    assert [one.names(scene.ROLE_RETURNING) for one in (nobody, everybody, roster)] == [False, True, True]


def test_mask_and_temperature_follow_from_the_steps():
    one = Scene("a")
    assert one.asks_mask and one.measures_temperature
    one.mask_implied = True
    assert not one.asks_mask and one.has(scene.STEP_MASK)
    one.steps = b"\x01"
    assert not one.asks_mask and not one.measures_temperature and one.has(scene.STEP_CODE)


def test_fallback_keeps_nobody():
    one = fallback_scene("registered_venue")
    assert (one.id, one.stores_identity, one.needs_code) == ("registered_venue", False, True)


def test_limits_make_sense():
    one = fallback_scene("transit")
    assert one.fever_centi_c == 3730 and one.site_offset_centi_c == 190
    assert one.object_min_centi_c < one.fever_centi_c - one.site_offset_centi_c < one.object_max_centi_c
    assert one.ambient_min_centi_c < one.ambient_max_centi_c
    assert one.live_max_age_s > 60
