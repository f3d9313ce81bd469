"""What CertLogic says of values: truth, sameness, membership."""

from firmware.core import cbor
from firmware.core.certlogic_dates import DateTime
from firmware.core.certlogic_read import CertLogicError, Packed, Reader


def truth(value: object) -> bool | None:
    """True for truthy, False for falsy, None for neither."""
    if value is None or value is False:
        return False
    if value is True:
        return True
    if type(value) is int:
        return value != 0
    if type(value) is str or type(value) is list or type(value) is dict:
        return len(value) > 0
    if type(value) is Packed:
        return value.count > 0
    return None


def contains(whole: object, wanted: object, steps: Reader) -> bool:
    """Whether an array has an element the same as `wanted`; raises CertLogicError if it is none."""
    if type(whole) is Packed and not whole.is_map:
        if type(wanted) is list or type(wanted) is dict or type(wanted) is DateTime:
            return False
        return whole.holds(_encoded(wanted), steps)
    if type(whole) is not list:
        raise CertLogicError("array expected")
    steps.spend(len(whole) // 8)
    if type(wanted) is str:
        # A text equals texts only, so that the interpreter's own search will do.
        return wanted in whole
    return any(same(value, wanted, steps) for value in whole)


def same(one: object, other: object, steps: Reader) -> bool:
    """Whether two values are equal and of the same kind, down to the last element."""
    pairs = [(one, other)]
    while pairs:
        one, other = pairs.pop()
        if one is other:
            continue
        if type(one) is not type(other):
            return False
        if type(one) is list or type(one) is dict:
            if len(one) != len(other):  # type: ignore[arg-type]
                return False
            steps.spend(len(one))
            if type(one) is list:
                pairs.extend(zip(one, other))  # type: ignore[call-overload]
            else:
                for key in one:
                    if key not in other:  # type: ignore[operator]
                        return False
                    pairs.append((one[key], other[key]))  # type: ignore[index]
        elif type(one) is DateTime:
            if one.ms != other.ms:  # type: ignore[attr-defined]
                return False
        elif one != other:
            return False
    return True


def hold_result(value: object, max_depth: int, max_steps: int) -> None:
    """Raise CertLogicError unless a value is of bounded depth and size."""
    level = [value]
    while level:
        max_depth -= 1
        below: list[object] = []
        for one in level:
            if type(one) is list:
                max_steps -= len(one)
                if max_steps >= 0:
                    below.extend(one)
            elif type(one) is dict:
                max_steps -= len(one)
                if max_steps >= 0:
                    below.extend(one.values())
        if max_depth < 0 or max_steps < 0:
            raise CertLogicError("result too large")
        level = below


def _encoded(value: object) -> bytes:
    """The CBOR of a scalar; empty, which equals nothing, where there is none."""
    try:
        return cbor.dumps(value)
    except cbor.CborError:
        return b""
