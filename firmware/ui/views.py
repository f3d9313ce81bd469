"""The layout of each screen. A view is built once, then told what to show; firmware/ui/screens.py chooses.

Distances are pixels of the 240x320 panel, counted from the upper left corner.
"""

from drivers.displayio import Bitmap, Group, TileGrid
from firmware.core import reasons
from firmware.ui import widgets as w

if False:
    from drivers.displayio import Palette
    from firmware.services.status import Status
    from firmware.ui.fonts import Font, Fonts

    #: Name, verdict, body temperature, reason.
    Member = tuple[str, int, "int | None", int]

#: Names of the pictures by verdict.
SHAPES = ("pass", "stop", "attention")
#: Ground and ink of a verdict. Told apart by luminance (0.16, 0.03, 0.58), never by hue alone.
COLORS = ((w.GREEN, w.WHITE), (w.RED, w.WHITE), (w.YELLOW, w.BLACK))
#: Shape and sign of a small shape on a dark card, where the red would not be seen.
ROW_COLORS = ((w.GREEN, w.WHITE), (w.WHITE, w.RED), (w.YELLOW, w.BLACK))
#: The names of the ways, as in the pictures: an arrow into a doorway or out of it, and a word.
WAYS = ("in", "out")
#: State of a row of the self-test.
FAILED = 2
#: What can be reported broken, in the order of the codes E1, E2 ... that stand where else "OK" does.
_PARTS = "display assets scanner thermometer clock flash journal trust wifi battery keys"
#: Notices of things that go as they should; all others carry the attention mark.
CALM_NOTICES = (
    "notice_starting",
    "notice_enrolling",
    "notice_enrolled",
    "notice_scene_chosen",
    "notice_sheet_read",
)


