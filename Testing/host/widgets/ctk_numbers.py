"""Fields of ctk for numbers and ranges."""

from __future__ import annotations

from PySide6 import QtCore, QtWidgets

from host.uiloader import custom_widget
from host.widgets.base import field, of_part, row

_STEPS = 1000
"""Places of the slider beneath; the value itself is kept by the spin box."""


def _spin_box() -> QtWidgets.QDoubleSpinBox:
    box = QtWidgets.QDoubleSpinBox()
    box.setMinimumWidth(80)
    return box


@custom_widget
class ctkDoubleSpinBox(QtWidgets.QDoubleSpinBox):
    """A number with as many decimals as it needs."""

    decimalsOption = field(int, "decimalsOption", 0)
    setMode = field(int, "setMode", 0)
    invertedControls = field(bool, "invertedControls", False)


@custom_widget
class ctkSliderWidget(QtWidgets.QWidget):
    """A number as slider and spin box."""

    valueChanged = QtCore.Signal(float)
    valueIsChanging = QtCore.Signal(float)
    SIGNALS = ("valueChanged(double)", "valueIsChanging(double)")

    def __init__(self, parent: QtWidgets.QWidget | None = None) -> None:
        super().__init__(parent)
        self._slider, self._spin = QtWidgets.QSlider(QtCore.Qt.Orientation.Horizontal), _spin_box()
        self._slider.setRange(0, _STEPS)
        self._spin.valueChanged.connect(self._changed)
        self._slider.sliderMoved.connect(self._moved)
        row(self, self._slider, self._spin)

    def _changed(self, value: float) -> None:
        self._place()
        self.valueIsChanging.emit(value)
        self.valueChanged.emit(value)

    def _place(self) -> None:
        span = (self._spin.maximum - self._spin.minimum) or 1
        self._slider.setValue(round(_STEPS * (self._spin.value - self._spin.minimum) / span))

    def _moved(self, step: int) -> None:
        self._spin.setValue(self._spin.minimum + step / _STEPS * (self._spin.maximum - self._spin.minimum))

    def setValue(self, value: float) -> None:
        """Change the value."""
        self._spin.setValue(value)

    def setRange(self, minimum: float, maximum: float) -> None:
        """Change the smallest and the greatest value."""
        self._spin.setRange(minimum, maximum)
        self._place()

    value = of_part(float, "_spin", "value")
    minimum = QtCore.Property(
        float, lambda self: self._spin.minimum, lambda self, value: self.setRange(value, self._spin.maximum)
    )
    maximum = QtCore.Property(
        float, lambda self: self._spin.maximum, lambda self, value: self.setRange(self._spin.minimum, value)
    )
    singleStep = of_part(float, "_spin", "singleStep")
    decimals = of_part(int, "_spin", "decimals")
    prefix = of_part(str, "_spin", "prefix")
    suffix = of_part(str, "_spin", "suffix")
    pageStep = field(float, "pageStep", 1.0)
    tickInterval = field(float, "tickInterval", 0.0)
    tracking = field(bool, "tracking", True)
    spinBoxVisible = field(bool, "spinBoxVisible", True, "_show_spin")

    def _show_spin(self) -> None:
        self._spin.setVisible(self.spinBoxVisible)


class _Range(QtWidgets.QWidget):
    """Two numbers between bounds, the first at most the second."""

    valuesChanged = QtCore.Signal(float, float)
    minimumValueChanged = QtCore.Signal(float)
    maximumValueChanged = QtCore.Signal(float)
    rangeChanged = QtCore.Signal(float, float)
    SIGNALS = (
        "valuesChanged(double,double)",
        "minimumValueChanged(double)",
        "maximumValueChanged(double)",
        "rangeChanged(double,double)",
    )

    def __init__(self, parent: QtWidgets.QWidget | None = None) -> None:
        super().__init__(parent)
        self._low, self._high = _spin_box(), _spin_box()
        self._high.setValue(99)
        self._low.valueChanged.connect(self._low_changed)
        self._high.valueChanged.connect(self._high_changed)
        row(self, self._low, QtWidgets.QLabel("–"), self._high)

    def _low_changed(self, value: float) -> None:
        self._high.setValue(max(value, self._high.value))
        self.minimumValueChanged.emit(value)
        self.valuesChanged.emit(value, self._high.value)

    def _high_changed(self, value: float) -> None:
        self._low.setValue(min(value, self._low.value))
        self.maximumValueChanged.emit(value)
        self.valuesChanged.emit(self._low.value, value)

    def setRange(self, minimum: float, maximum: float) -> None:
        """Change the bounds."""
        self._low.setRange(minimum, maximum)
        self._high.setRange(minimum, maximum)
        self.rangeChanged.emit(minimum, maximum)

    def setValues(self, low: float, high: float) -> None:
        """Change both values."""
        self._high.setValue(high)
        self._low.setValue(low)

    def setMinimumValue(self, value: float) -> None:
        """Change the lower value."""
        self._low.setValue(value)

    def setMaximumValue(self, value: float) -> None:
        """Change the upper value."""
        self._high.setValue(value)

    minimum = QtCore.Property(float, lambda self: self._low.minimum, lambda self, v: self.setRange(v, self.maximum))
    maximum = QtCore.Property(float, lambda self: self._low.maximum, lambda self, v: self.setRange(self.minimum, v))
    minimumValue = of_part(float, "_low", "value")
    maximumValue = of_part(float, "_high", "value")
    singleStep = QtCore.Property(float, lambda self: self._low.singleStep, lambda self, value: self._set_step(value))

    def _set_step(self, value: float) -> None:
        self._low.setSingleStep(value)
        self._high.setSingleStep(value)


@custom_widget
class ctkRangeWidget(_Range):
    """A range with spin boxes."""

    def _set_decimals(self, value: int) -> None:
        self._low.setDecimals(value)
        self._high.setDecimals(value)

    def _set_suffix(self, value: str) -> None:
        self._low.setSuffix(value)
        self._high.setSuffix(value)

    decimals = QtCore.Property(int, lambda self: self._low.decimals, _set_decimals)
    suffix = QtCore.Property(str, lambda self: self._low.suffix, _set_suffix)
    prefix = field(str, "prefix", "")
    tracking = field(bool, "tracking", True)


@custom_widget
class ctkDoubleRangeSlider(_Range):
    """A range as a slider with two handles."""

    orientation = field(int, "orientation", 1)
    tickInterval = field(float, "tickInterval", 0.0)
    tracking = field(bool, "tracking", True)
