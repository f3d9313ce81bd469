"""The authority's words for people, Chinese first: colours, key groups, results."""

from __future__ import annotations

COLOURS = (("绿码", "green"), ("黄码", "yellow"), ("橙码", "orange"), ("红码", "red"))
#: The eight groups of the notice (section 5) in its order; number 1 is the first.
GROUPS = (
    ("密切接触者", "close contacts"),
    ("境外入闽人员", "arrivals from abroad"),
    ("发热门诊患者", "fever clinic patients"),
    ("新入（住）院患者及陪护人员", "new in-patients and their carers"),
    ("医疗机构工作人员", "medical staff"),
    ("学校教师员工", "school staff"),
    ("公共场所服务人员", "staff of public places"),
    ("口岸检测排查人员", "staff at ports of entry"),
)
#: Days between tests until the authority sets others: the notice asks for tests, not for an interval.
INTERVAL_DAYS = (3, 7, 7, 7, 7, 14, 14, 7)
TEST_KINDS = (("核酸", "nucleic acid"), ("IgG 抗体", "IgG"))
RESULTS = (("阴性", "negative"), ("阳性", "positive"), ("未出", "pending"))


def colour_number(name: str) -> int:
    """0 to 3 for an English colour name. Raises ValueError."""
    return [en for _, en in COLOURS].index(name)
