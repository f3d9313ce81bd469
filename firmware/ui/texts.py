"""Every word on the screens, Chinese and English, and the room each kind of text has.

A text is named by its id; the part before the first underscore is its kind. `PLACES` says for each kind
which font it is set in, how wide it may be and on how many lines; tests/sim/test_screens.py holds every
text against it.
"""

from firmware.core import reasons

ZH = "zh"
EN = "en"

#: Kind of text -> (font size, widest in pixels, lines).
PLACES = {
    "advice": (16, 228, 2),
    "age": (16, 128, 1),
    "ask": (24, 228, 1),
    "chip": (24, 156, 1),
    "dir": (16, 32, 1),
    "fail": (16, 220, 1),
    "headline": (24, 228, 1),
    "hint": (16, 228, 1),
    "key": (16, 76, 1),
    "label": (16, 160, 1),
    "notice": (24, 228, 2),
    "reason": (24, 228, 1),
    "scene": (16, 104, 1),
    "state": (24, 76, 1),
    "test": (16, 140, 1),
    "title": (24, 228, 1),
    "word": (24, 176, 1),
    "warn": (16, 228, 1),
}

#: Lines of id|Chinese|English; ↵ breaks a line, {} takes a value, # starts a remark. One string, not a
#: dict: a dict of this many small objects takes three times the memory.
_TABLE = """
scene_transit|公交|Bus
scene_public_place|公共|Public
scene_registered_venue|场馆|Venue
dir_in|入|in
dir_out|出|out
# Keys: at most four characters, or one English word.
key_differs|不符|Differs
key_equal|相符|Same
key_no_mask|未戴|No mask
key_mask_on|已戴|Mask on
key_done|完成|Done
key_other_language|English|中文
# Idle.
title_show_code|请出示健康码|Show health code
label_checked|本班次已验|checked this shift
state_pending|待传|Queued
state_online|在线|Online
state_offline|离线|Offline
age_trust_none|无信任库|No trust data
age_trust_minutes|信任库 {} 分钟前|Trust {} min ago
age_trust_hours|信任库 {} 小时前|Trust {} h ago
age_trust_days|信任库 {} 天前|Trust {} d ago
warn_clock|本机时间不可靠|Clock is not set
warn_no_trust|没有信任库，请联网|No trust data, connect
warn_trust_expired|信任库已过期，请联网|Trust data expired, connect
warn_not_enrolled|本机未登记|Not enrolled
warn_scanner|扫码模块无应答|Scanner does not answer
warn_thermometer|体温计无应答|Thermometer does not answer
warn_journal_full|记录已存满，请联网|Memory full, connect
warn_journal|记录无法保存|Records cannot be saved
warn_server|服务器拒收记录|Server refuses records
warn_battery|电量低，请充电|Battery low, charge it
# Between scan and verdict.
title_checking|正在核验|Checking
title_id_check|核对证件尾号|Compare the ID
hint_id_check|与证件号码最后四位比较|with the last four on the card
headline_code_valid|健康码有效|Code is valid
headline_certificate_valid|证书有效|Certificate is valid
headline_party|同行第 {}/{} 人|Person {} of {}
hint_forehead|靠近额头 1–3 厘米|Forehead, 1–3 cm away
hint_hold|保持不动|Hold still
hint_again|偏高，再测一次|High, measuring again
hint_done|测温完成|Temperature taken
hint_sensor|体温计无应答|Thermometer does not answer
ask_mask|口罩已戴好？|Mask on?
ask_mask_worn|口罩已戴好|Mask is on
ask_mask_off|未戴口罩|No mask
# Verdict and party.
word_pass|通行|PASS
word_stop|禁止通行|STOP
word_attention|需核实|CHECK
title_party|同行 {} 人|Party of {}
label_more|另有 {} 项|and {} more
test_today|核酸 今天|PCR today
test_days|核酸 {} 天前|PCR {} d ago
# Notices.
notice_not_a_code|不是健康码↵请再扫一次|Not a health code↵Scan again
notice_starting|正在启动|Starting
notice_restart|出现故障↵正在重新启动|Something failed↵Restarting
notice_enrolling|正在登记本机|Enrolling
notice_enrolled|本机已登记|Enrolled
notice_enrol_failed|登记失败↵请联系管理员|Enrolment failed↵Ask your admin
notice_not_enrolled|本机未登记↵不能核验|Not enrolled↵Cannot check
# Self-test: what is tested, and what to say when it fails.
title_self_test|开机自检|Self-test
label_self_test_ok|一切正常|all is well
state_running|检查中|testing
state_ok|正常|OK
state_failed|故障|failed
chip_display|屏幕|Display
chip_assets|字库|Fonts
chip_scanner|扫码模块|Scanner
chip_thermometer|体温计|Thermometer
chip_clock|时钟|Clock
chip_flash|存储|Storage
chip_journal|记录|Records
chip_trust|信任库|Trust data
chip_wifi|无线网络|Wi-Fi
chip_battery|电池|Battery
chip_keys|按键|Keys
fail_display|屏幕接线松动|Check the display cable
fail_assets|字库缺失，请重新安装|Fonts missing, install again
fail_scanner|扫码模块无应答，请查接线|No answer: check its cable
fail_thermometer|体温计无应答，请查接线|No answer: check its cable
fail_clock|时钟停过，联网后校时|It stopped; connect to set it
fail_flash|存储损坏，请送修|Damaged, send it for repair
fail_journal|记录无法保存，请送修|Cannot save, send for repair
fail_trust|没有信任库，请联网|None yet, connect to Wi-Fi
fail_wifi|无线模块故障，可离线使用|Radio failed, works offline
fail_battery|读不到电量|Charge cannot be read
fail_keys|按键卡住|A key is stuck
# One line why, for every number of firmware.core.reasons, and what to do about it.
reason_ok|核验通过|All checks passed
reason_not_a_code|不是健康码|Not a health code
reason_damaged|二维码不完整|Code is damaged
reason_too_long|二维码过长|Code is too long
reason_unknown_issuer|发码机构未知|Unknown issuer
reason_unsupported_key|本机不能验此码|Cannot verify this
reason_bad_signature|签名不符，疑伪造|Signature is false
reason_issuer_not_valid|发码密钥已失效|Issuer not valid
reason_expired|健康码已过期|Code has expired
reason_not_yet_valid|健康码尚未生效|Code not yet valid
reason_stale|健康码不是最新|Code is not fresh
reason_foreign_manual|外地证书 人工看|Foreign certificate
reason_no_trust_list|本机没有信任库|No trust data
reason_trust_expired|信任库已过期|Trust data expired
reason_clock_untrusted|本机时间不可靠|Clock is not set
reason_colour_yellow|黄码|Yellow code
reason_colour_orange|橙码：居家观察|Orange code
reason_colour_red|红码|Red code
reason_test_positive|核酸检测阳性|Tested positive
reason_arrival_untested|来闽人员未检测|Arrival not tested
reason_id_differs|证件尾号不符|ID does not match
reason_id_unchecked|证件尾号未核对|ID not compared
reason_fever|体温偏高|Fever
reason_temp_missing|未测到体温|No temperature
reason_temp_sensor|体温计故障|Thermometer failed
reason_temp_ambient|气温超出测温范围|Too hot or cold
reason_mask_off|未戴口罩|No mask
reason_mask_unanswered|口罩未确认|Mask not confirmed
reason_interrupted|核验中断|Check interrupted
reason_not_recorded|记录未能保存|Not recorded
advice_ok||
advice_not_a_code|请打开健康码再扫|Ask for the health code
advice_damaged|擦净屏幕、调亮后再扫|Wipe and brighten the phone, then scan again
advice_too_long|请打开健康码再扫|Ask for the health code
advice_unknown_issuer|请查看证件，并联网更新|Look at papers; update over Wi-Fi
advice_unsupported_key|请查看证件，或换健康码|Look at papers or ask for another code
advice_bad_signature|不予放行，并报告负责人|Do not admit. Report it to your lead
advice_issuer_not_valid|请查看证件，并联网更新|Look at papers; update over Wi-Fi
advice_expired|请刷新健康码后再扫|Refresh the code, then scan again
advice_not_yet_valid|请核对手机和本机的时间|Compare the phone's clock with this one
advice_stale|请当面刷新后再扫，谨防截图|Have it refreshed before you: it may be a screenshot
advice_foreign_manual|请核对姓名、证件与有效期|Compare name, papers and dates by eye
advice_no_trust_list|联网后才能核验，先看证件|Connect to Wi-Fi; look at papers until then
advice_trust_expired|联网后才能核验，先看证件|Connect to Wi-Fi; look at papers until then
advice_clock_untrusted|联网校时；请人工看有效期|Connect to set it; read the dates by eye
advice_colour_yellow|不予放行，请联系社区|Do not admit. Call the community office
advice_colour_orange|不予放行，请联系社区|Home observation. Call the community office
advice_colour_red|保持距离，立即报告|Keep your distance and report at once
advice_test_positive|保持距离，立即报告|Keep your distance and report at once
advice_arrival_untested|请到检测点免费检测|Send to the free test
advice_id_differs|不予放行，请出示本人的码|Do not admit. Ask for the person's own code
advice_id_unchecked|请核对证件后再扫|Compare ID and scan again
advice_fever|请到发热门诊就诊|Send to the fever clinic
advice_temp_missing|靠近额头，再扫一次|Hold closer to the forehead and scan again
advice_temp_sensor|请改用其他体温计|Use another thermometer
advice_temp_ambient|到室内或阴凉处再测|Measure indoors or in the shade
advice_mask_off|请戴好口罩后再扫|Put on a mask, then scan again
advice_mask_unanswered|请看口罩，再扫一次|Look at the mask and scan again
advice_interrupted|请再扫一次|Scan again
advice_not_recorded|存储已满或故障，请报告|Memory is full or broken: report it
"""


