"""The menu: what a checker needs now and then. Choosing a scene takes the PIN, setting the clock back too.

Its rows are built when it opens and go when it closes.
"""

from firmware.ui.stage import ANSWER_MS, KEY_MIDDLE, KEY_NO, KEY_YES

if False:
    from firmware.ui.passenger import Passenger
    from firmware.ui.stage import Stage

#: Key presses of a PIN.
PRESSES = 6
_MANUAL = 0
_LANGUAGE = 1
_PACK = 2
_TEST = 3
_SCENE = 4
_VOICE = 5
_CLOCK = 6


async def open_menu(stage: "Stage", passenger: "Passenger") -> "bytes | None":
    """Show the list and do what is chosen; returns the next code where one came meanwhile."""
    text = stage.screens.text
    print("flow: menu")
    voice = "menu_voice_off" if stage.gate.voice else "menu_voice_on"
    names = ["menu_manual", "menu_language", "menu_pack", "menu_test", "menu_scene", voice]
    if stage.gate.clock_conflict:
        names.append("menu_clock")
    chosen = await stage.pick("title_menu", [text(name) for name in names])
    if chosen == _MANUAL:
        return await _manual(stage, passenger)
    if chosen == _LANGUAGE:
        stage.gate.switch_language()
        stage.screens.language = stage.gate.language
    elif chosen == _VOICE:
        stage.gate.switch_voice()
        stage.panel.voice.on = stage.gate.voice
        stage.panel.voice.say(("on",))
    elif chosen == _PACK:
        await _pack(stage)
    elif chosen == _TEST:
        stage.screens.self_test(stage.gate.health())
        await stage.key((KEY_NO, KEY_MIDDLE, KEY_YES), ANSWER_MS)
    elif chosen in (_SCENE, _CLOCK):
        refused = await ask_pin(stage)
        if refused is not None:
            return await stage.notice(refused, stage.gate.pin_wait_s() or None) if refused else None
        if chosen == _SCENE:
            return await _choose_scene(stage)
        return await stage.notice("notice_clock_set" if stage.gate.obey_server() else "notice_not_saved")
    return None


async def _manual(stage: "Stage", passenger: "Passenger") -> "bytes | None":
    """Enter somebody by hand, with the reason; the reasons of firmware.core.record count from 1."""
    text = stage.screens.text
    names = ("manual_no_phone", "manual_unreadable", "manual_other")
    reason = await stage.pick("title_manual", [text(name) for name in names])
    return None if reason is None else await passenger.by_hand(reason + 1)


async def _pack(stage: "Stage") -> None:
    """The trust data: version, age, and a sheet of codes as far as it was read."""
    gate, text = stage.gate, stage.screens.text
    pack = gate.pack
    status = gate.status()
    lines = [text("label_version").format(pack.version if pack else 0)]
    lines.append(stage.screens.trust_age(status.trust_age_s))
    if stage.sheet[1]:
        lines.append("%s %d / %d" % (text("label_sheet"), stage.sheet[0], stage.sheet[1]))
    await stage.ask("title_pack", lines, ("key_back", "", ""))


async def _choose_scene(stage: "Stage") -> "bytes | None":
    """Choose another scene for the place where this handheld stands."""
    gate = stage.gate
    scenes = gate.scenes()
    chosen = await stage.pick("title_scene", [name for _, name in scenes])
    if not scenes:
        return await stage.notice("notice_no_scenes")
    if chosen is None:
        return None
    if not gate.choose(scenes[chosen][0], gate.place, "menu"):
        return await stage.notice("notice_not_saved")
    return await stage.notice("notice_scene_chosen")


async def ask_pin(stage: "Stage") -> "str | None":
    """Ask for the PIN; None if it was right, else the id of the remark, "" where nobody answered."""
    gate = stage.gate
    print("flow: pin")
    if gate.pin_wait_s():
        return "notice_pin_locked"
    presses = b""
    stage.inbox.clear()
    while len(presses) < PRESSES:
        dots = "●" * len(presses) + "○" * (PRESSES - len(presses))
        stage.screens.question(stage.bar(), "title_pin", [dots], ("key_1", "key_2", "key_3"))
        stage.beat()
        key = await stage.key((KEY_NO, KEY_MIDDLE, KEY_YES), ANSWER_MS)
        if key is None:
            return ""
        presses += bytes((key,))
    if gate.opens(presses):
        return None
    return "notice_pin_locked" if gate.pin_wait_s() else "notice_pin_wrong"
