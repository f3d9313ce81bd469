from firmware.core import certlogic_dates as dates

DAY = dates.DAY_MS


def moved(text, amount, unit):
    ms = dates.plus(dates.parse(text.encode()), amount, unit)
    return None if ms is None else dates.text_of(ms)


def test_days_both_ways():
    assert dates.days_of(1970, 1, 1) == 0
    assert dates.days_of(2000, 3, 1) == 11017
    assert dates.days_of(2020, 5, 22) * 86400 == 1590105600
    assert dates.days_of(1969, 12, 31) == -1
    for first, last in ((-401, -395), (-5, 5), (1895, 2110), (2395, 2405)):
        both_ways(first, last)


def both_ways(year, last):
    day = dates.days_of(year, 1, 1)
    month = date = 1
    while year <= last:
        assert dates.date_of(day) == (year, month, date)
        assert dates.days_of(year, month, date) == day
        # every fifth day: 5 divides neither a week nor a month
        day += 5
        date += 5
        if date > dates.month_days(year, month):
            date -= dates.month_days(year, month)
            month += 1
            if month == 13:
                year, month = year + 1, 1


def test_forms_of_dates():
    midnight = dates.days_of(2021, 5, 4) * DAY
    moment = midnight + 13 * 3600000 + 37 * 60000 + 42 * 1000
    good = {
        "2021-05-04": midnight,
        "2021-05-04T13:37:42": moment,
        "2021-05-04T13:37:42Z": moment,
        "2021-05-04T13:37:42+1": moment - 3600000,
        "2021-05-04T13:37:42-1": moment + 3600000,
        "2021-05-04T13:37:42+01": moment - 3600000,
        "2021-05-04T13:37:42+530": moment - 19800000,
        "2021-05-04T13:37:42+0530": moment - 19800000,
        "2021-05-04T13:37:42+5:30": moment - 19800000,
        "2021-05-04T13:37:42-05:30": moment + 19800000,
        "2021-05-04T13:37:42.1": moment + 100,
        "2021-05-04T13:37:42.12Z": moment + 120,
        "2021-05-04T13:37:42.1239999999+2": moment + 123 - 7200000,
        "2021-05-04T13:37:42.0009-02": moment + 7200000,
        "2021-05-04T13:37:42.123+2:00": moment + 123 - 7200000,
        "2021-05-04T13:37:42.123-0200": moment + 123 + 7200000,
        "2021-05-04T13:37:42.123-200": moment + 123 + 7200000,
        "2021-05-04T13:37:42.123-00:00": moment + 123,
        "2021": dates.days_of(2021, 12, 31) * DAY,
        "2021-02": dates.days_of(2021, 2, 28) * DAY,
        "2020-02": dates.days_of(2020, 2, 29) * DAY,
        "1900-02": dates.days_of(1900, 2, 28) * DAY,
        "2000-02-29": dates.days_of(2000, 2, 29) * DAY,
        "0000-01-01": dates.days_of(0, 1, 1) * DAY,
    }
    for text, ms in good.items():
        assert dates.parse(text.encode()) == ms, text


def test_what_is_no_date():
    bad = (
        "",
        "x",
        "21",
        "20210504",
        "2021-5-4",
        "2021-05-",
        "2021-05-4",
        "2021-00-01",
        "2021-13-01",
        "2021-02-29",
        "2021-04-31",
        "2021-05-00",
        "2021-13",
        "2021-00",
        "2021/05/04",
        "2021-05/04",
        "+2021-05-04",
        " 2021-05-04",
        "2021-05-04 ",
        "2021-05-04T",
        "2021-05-04T13",
        "2021-05-04T13:37",
        "2021-05-04T13:37Z",
        "2021-05-04 13:37:42",
        "2021-05-04t13:37:42Z",
        "2021-05-04T13:37:42z",
        "2021-05-04T24:00:00Z",
        "2021-05-04T13:60:42Z",
        "2021-05-04T13:37:60Z",
        "2021-05-04T13-37:42Z",
        "2021-05-04T13:37.42Z",
        "2021-05-04T13:37:42.",
        "2021-05-04T13:37:42.Z",
        "2021-05-04T13:37:42,5Z",
        "2021-05-04T13:37:42ZZ",
        "2021-05-04T13:37:42+",
        "2021-05-04T13:37:42+:30",
        "2021-05-04T13:37:42+123:30",
        "2021-05-04T13:37:42+12345",
        "2021-05-04T13:37:42+12:3",
        "2021-05-04T13:37:42+12:345",
        "2021-05-04T13:37:42+24:00",
        "2021-05-04T13:37:42+12:60",
        "2021-05-04T13:37:42+1a",
        "2021-05-04T13:37:42+01:00Z",
        "２０２１-05-04",
    )
    for text in bad:
        assert dates.parse(text.encode()) is None, text
    assert dates.parse_date(b"2021-05-04T13:37:42Z") is None


def test_leap_days_as_the_specification_lists_them():
    assert moved("2020-02-29", 1, "day") == "2020-03-01T00:00:00.000Z"
    assert moved("2020-02-29", 1, "month") == "2020-03-29T00:00:00.000Z"
    assert moved("2020-02-29", 1, "year") == "2021-03-01T00:00:00.000Z"


def test_moving():
    assert moved("2021-06-23", 23, "hour") == "2021-06-23T23:00:00.000Z"
    assert moved("2021-06-23T00:00:00.789Z", -1, "hour") == "2021-06-22T23:00:00.789Z"
    assert moved("2021-01-31", 1, "month") == "2021-03-03T00:00:00.000Z"
    assert moved("2020-01-31", 1, "month") == "2020-03-02T00:00:00.000Z"
    assert moved("2021-03-31", -1, "month") == "2021-03-03T00:00:00.000Z"
    assert moved("2021-01-15", -1, "month") == "2020-12-15T00:00:00.000Z"
    assert moved("2021-12-15", 1, "month") == "2022-01-15T00:00:00.000Z"
    assert moved("2021-05-04", -25, "month") == "2019-04-04T00:00:00.000Z"
    assert moved("2024-02-29", -4, "year") == "2020-02-29T00:00:00.000Z"
    assert moved("2024-02-29", -18, "year") == "2006-03-01T00:00:00.000Z"
    assert moved("1969-12-31T23:59:59.999", 0, "year") == "1969-12-31T23:59:59.999Z"
    assert moved("2021-05-04T01:30:00+02:00", 0, "day") == "2021-05-03T23:30:00.000Z"
    assert moved("2021", 0, "hour") == "2021-12-31T00:00:00.000Z"
    assert moved("2021-02", 1, "day") == "2021-03-01T00:00:00.000Z"
    assert moved("2021-05-04", 1, "week") is None


def test_the_end_of_time():
    # ECMA-262 section 21.4.1.1: 100,000,000 days either way.
    assert moved("1970-01-01", 100000000, "day") == "+275760-09-13T00:00:00.000Z"
    assert moved("1970-01-01", -100000000, "day") == "-271821-04-20T00:00:00.000Z"
    assert moved("1970-01-01", 100000001, "day") is None
    assert moved("1970-01-01", 2**53, "year") is None
    assert moved("1970-01-01", -(2**53), "month") is None


def test_text_of_unix_seconds():
    assert dates.text_of_unix(1590134400) == "2020-05-22T08:00:00Z"
    assert dates.text_of_unix(0xFFFFFFFF) == "2106-02-07T06:28:15Z"
