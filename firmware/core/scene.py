"""A scene: which steps a person goes through at this door, and the limits that hold there.

Three scenes of the notice are built in; signed packs will bring their own.
"""

from firmware.core.errors import CoreError


class SceneError(CoreError):
    """A scene that nobody defined."""


class Scene:
    """One scene's settings; temperatures in hundredths of a degree Celsius."""

    __slots__ = (
        "ambient_max_centi_c",
        "ambient_min_centi_c",
        "asks_mask",
        "fever_centi_c",
        "future_tolerance_s",
        "id",
        "id_timeout_ms",
        "live_max_age_s",
        "mask_timeout_ms",
        "measure_timeout_ms",
        "measures_temperature",
        "object_max_centi_c",
        "object_min_centi_c",
        "result_ms",
        "site_offset_centi_c",
        "stores_identity",
    )

    def __init__(self, id: str, stores_identity: bool) -> None:
        self.id = id
        # Whether a record may name the person's pseudonym: only where the notice asks for a trajectory.
        self.stores_identity = stores_identity
        # A live code is renewed by the minute: two missed renewals and slack for the phone's clock.
        self.live_max_age_s = 180
        self.future_tolerance_s = 120
        self.measures_temperature = True
        self.asks_mask = True
        # From this body estimate on a person is refused (the notice's 37.3 °C).
        self.fever_centi_c = 3730
        # How far body temperature lies above the measured skin's, by measuring site.
        self.site_offset_centi_c = 190
        # Object temperatures outside are no forehead; ambient ones outside leave the sensor's rated accuracy.
        self.object_min_centi_c = 3000
        self.object_max_centi_c = 4300
        self.ambient_min_centi_c = 1000
        self.ambient_max_centi_c = 4000
        self.measure_timeout_ms = 15000
        self.mask_timeout_ms = 10000
        self.id_timeout_ms = 20000
        self.result_ms = 2500


def default_scene(id: str) -> Scene:
    """The built-in scene "transit", "public_place" or "registered_venue"; raises SceneError."""
    if id == "transit" or id == "public_place":
        return Scene(id, False)
    if id == "registered_venue":
        return Scene(id, True)
    raise SceneError("unknown scene")
