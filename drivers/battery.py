"""One LiPo cell behind a 1:2 divider, on an ADC pin."""

if False:
    from typing import Protocol

    class ADC(Protocol):
        """What the driver needs of machine.ADC."""

        def read_uv(self) -> int: ...  # noqa: D102


_DIVIDER = 2
#: The converter is noisy under radio load.
_SAMPLES = 16
#: Open-circuit voltage of a LiPo cell in mV, from 0 % to 100 % in steps of 10 %.
_OPEN_CIRCUIT_MV = (3100, 3300, 3420, 3530, 3630, 3720, 3800, 3890, 3990, 4050, 4190)


class Battery:
    """Voltage and charge; measure while the radio and the QR module rest, for load pulls the voltage down."""

    def __init__(self, adc: "ADC") -> None:
        self._adc = adc

    def read_millivolts(self) -> int:
        """The cell's voltage."""
        total_uv = 0
        for _ in range(_SAMPLES):
            total_uv += self._adc.read_uv()
        return total_uv * _DIVIDER // (_SAMPLES * 1000)

    def percent(self, millivolts: int) -> int:
        """The charge, 0 to 100, that goes with a voltage at rest. Boards brown out below 3,400 mV."""
        if millivolts <= _OPEN_CIRCUIT_MV[0]:
            return 0
        for step in range(1, len(_OPEN_CIRCUIT_MV)):
            low, high = _OPEN_CIRCUIT_MV[step - 1], _OPEN_CIRCUIT_MV[step]
            if millivolts < high:
                return 10 * (step - 1) + 10 * (millivolts - low) // (high - low)
        return 100
