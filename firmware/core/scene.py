"""A scene: which steps a person goes through at this door, what is kept of them, and the limits that hold.

Scenes are data of the signed pack (docs/formats.md has the CDDL). A scene decides no verdict: rules do.
"""

from firmware.core import cbor, shape
from firmware.core.errors import CoreError

MAX_BYTES = 512

# Steps at the door.
STEP_CODE = 1
STEP_ID = 2
STEP_TEMPERATURE = 3
STEP_MASK = 4

# Whose identity a record may name: nobody's, everybody's, only that of people on the roster.
IDENTITY_NONE = 0
IDENTITY_ALL = 1
IDENTITY_ROSTER = 2

# What a passage can be: neither in nor out, in only, in and out.
PASSAGES = 0
ENTRIES = 1
ENTRIES_AND_EXITS = 2

# Roles of people; every role but the first stands on the roster.
ROLE_VISITOR = 0
ROLE_STAFF = 1
ROLE_NEW = 2
ROLE_RETURNING = 3

_ID, _ZH, _EN, _RANK, _STEPS, _IDENTITY, _DIRECTIONS, _PRESENCE, _CAPACITY, _CLOSING = (
    1,
    2,
    3,
    4,
    5,
    6,
    7,
    8,
    9,
    10,
)
_MAX_AGE, _TOLERANCE, _PASS_BACK, _THRESHOLDS, _ROSTER, _TIMES, _MASK_IMPLIED, _CODE_NEEDED = (
    11,
    12,
    13,
    14,
    15,
    16,
    17,
    18,
)
_DAY_S = 86400
_MAX_CAPACITY = 1_000_000
#: The longest that any step may wait, far from what the supervisor puts up with, and the shortest: a person
#: must be able to do something.
_MAX_WAIT_MS = 30_000
_MIN_WAIT_MS = 500


class SceneError(CoreError):
    """A scene that is not of its form."""


class Scene:
    """One scene's settings; temperatures in hundredths of a degree Celsius.

    Made with a usable default for everything but its id; `parse_scene` sets what the pack says.
    """

    __slots__ = (
        "ambient_max_centi_c",
        "ambient_min_centi_c",
        "capacity",
        "closing_minute",
        "counts_presence",
        "directions",
        "fever_centi_c",
        "future_tolerance_s",
        "id",
        "id_timeout_ms",
        "identity",
        "live_max_age_s",
        "mask_implied",
        "mask_timeout_ms",
        "measure_timeout_ms",
        "name_en",
        "name_zh",
        "needs_code",
        "object_max_centi_c",
        "object_min_centi_c",
        "pass_back_s",
        "rank",
        "result_ms",
        "site_offset_centi_c",
        "steps",
        "uses_roster",
    )

    def __init__(self, id: str, identity: int = IDENTITY_NONE) -> None:
        self.id = id
        self.name_zh = id
        self.name_en = id
        #: Place in the menu, the lowest first.
        self.rank = 0
        #: STEP_... in the order in which they are taken.
        self.steps = b"\x01\x02\x03\x04"
        #: IDENTITY_...: only where the notice asks for it.
        self.identity = identity
        #: PASSAGES, ENTRIES or ENTRIES_AND_EXITS.
        self.directions = PASSAGES
        #: Whether the people inside are counted, how many may be (0: no limit), and the local minute of the
        #: day at which everybody is checked out (None: never).
        self.counts_presence = False
        self.capacity = 0
        self.closing_minute: int | None = None
        # A live code is renewed by the minute: two missed renewals and slack for the phone's clock.
        self.live_max_age_s = 180
        self.future_tolerance_s = 120
        #: For how long the same code does not open again; 0: it does.
        self.pass_back_s = 0
        # From this body estimate on a person is refused (the notice's 37.3 °C).
        self.fever_centi_c = 3730
        # How far body temperature lies above the measured skin's, by measuring site.
        self.site_offset_centi_c = 190
        # Object temperatures outside are no forehead; ambient ones outside leave the sensor's rated accuracy.
        self.object_min_centi_c = 3000
        self.object_max_centi_c = 4300
        self.ambient_min_centi_c = 1000
        self.ambient_max_centi_c = 4000
        self.uses_roster = False
        self.measure_timeout_ms = 15000
        self.mask_timeout_ms = 10000
        self.id_timeout_ms = 20000
        self.result_ms = 2500
        #: Whether the checker scans only people who wear a mask, so that no key is asked for.
        self.mask_implied = False
        #: False where a key press lets somebody through to the other steps without a code.
        self.needs_code = True

    def has(self, step: int) -> bool:
        """Whether this scene has a step."""
        return bytes((step,)) in self.steps

    @property
    def measures_temperature(self) -> bool:
        """Whether the thermometer is used."""
        return self.has(STEP_TEMPERATURE)

    @property
    def asks_mask(self) -> bool:
        """Whether the checker answers by key if the mask is worn."""
        return self.has(STEP_MASK) and not self.mask_implied

    @property
    def stores_identity(self) -> bool:
        """Whether records name everybody."""
        return self.identity == IDENTITY_ALL

    def names(self, role: int) -> bool:
        """Whether a record may name a person of this role."""
        return self.identity == IDENTITY_ALL or (self.identity == IDENTITY_ROSTER and role != ROLE_VISITOR)

    def name(self, language: str) -> str:
        """The scene's name, "zh" or "en"."""
        return self.name_en if language == "en" else self.name_zh


