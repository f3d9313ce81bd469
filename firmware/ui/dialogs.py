"""The layout of what comes between passages: lists, questions, what takes a while, the last screen of all."""

from firmware.ui import widgets as w
from firmware.ui.views import View

if False:
    from firmware.ui.fonts import Fonts

#: Rows that fit on the screen; a longer list shows the part around the chosen row.
ROWS = 6
_TOP = 66
_PITCH = 35


class Dialog(View):
    """A title, rows of words, and what the keys do: a list of which one row is chosen, or a question."""

    def __init__(
        self,
        fonts: "Fonts",
        title_id: str,
        rows: "list[str]",
        key_labels: "tuple[str, str, str]",
        chooses: bool,
    ) -> None:
        super().__init__(fonts)
        self._title_id = title_id
        self._rows = rows
        self._labels: "list[w.Label]" = []
        self._marks: "list[w.Label]" = []
        self.line(fonts.large, 29 if chooses else 48, w.AMBER, self.text(title_id))
        if chooses:
            for y in range(_TOP, _TOP + _PITCH * min(ROWS, len(rows)), _PITCH):
                self._labels.append(self.label(fonts.large, y, w.WHITE, 34, 200, w.LEFT))
                self._marks.append(self.label(fonts.large, y, w.GREEN_TEXT, 8, 24, w.LEFT))
        else:
            y = 166 - 18 * len(rows)
            for text in rows:
                self.line(fonts.large if fonts.large.width(text) <= 228 else fonts.small, y, w.WHITE, text)
                y += 36
        self.keys(key_labels)

    def holds(self, title_id: str, rows: "list[str]") -> bool:
        """Whether this is the list of these rows."""
        return self._title_id == title_id and self._rows == rows

    def mark(self, at: int) -> None:
        """Choose a row of a list; only what differs is drawn."""
        first = max(0, min(at - ROWS // 2, len(self._rows) - ROWS))
        for i, label in enumerate(self._labels):
            label.set(self._rows[first + i])
            self._marks[i].set("→" if first + i == at else "")


class Progress(View):
    """A title, how many parts of how many there are, a bar that fills, and what to do meanwhile."""

    def __init__(self, fonts: "Fonts", title_id: str, hint_id: str) -> None:
        super().__init__(fonts)
        self.title_id = title_id
        self.line(fonts.large, 48, w.AMBER, self.text(title_id))
        self._count = self.label(fonts.large, 118, w.WHITE)
        self._gauge = w.Gauge(24, 162, 192, 20, self.inks.plain(w.PANEL, w.GREEN_TEXT))
        self.group.append(self._gauge.grid)
        self.line(fonts.small, 198, w.DIM, self.text(hint_id))
        self.keys((self.text("key_back"), "", ""))

    def set(self, part: int, parts: int) -> None:
        """Show this; only what differs is drawn."""
        self._count.set("%d / %d" % (part, parts))
        self._gauge.set(part, max(1, parts))


class Fault(View):
    """The handheld restarts by itself; what a person can report is the code."""

    def __init__(self, fonts: "Fonts", code: str) -> None:
        super().__init__(fonts)
        self.picture("attention_40", 52, self.inks.shape(self.ground, w.YELLOW, w.BLACK))
        color = w.AMBER
        y = 100
        for text in fonts.large.wrap(self.text("notice_restart"), 228, 2):
            self.line(fonts.large, y, color, text)
            color = w.WHITE
            y += 34
        self.group.append(w.Cards(200, 64, w.PANEL).at(20, 186))
        self.line(fonts.large, 203, w.WHITE, code, ground=w.PANEL)
        self.line(fonts.small, 262, w.DIM, self.text("hint_report"))
