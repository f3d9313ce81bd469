"""The data that rules see of a code and a person (docs/formats.md, "Rules"), times in Unix seconds.

`data = {"code": code_data(...), "payload": dcc_payload(...) or None, "external": external_data(...)}`
"""

from firmware.core import cbor
from firmware.core.certlogic_dates import text_of_unix
from firmware.core.certlogic_read import CertLogicError
from firmware.core.codes import HCERT, KIND_DCC, Code, Person
from firmware.core.rules import KIND_NONE

# A certificate with all its groups; what one scan may take of the handheld's memory.
_MAX_ITEMS = 512


def no_code_data() -> dict[str, object]:
    """The case of somebody who boards without a code."""
    return {"kind": KIND_NONE}


def code_data(code: Code, person: Person) -> dict[str, object]:
    """The code and one of its people; what a person does not have is None."""
    return {
        "kind": code.kind,
        "iat": code.issued_unix,
        "exp": code.expires_unix,
        "colour": person.colour,
        "test": _test(person.test),
        "igg": _test(person.igg),
        "groups": list(person.groups),
        "arrival": None if person.arrival is None else {"region": person.arrival[0], "at": person.arrival[1]},
        "companion": person is not code.people[0],
    }


def external_data(
    code: Code | None, now_unix: int | None, scene: str, place: str, role: int, value_sets: object = None
) -> dict[str, object]:
    """What is not in the code: the clock (None where it is not to be trusted), the scene and place, the role.

    `value_sets` is a map of lists, or a certlogic_read.Source that fetches them. The texts of times, which
    EU rules compare, are made for EU certificates only.
    """
    external: dict[str, object] = {"now": now_unix, "scene": scene, "place": place, "role": role}
    if code is not None and code.kind == KIND_DCC:
        external["validationClock"] = None if now_unix is None else text_of_unix(now_unix)
        external["issuerCountryCode"] = code.issuer
        external["iat"] = text_of_unix(code.issued_unix)
        external["exp"] = text_of_unix(code.expires_unix)
        external["valueSets"] = value_sets
    return external


def dcc_payload(payload: bytes) -> dict[str, object]:
    """An EU certificate's own fields (v, t, r, nam, dob, ver), from a verified code's payload.

    Raises CertLogicError. Times that an issuer tagged (RFC 8949 section 3.4.1) are the texts they should be.
    """
    try:
        claims = cbor.loads(payload, max_items=_MAX_ITEMS)
    except cbor.CborError as e:
        raise CertLogicError(str(e)) from None
    container = claims.get(HCERT) if isinstance(claims, dict) else None
    certificate = container.get(1) if isinstance(container, dict) else None
    if not isinstance(certificate, dict):
        raise CertLogicError("no certificate")
    for group in ("v", "t", "r"):
        entries = certificate.get(group)
        for entry in entries if isinstance(entries, list) else ():
            for key in entry if isinstance(entry, dict) else ():
                if isinstance(entry[key], cbor.Tag):
                    entry[key] = entry[key].value
    return certificate


def _test(test: tuple[int, int] | None) -> dict[str, object] | None:
    """A test's result and when the sample was taken."""
    return None if test is None else {"result": test[0], "taken": test[1]}
