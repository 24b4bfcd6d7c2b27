"""What the panel of ImplantSeg Quantification shows, from top to bottom."""

from ImplantSegLib.inslicer.section import Section
from ImplantSegQuantLib.inslicer.measure_section import MeasureSection
from ImplantSegQuantLib.inslicer.registration_section import RegistrationSection
from ImplantSegQuantLib.inslicer.results_section import ResultsSection
from ImplantSegQuantLib.inslicer.sample_section import SampleSection
from ImplantSegQuantLib.inslicer.samples_section import SamplesSection

SECTIONS: tuple[type[Section], ...] = (
    SampleSection,
    RegistrationSection,
    MeasureSection,
    ResultsSection,
    SamplesSection,
)