def celsius(centi_c: int) -> str:
    """Hundredths of a degree as 36.4, rounded."""
    tenths = (centi_c + 5) // 10
    return "%d.%d" % (tenths // 10, tenths % 10)


def joined(parts: "tuple[str | None, ...]", by: str) -> str:
    """The parts that are there, with something between them."""
    return by.join([part for part in parts if part])


class View:
    """A full screen: ground, bar on top, and whatever a subclass adds."""

    def __init__(self, fonts: "Fonts", ground: int = w.GROUND, ink: int = w.WHITE) -> None:
        self.fonts = fonts
        self.text = fonts.texts.get
        self.inks = w.Inks()
        self._pictures: "dict[str, Bitmap]" = {}
        self.ground = ground
        self._ink = ink
        self.group = Group()
        self._line: "w.Gauge | None" = None
        self.box(0, 0, w.WIDTH, w.HEIGHT, ground)
        dark = w.PANEL if ground == w.GROUND else w.mix(ground, 0, 1, 4)
        self.bar = w.StatusBar(fonts, self.inks, dark, ink, w.AMBER if ground == w.GROUND else ink)
        self.group.append(self.bar.group)

    def box(self, x: int, y: int, width: int, height: int, color: int) -> None:
        """Add a filled rectangle."""
        self.group.append(w.box(self.inks, x, y, width, height, color))

    def ink(self, color: int) -> "Palette":
        """The palette of text in a colour on this view's ground."""
        return self.inks.text(self.ground, color)

    def line(
        self,
        font: "Font",
        y: int,
        color: int,
        text: str,
        x: int = w.MARGIN,
        room: int = 228,
        align: int = w.CENTRE,
        ground: "int | None" = None,
    ) -> None:
        """Add a line of text that stays, by default one that has the whole width and is centred."""
        palette = self.inks.text(self.ground if ground is None else ground, color)
        if text:
            self.group.append(w.line(font, x, y, room, palette, align, text))

    def label(
        self, font: "Font", y: int, color: int, x: int = w.MARGIN, room: int = 228, align: int = w.CENTRE
    ) -> w.Label:
        """Add a line of text that changes."""
        label = w.Label(font, x, y, room, self.ink(color), align)
        self.group.append(label.grid)
        return label

    def digits(self, x: int, y: int, ground: int) -> w.Digits:
        """Add large digits."""
        digits = w.Digits(self.fonts.pictures, x, y, self.inks.text(ground, w.WHITE))
        self.group.append(digits.group)
        return digits

    def picture(self, name: str, y: int, palette: "Palette", x: "int | None" = None) -> None:
        """Add a picture with its upper edge at `y`, centred where there is no `x`."""
        if name not in self._pictures:
            self._pictures[name] = self.fonts.pictures.load(name)
        bitmap = self._pictures[name]
        left = (w.WIDTH - bitmap.width) // 2 if x is None else x
        self.group.append(TileGrid(bitmap, pixel_shader=palette, x=left, y=y))

    def brackets(self, x1: int, y1: int, x2: int, y2: int, arm: int) -> None:
        """Add the four corners of a viewfinder."""
        ink = self.inks.plain(w.GREEN)
        wide, tall = Bitmap(arm, 4, 1), Bitmap(4, arm, 1)
        for x, x_thin in ((x1, x1), (x2 - arm, x2 - 4)):
            for y, y_thin in ((y1, y1), (y2 - arm, y2 - 4)):
                self.group.append(TileGrid(wide, pixel_shader=ink, x=x, y=y_thin))
                self.group.append(TileGrid(tall, pixel_shader=ink, x=x_thin, y=y))

    def keys(self, labels: "tuple[str, str, str]") -> w.KeyBar:
        """Add the labels over the keys."""
        bar = w.KeyBar(self.fonts, self.inks)
        bar.set(labels)
        self.group.append(bar.group)
        return bar

    def countdown(self, permille: int) -> None:
        """The line at the bottom that shows how much time is left."""
        if self._line is None:
            self._line = w.Gauge(0, w.HEIGHT - 6, w.WIDTH, 6, self.inks.plain(self.ground, self._ink))
            self.group.append(self._line.grid)
        self._line.set(permille, 1000)


class Idle(View):
    """Waiting for the next code."""

    def __init__(self, fonts: "Fonts") -> None:
        super().__init__(fonts)
        self.picture("show_" + fonts.texts.language, 34, self.ink(w.WHITE))
        self.brackets(14, 84, 226, 208, 32)
        self._count = self.digits(120, 104, self.ground)
        self.line(fonts.small, 170, w.DIM, self.text("label_checked"))
        self._present = self.label(fonts.small, 189, w.DIM)
        self._warning = self.label(fonts.small, 215, w.AMBER)
        self._pending = self.label(fonts.small, 237, w.DIM, 8, 140, w.LEFT)
        self._online = self.label(fonts.small, 237, w.DIM, 150, 82, w.RIGHT)
        self._trust = self.label(fonts.small, 259, w.DIM, 8, 140, w.LEFT)
        self._clock = self.label(fonts.small, 259, w.DIM, 150, 82, w.RIGHT)
        self._keys = self.keys(("", "", ""))

    def set(self, count: int, status: "Status", key_labels: "tuple[str, str, str]") -> None:
        """Show these; only what differs is drawn."""
        self._count.set(str(min(count, 99_999)))
        self._pending.set("%s %d" % (self.text("label_pending"), status.pending))
        self._online.set(self.text("label_online" if status.online else "label_offline"))
        self._online.grid.pixel_shader = self.ink(w.DIM if status.online else w.AMBER)
        self._trust.set(self.fonts.texts.trust_age(status.trust_age_s))
        self._clock.set(status.clock_text)
        present, full = "", status.due
        if status.due:
            present = self.text("label_scene_due")
        elif status.present is not None:
            present = "%s %d" % (self.text("label_present"), status.present)
            if status.capacity:
                present += " / %d" % status.capacity
                full = status.present >= status.capacity
        self._present.set(present)
        self._present.grid.pixel_shader = self.ink(w.AMBER if full else w.DIM)
        warning = self.text(status.warnings[0]) if status.warnings else ""
        if len(status.warnings) > 1:
            warning += " +%d" % (len(status.warnings) - 1)
        self._warning.set(warning)
        self._keys.set(key_labels)


class Checking(View):
    """A code has been read and is being verified."""

    def __init__(self, fonts: "Fonts") -> None:
        super().__init__(fonts)
        self.brackets(44, 96, 196, 232, 60)
        self.line(fonts.large, 148, w.WHITE, self.text("title_checking"))


class IdCheck(View):
    """The checker compares the tail of the ID with the card in the person's hand."""

    def __init__(self, fonts: "Fonts", name: str, id_tail: str) -> None:
        super().__init__(fonts)
        self.line(fonts.large, 34, w.AMBER, self.text("title_id_check"))
        self.line(fonts.large, 70, w.WHITE, name)
        self.group.append(w.Cards(200, 88, w.PANEL).at(20, 112))
        if not self.digits(120, 128, w.PANEL).set(id_tail):
            self.line(fonts.large, 140, w.WHITE, id_tail, ground=w.PANEL)
        self.line(fonts.small, 212, w.DIM, self.text("hint_id_check"))
        self.keys((self.text("key_differs"), "", self.text("key_equal")))


class Measure(View):
    """Temperature, and the mask question where the scene asks it."""

    _ASKS = ("ask_mask", "ask_mask_worn", "ask_mask_off")
    _ASK_COLORS = (w.AMBER, w.GREEN_TEXT, w.RED_TEXT)

    def __init__(self, fonts: "Fonts", ask_mask: bool) -> None:
        super().__init__(fonts)
        self.ask_mask = ask_mask
        self._headline = self.label(fonts.large, 27, w.GREEN_TEXT)
        self._person = self.label(fonts.large, 57, w.WHITE)
        self._party = self.label(fonts.small, 88, w.DIM)
        self._digits = self.digits(112, 116, self.ground)
        self._unit = w.line(fonts.large, 0, 113, 32, self.ink(w.DIM), w.LEFT, "℃")
        self.group.append(self._unit)
        self._gauge = w.Gauge(24, 184, 192, 10, self.inks.plain(w.PANEL, w.GREEN_TEXT))
        self.group.append(self._gauge.grid)
        self._hint = self.label(fonts.small, 201, w.DIM)
        if ask_mask:
            self._ask = self.label(fonts.large, 237, w.AMBER)
            self.keys((self.text("key_no_mask"), "", self.text("key_mask_on")))

    def set(
        self,
        headline: str,
        person: str,
        party: "tuple[int, int] | None",
        body_centi_c: "int | None",
        progress: int,
        hint: str,
        mask: int,
    ) -> None:
        """Show these; only what differs is drawn."""
        self._headline.set(headline)
        self._person.set(person)
        self._party.set(self.text("headline_party").format(party[0] + 1, party[1]) if party else "")
        if body_centi_c is None:
            width = self._digits.set("--.-", self.ink(w.DIM))
        else:
            width = self._digits.set(celsius(body_centi_c), self.ink(w.WHITE))
        self._unit.x = 112 + (width + 1) // 2 + 6
        self._gauge.set(progress, 100)
        self._hint.set(hint)
        if self.ask_mask:
            self._ask.set(self.text(self._ASKS[mask]))
            self._ask.grid.pixel_shader = self.ink(self._ASK_COLORS[mask])


class Verdict(View):
    """Shape, word, one line of why, one or two of what to do, and whom it concerns."""

    def __init__(
        self,
        fonts: "Fonts",
        verdict: int,
        reason_list: "list[int]",
        person: str,
        body_centi_c: "int | None",
        test_age_days: "int | None",
        way: int,
    ) -> None:
        ground, ink = COLORS[verdict]
        super().__init__(fonts, ground, ink)
        word = SHAPES[verdict] + "_" + fonts.texts.language
        self.picture(SHAPES[verdict], 31, self.ink(ink), 12 if way < 2 else None)
        if way < 2:
            self._way(way, ground, ink)
        self.picture(word, 179 - fonts.pictures.size(word)[1] // 2, self.ink(ink))
        temperature = "" if body_centi_c is None else celsius(body_centi_c) + "℃"
        if verdict == reasons.PASS:
            test = "" if test_age_days is None else fonts.texts.test_age(test_age_days)
            self.line(fonts.large, 221, ink, joined((temperature, test), "  "))
            self.line(fonts.large, 259, ink, person)
            return
        deciding = [r for r in reason_list if reasons.verdict_of(r) == verdict]
        first = deciding[0] if deciding else reasons.INTERRUPTED
        why = fonts.texts.reason(first)
        if first == reasons.FEVER and temperature:
            why += " " + temperature
            temperature = ""
        more = len([r for r in reason_list if reasons.verdict_of(r) != reasons.PASS]) - 1
        if more > 0:
            why += " +%d" % more
        self.line(fonts.large, 214, ink, why)
        advice = fonts.small.wrap(fonts.texts.advice(first), 228, 2)
        for i, text in enumerate(advice):
            self.line(fonts.small, 247 + 20 * i, ink, text)
        self.line(fonts.small, 291 if len(advice) > 1 else 280, ink, joined((person, temperature), "  "))

    def _way(self, way: int, ground: int, ink: int) -> None:
        """In or out, beside the shape. Out is a card of the ink's colour: the two differ from afar."""
        if way == 1:
            self.box(136, 31, 92, 112, ink)
            ground, ink = ink, ground
        palette = self.inks.text(ground, ink)
        pictures = self.fonts.pictures
        word = WAYS[way] + "_" + self.fonts.texts.language
        width, height = pictures.size(word)
        self.picture("way_" + WAYS[way], 34, palette, 154)
        self.picture(word, 117 - height // 2, palette, 182 - width // 2)


class Party(View):
    """A companion and the people on the same code: the verdict of all on top, then one row for each."""

    def __init__(self, fonts: "Fonts", members: "list[Member]", verdict: int, way: int) -> None:
        super().__init__(fonts)
        ground, ink = COLORS[verdict]
        top = w.BAR_HEIGHT
        self.box(0, top, w.WIDTH, 52, ground)
        self.picture(SHAPES[verdict] + "_40", top + 6, self.inks.shape(ground, ink, ground), 12)
        room = 172
        if way < 2:
            room = 98
            if way == 1:
                self.box(164, top, 76, 52, ink)
            colors = (ink, ground) if way == 1 else (ground, ink)
            self.picture("way_" + WAYS[way] + "_40", top + 6, self.inks.text(*colors), 166)
            word = self.text("dir_" + WAYS[way])
            font = fonts.large if fonts.large.width(word) <= 32 else fonts.small
            self.line(font, top + 26 - font.height // 2, colors[1], word, 206, 32, w.CENTRE, colors[0])
        self.line(fonts.large, top + 1, ink, self.text("word_" + SHAPES[verdict]), 62, room, w.LEFT, ground)
        title = self.text("title_party").format(len(members))
        self.line(fonts.small, top + 28, ink, title, 62, room, w.LEFT, ground)
        # Up to four rows have room for large names.
        font = fonts.large if len(members) <= 4 else fonts.small
        pitch = 58 if len(members) <= 4 else 236 // len(members)
        height = pitch - 4 if len(members) <= 4 else pitch - 2
        cards = w.Cards(228, height, w.PANEL)
        for i, member in enumerate(members):
            y = 80 + pitch * i
            self.group.append(cards.at(6, y))
            self._row(member, font, y, height)

    def _row(self, member: "Member", font: "Font", y: int, height: int) -> None:
        name, verdict, body_centi_c, reason = member
        palette = self.inks.shape(w.PANEL, *ROW_COLORS[verdict])
        self.picture(SHAPES[verdict] + "_32", y + (height - 32) // 2, palette, 14)
        detail = "" if body_centi_c is None else celsius(body_centi_c) + "℃"
        if reason != reasons.OK:
            why = self.fonts.texts.reason(reason)
            detail = joined((why, detail), " ")
            if self.fonts.small.width(detail) > 172:
                detail = why
        y += (height - font.height - self.fonts.small.height) // 2 + 1
        self.line(font, y, w.WHITE, name, 56, 172, w.LEFT, w.PANEL)
        color = w.DIM if verdict == reasons.PASS else w.AMBER
        self.line(self.fonts.small, y + font.height - 2, color, detail, 56, 172, w.LEFT, w.PANEL)


class Notice(View):
    """A remark that is no verdict."""

    def __init__(self, fonts: "Fonts", text_id: str, value: "int | None" = None) -> None:
        super().__init__(fonts)
        text = self.text(text_id)
        lines = fonts.large.wrap(text if value is None else text.format(value), 228, 2)
        y = 164 - 17 * len(lines)
        if text_id not in CALM_NOTICES:
            y += 28
            self.picture("attention_40", y - 56, self.inks.shape(self.ground, w.YELLOW, w.BLACK))
        for i, text in enumerate(lines):
            self.line(fonts.large, y + 34 * i, w.WHITE if i else w.AMBER, text)


class SelfTest(View):
    """One row per chip, and under a failed one what that means."""

    def __init__(self, fonts: "Fonts") -> None:
        super().__init__(fonts)
        self.line(fonts.large, 29, w.WHITE, self.text("title_self_test"))
        self._rows: "list[tuple[str, int]]" = []
        self._groups: "list[Group]" = []
        self._large = True

    def set(self, rows: "list[tuple[str, int]]") -> None:
        """Show these rows; a row that has not changed is left alone, one that moved is moved."""
        failed = len([row for row in rows if row[1] == FAILED])
        if self._large and 33 * len(rows) + 20 * failed > 248:
            self._large = False
            self._rows = [("", 0)] * len(self._rows)
        y = 67
        for i, row in enumerate(rows):
            if i >= len(self._groups):
                self._groups.append(Group())
                self.group.append(self._groups[i])
                self._rows.append(("", 0))
            group = self._groups[i]
            if self._rows[i] != row:
                self._rows[i] = row
                while group:
                    group.pop()
                self._fill(group, row)
            group.y = y
            y += (33 if self._large else 24) + (20 if row[1] == FAILED else 0)

    def _fill(self, group: Group, row: "tuple[str, int]") -> None:
        text_id, state = row
        font = self.fonts.large if self._large else self.fonts.small
        color = (w.DIM, w.GREEN_TEXT, w.RED_TEXT)[state]
        part = text_id[len("chip_") :]
        word = self.text(("state_running", "state_ok", "state_failed")[state])
        if state == FAILED and part in _PARTS.split():
            word = "E%d" % (_PARTS.split().index(part) + 1)
        group.append(w.line(font, 10, 0, 156, self.ink(w.WHITE), w.LEFT, self.text(text_id)))
        group.append(w.line(font, 154, 0, 80, self.ink(color), w.RIGHT, word))
        if state == FAILED:
            message = self.text("fail_" + part)
            small = self.fonts.small
            group.append(w.line(small, 10, font.height - 3, 220, self.ink(w.AMBER), w.LEFT, message))
