"""What the panel of ImplantSeg shows, from top to bottom."""

from ImplantSegLib.inslicer.batch import BatchSection
from ImplantSegLib.inslicer.environment import EnvironmentSection
from ImplantSegLib.inslicer.estimate import EstimateSection
from ImplantSegLib.inslicer.input import InputSection
from ImplantSegLib.inslicer.model import ModelSection
from ImplantSegLib.inslicer.preprocess import PreprocessSection
from ImplantSegLib.inslicer.result import ResultSection
from ImplantSegLib.inslicer.run import RunSection
from ImplantSegLib.inslicer.section import Section
from ImplantSegLib.inslicer.training import TrainingSection

SECTIONS: tuple[type[Section], ...] = (
    InputSection,
    PreprocessSection,
    ModelSection,
    ResultSection,
    EstimateSection,
    RunSection,
    BatchSection,
    TrainingSection,
    EnvironmentSection,
)
