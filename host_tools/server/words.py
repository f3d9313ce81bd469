"""Words for the numbers in records: the console shows words, never bare numbers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from firmware.core import reasons


class Word(NamedTuple):
    """A machine name and what people read."""

    name: str
    zh: str
    en: str


VERDICTS = (
    Word("pass", "通行", "PASS"),
    Word("stop", "禁止通行", "STOP"),
    Word("attention", "需核实", "CHECK"),
)
UNREADABLE = Word("unreadable", "无法识读的记录", "record of unknown form")
KINDS = (
    Word("unreadable", "无效码", "unreadable"),
    Word("live", "实时码", "live code"),
    Word("printed", "纸质码", "printed code"),
    Word("eu", "欧盟证书", "EU certificate"),
    Word("none", "无码", "no code"),
)
COLOURS = (
    Word("green", "绿", "green"),
    Word("yellow", "黄", "yellow"),
    Word("orange", "橙", "orange"),
    Word("red", "红", "red"),
)
MASKS = (
    Word("not_asked", "未询问", "not asked"),
    Word("worn", "已戴", "worn"),
    Word("not_worn", "未戴", "not worn"),
)
ROLES = (
    Word("visitor", "访客", "visitor"),
    Word("staff", "本单位人员", "staff"),
    Word("new", "新上岗人员", "new staff"),
    Word("returning", "返岗人员", "returning staff"),
)
#: Why somebody was entered by hand, from 1 on.
MANUAL = (
    Word("unknown", "", ""),
    Word("no_phone", "无手机", "no phone"),
    Word("unreadable", "码无法识读", "code unreadable"),
    Word("other", "其他原因", "another reason"),
)
#: What happened on a handheld besides people passing, from 1 on.
EVENTS = (
    Word("unknown", "事件", "event"),
    Word("scene_changed", "更换场景", "scene changed"),
    Word("forced_out", "闭馆签退", "checked out at closing"),
    Word("pack_installed", "已更新数据包", "pack installed"),
    Word("clock_conflict", "时钟冲突", "clock conflict"),
    Word("presence_reset", "在场清零", "presence reset"),
)
DIRECTIONS = (Word("in", "进", "in"), Word("out", "出", "out"), Word("none", "", ""))
CONFIRMED = {
    1: Word("id_equal", "证件相符", "ID compared"),
    2: Word("id_differs", "证件不符", "ID differs"),
}
SCENES = {
    "office": Word("office", "机关事业单位", "office"),
    "enterprise": Word("enterprise", "企业、医院、学校", "company, hospital, school"),
    "public_place": Word("public_place", "公共场所", "public place"),
    "transit": Word("transit", "公共交通", "transit"),
    "school_bus": Word("school_bus", "学校定制公交", "school charter bus"),
    "registered_venue": Word("registered_venue", "登记场所", "registered venue"),
    "event": Word("event", "会议会展", "conference or exhibition"),
    "checkpoint": Word("checkpoint", "检查点", "checkpoint"),
}
_REASONS = {
    reasons.OK: ("正常", "all in order"),
    reasons.NOT_A_CODE: ("不是健康码", "not a health code"),
    reasons.DAMAGED: ("码已损坏", "code damaged"),
    reasons.TOO_LONG: ("码过长", "code too long"),
    reasons.UNKNOWN_ISSUER: ("签发机构未知", "issuer unknown"),
    reasons.UNSUPPORTED_KEY: ("不支持的密钥", "key not supported"),
    reasons.BAD_SIGNATURE: ("签名无效，疑似伪造", "bad signature, perhaps forged"),
    reasons.ISSUER_NOT_VALID: ("签发机构不在有效期或无权限", "issuer not valid for this code"),
    reasons.EXPIRED: ("码已过期", "code expired"),
    reasons.NOT_YET_VALID: ("码尚未生效", "code not yet valid"),
    reasons.STALE: ("码未刷新，疑似截图", "code not fresh, perhaps a screenshot"),
    reasons.FOREIGN_MANUAL: ("境外证书，需人工核实", "foreign certificate, look at it yourself"),
    reasons.NO_TRUST_LIST: ("无信任列表", "no trust list"),
    reasons.TRUST_EXPIRED: ("信任数据过期", "trust data expired"),
    reasons.CLOCK_UNTRUSTED: ("时钟不可信", "clock not trusted"),
    reasons.COLOUR_YELLOW: ("黄码", "yellow code"),
    reasons.COLOUR_ORANGE: ("橙码", "orange code"),
    reasons.COLOUR_RED: ("红码", "red code"),
    reasons.TEST_POSITIVE: ("核酸阳性", "tested positive"),
    reasons.ARRIVAL_UNTESTED: ("重点地区来人，未检测", "arrival without a test"),
    reasons.ID_DIFFERS: ("证件不符", "ID differs"),
    reasons.ID_UNCHECKED: ("证件未核对", "ID not compared"),
    reasons.FEVER: ("体温异常", "fever"),
    reasons.TEMP_MISSING: ("未测到体温", "no temperature"),
    reasons.TEMP_SENSOR: ("测温模块故障", "thermometer fault"),
    reasons.TEMP_AMBIENT: ("环境温度超范围", "ambient temperature out of range"),
    reasons.MASK_OFF: ("未戴口罩", "no mask"),
    reasons.MASK_UNANSWERED: ("口罩未确认", "mask not confirmed"),
    reasons.INTERRUPTED: ("流程中断", "interrupted"),
    reasons.NOT_RECORDED: ("未能记录", "could not be recorded"),
    reasons.CODE_REVOKED: ("码已作废", "code revoked"),
    reasons.SUBJECT_REVOKED: ("持码人已注销", "holder revoked"),
    reasons.KEY_WITHDRAWN: ("发码密钥已撤销", "issuer's key withdrawn"),
    reasons.REPLAYED: ("同一码刚用过", "same code again"),
    reasons.REPLAYED_ELSEWHERE: ("同一码在别处用过", "same code at another handheld"),
    reasons.NO_RULES: ("无规则", "no rules"),
    reasons.RULE_ERROR: ("规则出错", "a rule failed"),
    reasons.PACK_DAMAGED: ("信任包损坏", "pack damaged"),
    reasons.SCENE_UNKNOWN: ("场景未知", "unknown scene"),
    reasons.TEST_OVERDUE: ("应检尽检超期", "test overdue"),
    reasons.RETURNING_UNTESTED: ("返岗未检测", "returning staff without a test"),
    reasons.PLACE_FULL: ("场所已满", "place is full"),
    reasons.MANUAL_ENTRY: ("人工登记", "entered by hand"),
    reasons.CODE_NOT_NEEDED: ("免验码", "no code needed"),
}


def known_reasons() -> list[int]:
    """The reasons that have words here."""
    return list(_REASONS)


def reason(number: int, of_rules: Mapping[int, tuple[str, str]] | None = None) -> Word:
    """The word for a reason; those of rules have theirs in the pack, `of_rules`, others show as numbers."""
    name = reasons.name_of(number)
    if of_rules and number in of_rules:
        return Word(name, *of_rules[number])
    return Word(name, *_REASONS.get(number, (f"原因 {number}", f"reason {number}")))


def scene(scene_id: str) -> Word:
    """The word for a scene; an unknown one shows as it is called."""
    return SCENES.get(scene_id, Word(scene_id, scene_id, scene_id))
