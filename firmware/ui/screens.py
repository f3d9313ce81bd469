"""What the flow can show. Every call draws at once and sends only what changed since the call before."""

from drivers.displayio import Group
from firmware.ui import dialogs, texts, views

if False:
    from drivers.displayio import Display
    from firmware.services.status import Status
    from firmware.ui.fonts import Fonts
    from firmware.ui.views import Member, View


class Bar:
    """What the bar on top says: place, name of the scene, direction (0 in, 1 out, 2 none, 3 whichever fits),
    battery. `both_ways`: people come in and go out here, so every verdict says which, in large.
    """

    __slots__ = ("battery_percent", "both_ways", "direction", "place", "scene")

    def __init__(
        self, place: str, scene: str, direction: int, battery_percent: int, both_ways: bool = False
    ) -> None:
        self.place = place
        self.scene = scene
        self.direction = direction
        self.battery_percent = battery_percent
        self.both_ways = both_ways

    def way(self) -> int:
        """The direction that a verdict says in large: 0 in, 1 out, 2 none."""
        return self.direction if self.both_ways and self.direction < 2 else 2

    def key(self) -> "tuple[object, ...]":
        """Equal for two bars that look the same."""
        return (self.place, self.scene, self.direction, self.battery_percent)


class Screens:
    """The screens on one display; `language` is "zh" or "en" and holds from the next call on.

    A view stays while calls ask for the same one, and goes with all names on it when another comes.
    """

    def __init__(self, display: "Display", fonts: "Fonts", language: str) -> None:
        self._display = display
        self._fonts = fonts
        self._root = Group()
        display.root_group = self._root
        self._view: "View | None" = None
        self.language = language

    @property
    def language(self) -> str:
        """Language of the texts, "zh" or "en"."""
        return self._fonts.texts.language

    @language.setter
    def language(self, language: str) -> None:
        self._fonts.texts.language = texts.EN if language == texts.EN else texts.ZH
        self._clear()

    def self_test(self, rows: "list[tuple[str, int]]") -> None:
        """Rows of (text id of the chip, state): 0 running, 1 good, 2 failed."""
        view = self._view
        if not isinstance(view, views.SelfTest):
            view = None  # or this name would keep the old view alive beside the new one
            self._clear()
            view = views.SelfTest(self._fonts)
        view.set(rows)
        self._show(view, None)

    def text(self, text_id: str) -> str:
        """A text in the language set."""
        return self._fonts.texts.get(text_id)

    def trust_age(self, age_s: "int | None") -> str:
        """How old the trust data is, in words."""
        return self._fonts.texts.trust_age(age_s)

    def idle(self, bar: Bar, count: int, status: "Status", key_labels: "tuple[str, str, str]") -> None:
        """Waiting for a code. Warnings are text ids, the gravest first; `key_labels` too."""
        view = self._view
        if not isinstance(view, views.Idle):
            view = None  # or this name would keep the old view alive beside the new one
            self._clear()
            view = views.Idle(self._fonts)
        view.set(count, status, self._words(key_labels))
        self._show(view, bar)

    def menu(self, bar: Bar, title_id: str, rows: "list[str]", at: int) -> None:
        """Rows of words, the chosen one marked; keys back / next / choose."""
        view = self._view
        if not isinstance(view, dialogs.Dialog) or not view.holds(title_id, rows):
            view = None  # or this name would keep the old view alive beside the new one
            self._clear()
            keys = self._words(("key_back", "key_next", "key_choose"))
            view = dialogs.Dialog(self._fonts, title_id, rows, keys, True)
        view.mark(at)
        self._show(view, bar)

    def question(
        self, bar: Bar, title_id: str, lines: "list[str]", key_labels: "tuple[str, str, str]"
    ) -> None:
        """A title and a few lines of words over the keys, whose labels are text ids."""
        self._clear()
        self._show(dialogs.Dialog(self._fonts, title_id, lines, self._words(key_labels), False), bar)

    def _words(self, text_ids: "tuple[str, str, str]") -> "tuple[str, str, str]":
        one, two, three = [self.text(text_id) if text_id else "" for text_id in text_ids]
        return one, two, three

    def checking(self, bar: Bar) -> None:
        """A code is being verified."""
        self._clear()
        self._show(views.Checking(self._fonts), bar)

    def id_check(self, bar: Bar, name: str, id_tail: str) -> None:
        """Ask whether the tail of the ID is the same: no / - / yes."""
        self._clear()
        self._show(views.IdCheck(self._fonts, name, id_tail), bar)

    def measure(
        self,
        bar: Bar,
        headline_text_id: str,
        name: str,
        id_tail: "str | None",
        party: "tuple[int, int] | None",
        body_centi_c: "int | None",
        progress: int,
        hint_text_id: str,
        mask: int,
        ask_mask: bool,
    ) -> None:
        """Temperature with `progress` in per cent; `party` is (index from 0, members); keys not worn / - /
        worn.

        `mask` is 0 while the question is open, 1 for worn, 2 for not worn.
        """
        view = self._view
        if not isinstance(view, views.Measure) or view.ask_mask != ask_mask:
            view = None  # or this name would keep the old view alive beside the new one
            self._clear()
            view = views.Measure(self._fonts, ask_mask)
        headline, hint = view.text(headline_text_id), view.text(hint_text_id)
        view.set(headline, views.joined((name, id_tail), " ··"), party, body_centi_c, progress, hint, mask)
        self._show(view, bar)

    def verdict(
        self,
        bar: Bar,
        verdict: int,
        reasons: "list[int]",
        name: "str | None",
        id_tail: "str | None",
        body_centi_c: "int | None",
        test_age_days: "int | None",
        role: "int | None" = None,
    ) -> None:
        """One person's verdict, with the first reason that leads to it; `role` is one of the roster's."""
        person = views.joined((name, id_tail), " ··")
        if role is not None:
            person = (
                self.text(("role_visitor", "role_staff", "role_new", "role_returning")[role]) + "  " + person
            )
        self._clear()
        self._show(
            views.Verdict(self._fonts, verdict, reasons, person, body_centi_c, test_age_days, bar.way()),
            bar,
        )

    def countdown(self, permille: int) -> None:
        """How much of the time is left on the screen that shows, as a white line at the bottom."""
        if self._view is not None:
            self._view.countdown(permille)
            self._display.refresh()

    def party(self, bar: Bar, members: "list[Member]", verdict: int) -> None:
        """The verdicts of up to six people on one code, as (name, verdict, body temperature, reason)."""
        self._clear()
        self._show(views.Party(self._fonts, members, verdict, bar.way()), bar)

    def notice(self, bar: Bar, text_id: str, value: "int | None" = None) -> None:
        """A remark that is no verdict, perhaps with a number in it."""
        self._clear()
        self._show(views.Notice(self._fonts, text_id, value), bar)

    def fault(self, code: str) -> None:
        """The handheld has failed and restarts; the code is for whoever is told of it."""
        self._clear()
        self._show(dialogs.Fault(self._fonts, code), None)

    def progress(self, bar: Bar, title_id: str, part: int, parts: int, hint_id: str) -> None:
        """Something that takes a while and how far it is; key back / - / -."""
        view = self._view
        if not isinstance(view, dialogs.Progress) or view.title_id != title_id:
            view = None  # or this name would keep the old view alive beside the new one
            self._clear()
            view = dialogs.Progress(self._fonts, title_id, hint_id)
        view.set(part, parts)
        self._show(view, bar)

    def _clear(self) -> None:
        """Let go of the view that shows, before the next is built: there is no memory for two of them."""
        self._view = None
        while self._root:
            self._root.pop()

    def _show(self, view: "View", bar: "Bar | None") -> None:
        """Put a view on the display."""
        if bar is None:
            view.bar.set("Yima 一码", "", "", None)
        else:
            direction = ("dir_in", "dir_out", "", "dir_both")[bar.direction]
            view.bar.set(
                bar.scene,
                bar.place,
                view.text(direction) if direction else "",
                bar.battery_percent,
            )
        self._view = view
        if not self._root:
            self._root.append(view.group)
        self._display.refresh()
