"""What is known and decided about one person at the door, and the record that it becomes."""

from firmware.core import record
from firmware.core.codes import KIND_UNREADABLE, Code, Person
from firmware.core.scene import ROLE_VISITOR, Scene
from firmware.core.verdict import weakest

MASK_NOT_ASKED = 0
MASK_WORN = 1
MASK_OFF = 2
#: What a checker can confirm by hand, as in a record's field 18.
ID_EQUAL = 1
ID_DIFFERENT = 2


class Decision:
    """One person's case, filled while the flow goes on.

    `person` is None where the code could not be read, or where there is none: `no_code`. `reasons` are
    numbers of firmware.core.reasons; none means that nothing speaks against the person. `role` is what the
    roster says, None where the scene uses none; `manual` why somebody is entered by hand, 0 for nobody.
    Temperatures are hundredths of a degree Celsius, None where not measured.
    """

    def __init__(self, person: "Person | None", reasons: "list[int]", no_code: bool = False) -> None:
        self.person = person
        self.reasons = reasons
        self.no_code = no_code
        self.role: "int | None" = None
        self.manual = 0
        self.mask = MASK_NOT_ASKED
        self.confirmed: "list[int]" = []
        self.object_centi_c: "int | None" = None
        self.ambient_centi_c: "int | None" = None
        self.body_centi_c: "int | None" = None

    @property
    def name(self) -> "str | None":
        """The person's masked name."""
        return self.person.name if self.person else None

    @property
    def id_tail(self) -> "str | None":
        """The last characters of the person's ID number, where the code holds them."""
        return self.person.id_tail if self.person else None

    @property
    def outcome(self) -> int:
        """The verdict that follows from the reasons so far."""
        return weakest(self.reasons)

    def fields(self, code: "Code | None", scene: Scene) -> "dict[int, object]":
        """The record's fields that the person and the code decide; the caller adds time, place and sequence.

        Identity goes in only where the scene asks for it.
        """
        fields: "dict[int, object]" = {
            record.SCENE: scene.id,
            record.KIND: code.kind if code else record.KIND_NO_CODE if self.no_code else KIND_UNREADABLE,
            record.VERDICT: self.outcome,
            record.REASONS: list(self.reasons),
            record.MASK: self.mask,
        }
        person = self.person
        named = scene.names(self.role or ROLE_VISITOR)
        if code and code.cti and named:
            fields[record.CTI] = code.cti
        if person:
            if named and person.sub:
                fields[record.SUB] = person.sub
            if person.colour is not None:
                fields[record.COLOUR] = person.colour
        if self.role is not None:
            fields[record.ROLE] = self.role
        if self.manual:
            fields[record.MANUAL] = self.manual
        if (
            self.object_centi_c is not None
            and self.ambient_centi_c is not None
            and self.body_centi_c is not None
        ):
            fields[record.TEMPERATURE] = [self.object_centi_c, self.ambient_centi_c, self.body_centi_c]
        if self.confirmed:
            fields[record.CONFIRMED] = list(self.confirmed)
        return fields
