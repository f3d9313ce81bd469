from firmware.core.scene import SceneError, default_scene


def test_who_stores_identity():
    # M8 and M9 of the notice: public places count people, registered venues know them.
    assert not default_scene("transit").stores_identity
    assert not default_scene("public_place").stores_identity
    assert default_scene("registered_venue").stores_identity


def test_limits_make_sense():
    for id in ("transit", "public_place", "registered_venue"):
        scene = default_scene(id)
        assert scene.id == id
        assert scene.fever_centi_c == 3730 and scene.site_offset_centi_c == 190
        assert (
            scene.object_min_centi_c
            < scene.fever_centi_c - scene.site_offset_centi_c
            < scene.object_max_centi_c
        )
        assert scene.ambient_min_centi_c < scene.ambient_max_centi_c
        assert scene.live_max_age_s > 60
        for wait_ms in (
            scene.measure_timeout_ms,
            scene.mask_timeout_ms,
            scene.id_timeout_ms,
            scene.result_ms,
        ):
            assert 1000 < wait_ms < 60000


def test_each_call_gives_a_scene_of_its_own():
    default_scene("transit").fever_centi_c = 0
    assert default_scene("transit").fever_centi_c == 3730


def test_unknown_scene():
    for id in ("", "Transit", "office "):
        try:
            default_scene(id)
        except SceneError:
            continue
        assert False, id