def text(text_id: str, language: str) -> str:
    """The text in a language; an unknown id comes back itself, for a strange word beats a dead screen."""
    start = _TABLE.find("\n" + text_id + "|")
    if start < 0:
        return text_id
    line = _TABLE[start + 1 : _TABLE.find("\n", start + 1)].split("|")
    return line[2 if language == EN else 1].replace("↵", "\n")


def ids() -> "list[str]":
    """All text ids in the order of the table."""
    return [line.split("|")[0] for line in _TABLE.split("\n") if line and line[0] != "#"]


def reason_text(reason: int) -> str:
    """The id of the line that says why."""
    return "reason_" + reasons.NAMES[reason]


def advice_text(reason: int) -> str:
    """The id of the line that says what to do."""
    return "advice_" + reasons.NAMES[reason]


def trust_age(age_s: "int | None", language: str) -> str:
    """How old the trust list is, in words; None stands for no trust list."""
    if age_s is None:
        return text("age_trust_none", language)
    for name, unit_s in (("age_trust_days", 86_400), ("age_trust_hours", 3_600)):
        if age_s >= 2 * unit_s:
            return text(name, language).format(age_s // unit_s)
    return text("age_trust_minutes", language).format(max(0, age_s) // 60)


def test_age(days: int, language: str) -> str:
    """How long ago the last negative test was taken."""
    return text("test_days", language).format(days) if days > 0 else text("test_today", language)
