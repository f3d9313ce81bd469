"""The layout of each screen. A view is built once, then told what to show; firmware/ui/screens.py chooses
among them.

Distances are pixels of the 240x320 panel, counted from the upper left corner.
"""

from drivers.displayio import Group, TileGrid
from firmware.core import reasons
from firmware.ui import texts
from firmware.ui import widgets as w

if False:
    from firmware.ui.fonts import Font, Fonts

    #: Name, verdict, body temperature, reason.
    Member = tuple[str, int, "int | None", int]

#: Names of the pictures by verdict.
SHAPES = ("pass", "stop", "attention")
#: Ground and ink of a verdict. Told apart by luminance (0.17, 0.04, 0.58), never by hue alone.
COLORS = ((w.GREEN, w.WHITE), (w.RED, w.WHITE), (w.YELLOW, w.BLACK))

#: State of a row of the self-test.
FAILED = 2
#: Notices of things that go as they should; all others carry the attention mark.
CALM_NOTICES = ("notice_starting", "notice_enrolling", "notice_enrolled")


def celsius(centi_c: int) -> str:
    """Hundredths of a degree as 36.4, rounded."""
    tenths = (centi_c + 5) // 10
    return "%d.%d" % (tenths // 10, tenths % 10)


def person_text(name: "str | None", id_tail: "str | None") -> str:
    """The masked name, and the tail of the ID where it is known."""
    return " ··".join([part for part in (name, id_tail) if part])


class View:
    """A full screen: ground, bar on top, and whatever a subclass adds."""

    def __init__(self, fonts: "Fonts", language: str, ground: int = w.GROUND, ink: int = w.WHITE) -> None:
        self.fonts = fonts
        self.language = language
        self.ground = ground
        self.group = Group()
        self.group.append(w.box(0, 0, w.WIDTH, w.HEIGHT, ground))
        dark = w.PANEL if ground == w.GROUND else w.mix(ground, 0, 1, 4)
        self.bar = w.StatusBar(fonts, dark, ink, w.AMBER if ground == w.GROUND else ink)
        self.group.append(self.bar.group)
        self._line: "w.Gauge | None" = None

    def text(self, text_id: str) -> str:
        """The text in this view's language."""
        return texts.text(text_id, self.language)

    def label(
        self,
        font: "Font",
        y: int,
        color: int,
        text: str = "",
        x: int = 6,
        width: int = 228,
        align: int = w.CENTRE,
    ) -> w.Label:
        """Add a label, by default one that takes the whole width and is centred."""
        label = w.Label(font, x, y, width, w.ramp(self.ground, color), align, text)
        self.group.append(label.grid)
        return label

    def picture(self, name: str, y: int, color: int) -> None:
        """Add a picture of four values, centred, its middle at `y`."""
        bitmap = self.fonts.pictures.load(name)
        grid = TileGrid(bitmap, pixel_shader=w.ramp(self.ground, color))
        grid.x = (w.WIDTH - bitmap.width) // 2
        grid.y = y - bitmap.height // 2
        self.group.append(grid)

    def brackets(self, x1: int, y1: int, x2: int, y2: int, arm: int) -> None:
        """Add the four corners of a viewfinder."""
        for x, x_thin in ((x1, x1), (x2 - arm, x2 - 4)):
            for y, y_thin in ((y1, y1), (y2 - arm, y2 - 4)):
                self.group.append(w.box(x, y_thin, arm, 4, w.GREEN))
                self.group.append(w.box(x_thin, y, 4, arm, w.GREEN))

    def keys(self, labels: "tuple[str, str, str]") -> w.KeyBar:
        """Add the labels over the keys."""
        bar = w.KeyBar(self.fonts)
        bar.set(labels)
        self.group.append(bar.group)
        return bar

    def countdown(self, permille: int) -> None:
        """The line at the bottom that shows how much time is left."""
        if self._line is None:
            self._line = w.Gauge(0, w.HEIGHT - 6, w.WIDTH, 6, self.ground, w.WHITE)
            self.group.append(self._line.grid)
        self._line.set(permille, 1000)


class Idle(View):
    """Waiting for the next code."""

    def __init__(self, fonts: "Fonts", language: str) -> None:
        super().__init__(fonts, language)
        self.picture("show_" + language, 54, w.WHITE)
        self.brackets(14, 84, 226, 208, 32)
        self._count = w.Digits(fonts.pictures, 120, 104, w.ramp(self.ground, w.WHITE))
        self.group.append(self._count.group)
        self.label(fonts.small, 170, w.DIM, self.text("label_checked"))
        self._warning = self.label(fonts.small, 216, w.AMBER)
        self._pending = self.label(fonts.small, 238, w.DIM, "", 8, 140, w.LEFT)
        self._offline = self.label(fonts.small, 238, w.AMBER, "", 150, 82, w.RIGHT)
        self._online = self.label(fonts.small, 238, w.DIM, "", 150, 82, w.RIGHT)
        self._trust = self.label(fonts.small, 260, w.DIM, "", 8, 140, w.LEFT)
        self._clock = self.label(fonts.small, 260, w.DIM, "", 150, 82, w.RIGHT)
        self._keys = self.keys(("", "", ""))

    def set(
        self,
        count: int,
        pending: int,
        online: bool,
        trust_age_s: "int | None",
        clock_text: str,
        warnings: "list[str]",
        key_labels: "tuple[str, str, str]",
    ) -> None:
        """Show these; only what differs is drawn."""
        self._count.set(str(min(count, 99_999)))
        self._pending.set("%s %d" % (self.text("state_pending"), pending))
        self._online.set(self.text("state_online") if online else "")
        self._offline.set("" if online else self.text("state_offline"))
        self._trust.set(texts.trust_age(trust_age_s, self.language))
        self._clock.set(clock_text)
        warning = self.text(warnings[0]) if warnings else ""
        if len(warnings) > 1:
            warning += " +%d" % (len(warnings) - 1)
        self._warning.set(warning)
        self._keys.set(key_labels)


class Checking(View):
    """A code has been read and is being verified."""

    def __init__(self, fonts: "Fonts", language: str) -> None:
        super().__init__(fonts, language)
        self.brackets(44, 96, 196, 232, 60)
        self.label(fonts.large, 148, w.WHITE, self.text("title_checking"))


class IdCheck(View):
    """The checker compares the tail of the ID with the card in the person's hand."""

    def __init__(self, fonts: "Fonts", language: str, name: str, id_tail: str) -> None:
        super().__init__(fonts, language)
        self.label(fonts.large, 36, w.AMBER, self.text("title_id_check"))
        self.label(fonts.large, 72, w.WHITE, name)
        card = w.Card(20, 114, 200, 88, w.PANEL, self.ground)
        self.group.append(card.group)
        tail = w.Digits(fonts.pictures, 120, 130, w.ramp(w.PANEL, w.WHITE))
        self.group.append(tail.group)
        if not tail.set(id_tail):
            self.label(fonts.large, 144, w.WHITE, id_tail)
        self.label(fonts.small, 214, w.DIM, self.text("hint_id_check"))
        self.keys((self.text("key_differs"), "", self.text("key_equal")))


class Measure(View):
    """Temperature, and the mask question where the scene asks it."""

    def __init__(self, fonts: "Fonts", language: str, ask_mask: bool) -> None:
        super().__init__(fonts, language)
        self.ask_mask = ask_mask
        self._headline = self.label(fonts.large, 28, w.GREEN_TEXT)
        self._person = self.label(fonts.large, 58, w.WHITE)
        self._party = self.label(fonts.small, 88, w.DIM)
        self._digits = w.Digits(fonts.pictures, 112, 116, w.ramp(self.ground, w.WHITE))
        self.group.append(self._digits.group)
        self._unit = self.label(fonts.large, 114, w.DIM, "℃", 0, 32, w.LEFT)
        self._gauge = w.Gauge(24, 184, 192, 10, w.PANEL, w.GREEN)
        self.group.append(self._gauge.grid)
        self._hint = self.label(fonts.small, 202, w.DIM)
        self._questions: "list[w.Label]" = []
        if ask_mask:
            self._questions = [self.label(fonts.large, 238, c) for c in (w.AMBER, w.GREEN_TEXT, w.RED_TEXT)]
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
        width = self._digits.set("--.-" if body_centi_c is None else celsius(body_centi_c))
        self._digits.color(self.ground, w.DIM if body_centi_c is None else w.WHITE)
        self._unit.grid.x = 112 + (width + 1) // 2 + 6
        self._gauge.set(progress, 100)
        self._hint.set(hint)
        for state, label in enumerate(self._questions):
            text_id = ("ask_mask", "ask_mask_worn", "ask_mask_off")[state]
            label.set(self.text(text_id) if state == mask else "")


class Verdict(View):
    """Shape, word, one line of why, one or two of what to do, and whom it concerns."""

    def __init__(
        self,
        fonts: "Fonts",
        language: str,
        verdict: int,
        reason_list: "list[int]",
        person: str,
        body_centi_c: "int | None",
        test_age_days: "int | None",
    ) -> None:
        ground, ink = COLORS[verdict]
        super().__init__(fonts, language, ground, ink)
        self.picture(SHAPES[verdict], 87, ink)
        self.picture(SHAPES[verdict] + "_" + language, 179, ink)
        temperature = "" if body_centi_c is None else celsius(body_centi_c) + "℃"
        test = "" if test_age_days is None else texts.test_age(test_age_days, language)
        if verdict == reasons.PASS:
            self.label(fonts.large, 220, ink, "  ".join([part for part in (temperature, test) if part]))
            self.label(fonts.large, 258, ink, person)
            return
        deciding = [r for r in reason_list if reasons.VERDICT_OF[r] == verdict]
        first = deciding[0] if deciding else reasons.INTERRUPTED
        why = self.text(texts.reason_text(first))
        if first == reasons.FEVER and temperature:
            why += " " + temperature
            temperature = ""
        if len(reason_list) > 1:
            why += " +%d" % (len(reason_list) - 1)
        self.label(fonts.large, 212, ink, why)
        advice = fonts.small.wrap(self.text(texts.advice_text(first)), 228, 2)
        for i, line in enumerate(advice):
            self.label(fonts.small, 245 + 20 * i, ink, line)
        facts = "  ".join([part for part in (person, temperature) if part])
        self.label(fonts.small, 291 if len(advice) > 1 else 280, ink, facts)


class Party(View):
    """A companion and the people on the same code: the verdict of all on top, then one row for each."""

    def __init__(self, fonts: "Fonts", language: str, members: "list[Member]", verdict: int) -> None:
        super().__init__(fonts, language)
        ground, ink = COLORS[verdict]
        self.group.append(w.box(0, w.BAR_HEIGHT, w.WIDTH, 52, ground))
        self._shape(verdict, "_40", 12, w.BAR_HEIGHT + 6, ground, (ink, ground))
        room = 176
        self.ground = ground
        self.label(fonts.large, w.BAR_HEIGHT + 2, ink, self.text("word_" + SHAPES[verdict]), 62, room, w.LEFT)
        title = self.text("title_party").format(len(members))
        self.label(fonts.small, w.BAR_HEIGHT + 29, ink, title, 62, room, w.LEFT)
        self.ground = w.PANEL
        tall = len(members) <= 4
        pitch = 58 if tall else 236 // len(members)
        for i, member in enumerate(members):
            self._row(member, 80 + pitch * i, pitch - (4 if tall else 2), tall)
        self.ground = w.GROUND

    def _shape(
        self, verdict: int, size: str, x: int, y: int, ground: int, colors: "tuple[int, int] | None" = None
    ) -> None:
        palette = w.shape_ramp(ground, *(colors or COLORS[verdict]))
        self.group.append(
            TileGrid(self.fonts.pictures.load(SHAPES[verdict] + size), pixel_shader=palette, x=x, y=y)
        )

    def _row(self, member: "Member", y: int, height: int, tall: bool) -> None:
        name, verdict, body_centi_c, reason = member
        self.group.append(w.Card(6, y, 228, height, w.PANEL, w.GROUND).group)
        self._shape(verdict, "_32", 14, y + (height - 32) // 2, w.PANEL)
        detail = "" if body_centi_c is None else celsius(body_centi_c) + "℃"
        if reason != reasons.OK:
            why = self.text(texts.reason_text(reason))
            detail = why + " " + detail
            if self.fonts.small.width(detail) > 172:
                detail = why
        color = w.DIM if verdict == reasons.PASS else w.AMBER
        if tall:
            self.label(self.fonts.large, y + 2, w.WHITE, name, 56, 172, w.LEFT)
            self.label(self.fonts.small, y + 31, color, detail, 56, 172, w.LEFT)
        else:
            top = y + (height - 36) // 2
            self.label(self.fonts.small, top - 1, w.WHITE, name, 56, 172, w.LEFT)
            self.label(self.fonts.small, top + 16, color, detail, 56, 172, w.LEFT)


class Notice(View):
    """A remark that is no verdict."""

    def __init__(self, fonts: "Fonts", language: str, text_id: str) -> None:
        super().__init__(fonts, language)
        lines = fonts.large.wrap(self.text(text_id), 228, 2)
        y = 164 - 17 * len(lines)
        if text_id not in CALM_NOTICES:
            y += 28
            palette = w.shape_ramp(self.ground, w.YELLOW, w.BLACK)
            mark = fonts.pictures.load("attention_40")
            self.group.append(TileGrid(mark, pixel_shader=palette, x=100, y=y - 56))
        for i, line in enumerate(lines):
            self.label(fonts.large, y + 34 * i, w.WHITE if i else w.AMBER, line)


class SelfTest(View):
    """One row per chip, and under a failed one what that means."""

    def __init__(self, fonts: "Fonts", language: str) -> None:
        super().__init__(fonts, language)
        self.label(fonts.large, 30, w.WHITE, self.text("title_self_test"))
        self._rows: "list[tuple[str, int]]" = []
        self._groups: "list[Group]" = []
        self._large = True

    def set(self, rows: "list[tuple[str, int]]") -> None:
        """Show these rows; a row that has not changed is left alone, one that moved is moved."""
        failed = len([row for row in rows if row[1] == FAILED])
        if self._large and 33 * len(rows) + 20 * failed > 248:
            self._large = False
            self._rows = [("", 0)] * len(self._rows)
        y = 68
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
        state_id = ("state_running", "state_ok", "state_failed")[state]
        name = w.ramp(self.ground, w.WHITE)
        group.append(w.Label(font, 10, 0, 158, name, w.LEFT, self.text(text_id)).grid)
        mark = w.ramp(self.ground, color)
        group.append(w.Label(font, 150, 0, 80, mark, w.RIGHT, self.text(state_id)).grid)
        if state == FAILED:
            message = self.text("fail_" + text_id[len("chip_") :])
            amber = w.ramp(self.ground, w.AMBER)
            group.append(w.Label(self.fonts.small, 10, font.height - 2, 220, amber, w.LEFT, message).grid)