def encode_scene(scene: Scene) -> bytes:
    """The scene as pack data; raises SceneError if it would not be accepted."""
    fields: dict[int, object] = {
        _ID: scene.id,
        _ZH: scene.name_zh,
        _EN: scene.name_en,
        _RANK: scene.rank,
        _STEPS: list(scene.steps),
        _IDENTITY: scene.identity,
        _DIRECTIONS: scene.directions,
        _PRESENCE: int(scene.counts_presence),
        _CAPACITY: scene.capacity,
        _MAX_AGE: scene.live_max_age_s,
        _TOLERANCE: scene.future_tolerance_s,
        _PASS_BACK: scene.pass_back_s,
        _THRESHOLDS: [
            scene.fever_centi_c,
            scene.site_offset_centi_c,
            scene.object_min_centi_c,
            scene.object_max_centi_c,
            scene.ambient_min_centi_c,
            scene.ambient_max_centi_c,
        ],
        _ROSTER: int(scene.uses_roster),
        _TIMES: [scene.measure_timeout_ms, scene.mask_timeout_ms, scene.id_timeout_ms, scene.result_ms],
        _MASK_IMPLIED: int(scene.mask_implied),
        _CODE_NEEDED: int(scene.needs_code),
    }
    if scene.closing_minute is not None:
        fields[_CLOSING] = scene.closing_minute
    try:
        data = cbor.dumps(fields)
    except cbor.CborError as e:
        raise SceneError(str(e)) from None
    parse_scene(data)
    return data


def parse_scene(data: bytes) -> Scene:
    """The scene that pack data holds, every field of its form; raises SceneError."""
    if len(data) > MAX_BYTES:
        raise SceneError("too long")
    try:
        fields = cbor.loads(data, 2, 64)
        required = tuple(key for key in range(_ID, _CODE_NEEDED + 1) if key != _CLOSING)
        return _scene(shape.mapping(fields, required, (_CLOSING,)))
    except (cbor.CborError, shape.ShapeError) as e:
        raise SceneError(str(e)) from None


def fallback_scene(id: str) -> Scene:
    """What holds before the first pack: all steps, no identity. Nobody passes without a pack anyway."""
    return Scene(id)


def _scene(fields: dict[int, object]) -> Scene:
    """The scene of checked keys; raises ShapeError."""
    scene = Scene(shape.text(fields[_ID], 32, 1), shape.choice(fields[_IDENTITY], 3))
    scene.name_zh = shape.text(fields[_ZH], 32, 1)
    scene.name_en = shape.text(fields[_EN], 32, 1)
    scene.rank = shape.uint(fields[_RANK], 255)
    scene.needs_code = shape.choice(fields[_CODE_NEEDED], 2) == 1
    scene.steps = _steps(fields[_STEPS])
    scene.directions = shape.choice(fields[_DIRECTIONS], 3)
    scene.counts_presence = shape.choice(fields[_PRESENCE], 2) == 1
    scene.capacity = shape.uint(fields[_CAPACITY], _MAX_CAPACITY)
    if _CLOSING in fields:
        scene.closing_minute = shape.uint(fields[_CLOSING], 1439)
    scene.live_max_age_s = shape.uint(fields[_MAX_AGE], _DAY_S)
    scene.future_tolerance_s = shape.uint(fields[_TOLERANCE], 3600)
    scene.pass_back_s = shape.uint(fields[_PASS_BACK], _DAY_S)
    scene.uses_roster = shape.choice(fields[_ROSTER], 2) == 1
    scene.mask_implied = shape.choice(fields[_MASK_IMPLIED], 2) == 1
    limits = [shape.sint(value, 10_000) for value in shape.array(fields[_THRESHOLDS], 6, 6)]
    if limits[2] >= limits[3] or limits[4] >= limits[5]:
        raise shape.ShapeError("limits")
    scene.fever_centi_c, scene.site_offset_centi_c = limits[0], limits[1]
    scene.object_min_centi_c, scene.object_max_centi_c = limits[2], limits[3]
    scene.ambient_min_centi_c, scene.ambient_max_centi_c = limits[4], limits[5]
    times = [shape.uint(value, _MAX_WAIT_MS) for value in shape.array(fields[_TIMES], 4, 4)]
    if min(times) < _MIN_WAIT_MS:
        raise shape.ShapeError("times")
    scene.measure_timeout_ms, scene.mask_timeout_ms = times[0], times[1]
    scene.id_timeout_ms, scene.result_ms = times[2], times[3]
    return scene


def _steps(value: object) -> bytes:
    """Steps, each at most once, the code first: nothing else starts a passage. Raises ShapeError."""
    steps = b""
    for step in shape.array(value, 1, 4):
        one = bytes((shape.uint(step, STEP_MASK),))
        if one == b"\0" or one in steps:
            raise shape.ShapeError("steps")
        steps += one
    if steps[0] != STEP_CODE:
        raise shape.ShapeError("steps")
    return steps
