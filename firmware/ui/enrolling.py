"""A scanned code that enrols this handheld. Where it is enrolled already, the PIN comes first."""

from firmware.ui.menu import ask_pin
from firmware.ui.stage import KEY_YES

if False:
    from firmware.services.enrolment import Enrolment
    from firmware.ui.stage import Stage


async def enrol(stage: "Stage", enrolment: "Enrolment", text: bytes) -> "bytes | None":
    """Ask, then enrol at the server of the code; returns the next code where one came meanwhile."""
    given = enrolment.read(text)
    if given is None:
        return await stage.notice("notice_enrol_failed")
    if enrolment.enrolled:
        refused = await ask_pin(stage)
        if refused is not None:
            return await stage.notice(refused, stage.gate.pin_wait_s() or None) if refused else None
    if await stage.ask("title_enrol", list(given), ("key_cancel", "", "key_confirm")) != KEY_YES:
        return None
    return await stage.notice("notice_enrolling" if enrolment.accept() else "notice_not_saved")
