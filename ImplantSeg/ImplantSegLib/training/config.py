"""The recipe of a training: a tree of dataclasses that reads from TOML and is saved beside the result."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from ImplantSegLib.errors import InputError


def _require(condition: bool, got: str, wanted: str) -> None:
    if not condition:
        raise InputError(f"got {got}, wanted {wanted}", "correct the recipe")


def _require_at_least(least: float, values: object, *names: str) -> None:
    for name in names:
        value = getattr(values, name)
        _require(value >= least, f"{name} = {value}", f"at least {least:g}")


def _require_share(values: object, *names: str) -> None:
    for name in names:
        value = getattr(values, name)
        _require(0 <= value <= 1, f"{name} = {value}", "0 to 1")


@dataclass(frozen=True)
class Pair:
    """One scan with its labels."""

    image: str
    """File of the scan."""
    labels: str
    """File of the labels, on the same grid: 0 to 3, and 255 where nobody has labelled."""
    name: str = ""
    """Name of the scan; empty: the name of its file up to the first dot."""


@dataclass(frozen=True)
class Model:
    """Which network is trained."""

    network: str = "unet"
    """Key of the zoo."""
    options: dict[str, Any] = field(default_factory=dict)
    """Options of the network, for example ``width = 16``."""
    init_from: str = ""
    """Name or file of a model whose weights, heads included, the training starts from; its network and options have to
    be the same, and options that are left out are taken from it. Empty: random weights."""
    freeze_norm: bool = False
    """Whether batch statistics stay as they start: for fine-tuning, and for parts of few patches, whose own statistics
    are uncertain."""
    storage: Literal["float32", "float16", "bfloat16"] = "float32"
    """Type of the weights in the bundle."""
    summary: str = ""
    """One line about the model, for tables."""


@dataclass(frozen=True)
class Data:
    """What it is trained on."""

    cohort: str = ""
    """A folder of scan folders (each with ``image.nrrd`` and ``labels.seg.nrrd``), or the name of a phantom cohort,
    which is made in the cache when it is missing."""
    pairs: list[Pair] = field(default_factory=list)
    """Scans in other places, instead of a cohort or added to it."""
    replay: str = ""
    """A cohort of old data, as ``cohort`` names one, for a model that is trained further and shall not forget: a share
    ``sampling.replay_share`` of the patches comes from it. It trains in every fold and validates in none."""
    validation: list[str] = field(default_factory=list)
    """Names of the scans that validate, ``*`` allowed; empty: the fold decides."""
    folds: int = 4
    """Parts into which whole scans are divided; 1 trains on everything and validates on nothing."""
    fold: int = 0
    """Which part validates."""
    fold_unit: Literal["scan", "slice"] = "scan"
    """What folds divide: whole scans, or the slices of every scan, whose scores are too good since neighbours are
    nearly alike."""
    axes: list[int] = field(default_factory=lambda: [0])
    """Directions (0 z, 1 y, 2 x) along which slices are taken."""
    low_percent: float = 0.1
    """Percentile of the grey values that becomes 0."""
    high_percent: float = 99.9
    """Percentile of the grey values that becomes 1."""
    cache: str = ""
    """Folder of phantom cohorts and of unpacked scans; empty: IMPLANTSEG_CACHE_DIR or the platform's."""
    in_memory_mb: int = 256
    """Size up to which the voxels of a file that cannot be memory-mapped are held in memory, in MiB; larger ones are
    read by chunks (OME-Zarr) or unpacked into the cache."""

    def __post_init__(self) -> None:
        _require(bool(self.cohort or self.pairs), "data without cohort and pairs", "one of them")
        _require(self.folds >= 1, f"folds = {self.folds}", "at least 1")
        _require(0 <= self.fold < self.folds, f"fold = {self.fold}", f"0 to {self.folds - 1}")
        _require(
            bool(self.axes) and set(self.axes) <= {0, 1, 2}, f"axes = {self.axes}", "some of 0 (z), 1 (y) and 2 (x)"
        )
        _require_at_least(0, self, "in_memory_mb")
        percentiles = (self.low_percent, self.high_percent)
        _require(0 <= percentiles[0] < percentiles[1] <= 100, f"percentiles {percentiles}", "0 <= low < high <= 100")


@dataclass(frozen=True)
class Sampling:
    """Where patches are taken: shares of the batch, and the rest anywhere."""

    patch: list[int] = field(default_factory=lambda: [256, 256])
    """Rows and columns of a patch."""
    batch: int = 8
    """Patches in a step."""
    by_class: float = 0.25
    """Share of patches near a voxel of a class that is drawn uniformly, so that the thin layer is seen as often as
    bone."""
    contact: float = 0.25
    """Share of patches near a face between implant and bone."""
    surface: float = 0.25
    """Share of patches within ``distance_um`` of the surface of the implant."""
    distance_um: float = 200.0
    """How far from the surface of the implant its patches are centred at most, in µm."""
    replay_share: float = 0.5
    """Share of the patches that come from the old data of ``data.replay``, where there is any."""
    jitter: float = 0.25
    """How far the target lies from the centre of the patch at most, as a share of the patch."""
    candidates: int = 100_000
    """Voxels of every kind that are remembered for each scan."""

    def __post_init__(self) -> None:
        _require(len(self.patch) == 2 and min(self.patch) > 0, f"patch = {self.patch}", "two numbers above 0")
        _require_at_least(1, self, "batch", "candidates")
        _require_at_least(0, self, "distance_um")
        shares = (self.by_class, self.contact, self.surface)
        _require(min(shares) >= 0 and sum(shares) <= 1, f"shares {shares}", "three of at least 0 that sum to at most 1")
        _require_share(self, "replay_share")
        _require(0 <= self.jitter <= 0.5, f"jitter = {self.jitter}", "0 to 0.5")


@dataclass(frozen=True)
class Augment:
    """Random changes of a patch; a probability or a range of 0 leaves it out."""

    mirror: bool = True
    """Flips and quarter turns, all eight equally likely (quarter turns of square patches only)."""
    affine: float = 0.2
    """Probability of a rotation and a scaling."""
    rotation_degrees: float = 180.0
    """Largest rotation."""
    scale: list[float] = field(default_factory=lambda: [0.8, 1.25])
    """Range of the magnification."""
    elastic: float = 0.1
    """Probability of an elastic deformation, a smooth random displacement."""
    elastic_px: float = 3.0
    """Largest standard deviation of the displacement in pixels."""
    elastic_sigma_px: float = 16.0
    """Standard deviation in pixels of the Gaussian that makes it smooth."""
    intensity: float = 0.5
    """Probability of each of gamma, contrast and brightness."""
    gamma: list[float] = field(default_factory=lambda: [0.7, 1.5])
    """Range of the exponent."""
    contrast: list[float] = field(default_factory=lambda: [0.75, 1.25])
    """Range of the factor about the mean of the patch."""
    brightness: float = 0.1
    """Largest shift of the grey values, which lie in [0, 1]."""
    noise: float = 0.3
    """Probability of Gaussian noise."""
    noise_sigma: float = 0.08
    """Largest standard deviation of the noise."""
    blur: float = 0.2
    """Probability of a Gaussian blur."""
    blur_sigma: float = 1.2
    """Largest standard deviation of the blur in pixels."""
    ring: float = 0.1
    """Probability of ring artefacts about a centre in the patch or up to a patch beside it."""
    ring_sigma: float = 0.03
    """Largest standard deviation of the rings in grey values."""
    stripe: float = 0.1
    """Probability of straight stripes, as rings look in slices along the axis of rotation, in any direction."""
    stripe_sigma: float = 0.03
    """Largest standard deviation of the stripes in grey values."""

    def __post_init__(self) -> None:
        _require_share(self, "affine", "elastic", "intensity", "noise", "blur", "ring", "stripe")
        _require_at_least(0, self, "rotation_degrees", "elastic_px", "brightness", "noise_sigma", "blur_sigma")
        _require_at_least(0, self, "ring_sigma", "stripe_sigma")
        _require_at_least(1, self, "elastic_sigma_px")
        for name in ("scale", "gamma", "contrast"):
            limits = getattr(self, name)
            _require(
                len(limits) == 2 and 0 < limits[0] <= limits[-1], f"{name} = {limits}", "two numbers, 0 < low <= high"
            )


@dataclass(frozen=True)
class Loss:
    """The sum of terms that is minimised; a weight of 0 leaves a term out."""

    dice: float = 1.0
    """Weight of the soft Dice loss."""
    dice_background: bool = True
    """Whether the background counts in the Dice loss."""
    cross_entropy: float = 1.0
    """Weight of the cross-entropy."""
    hardest: int = 0
    """Pixels of a batch that count in the cross-entropy (OHEM): so many of the hardest, and every one whose true class
    has a probability below ``hardest_below``; 0: all pixels."""
    hardest_below: float = 0.9
    """Probability of the true class below which a pixel counts as hard."""
    class_weights: list[float] = field(default_factory=list)
    """Weight of each class in the cross-entropy; empty: all 1."""
    interface_weight: float = 0.0
    """Extra weight in the cross-entropy of pixels in the band where implant and bone are both near: contact and thin
    gaps."""
    interface_px: int = 3
    """Radius of "near", in pixels."""
    boundary: float = 0.0
    """Weight of the boundary loss: wrong pixels count by their distance to the true border."""
    boundary_px: int = 8
    """Longest distance of the boundary loss, and its unit, in pixels."""
    contact: float = 0.0
    """Weight of the error of the number of faces between implant and bone, and between implant and background."""
    contact_temperature: float = 0.3
    """What logits are divided by before the faces are counted, so that they count nearly as the most probable labels
    do: without it a gap of probability 0.4 counts as 0.8 of its faces, and the labels close it."""
    contact_offset: float = 50.0
    """Faces that are added to both numbers of a patch before their ratio is taken, so that a few faces are no large
    error where there are hardly any."""
    side_weight: float = 1.0
    """Weight of each side output of a network that has some in training, where the answer itself has 1."""

    def __post_init__(self) -> None:
        _require(len(self.class_weights) in (0, 4), f"class_weights = {self.class_weights}", "four numbers or none")
        weights = ("dice", "cross_entropy", "boundary", "contact")
        _require_at_least(0, self, *weights, "hardest", "interface_weight", "interface_px", "side_weight")
        _require_at_least(1, self, "boundary_px", "contact_offset")
        _require(
            0 < self.contact_temperature <= 1, f"contact_temperature = {self.contact_temperature}", "above 0, to 1"
        )
        _require(any(getattr(self, name) for name in weights), "a loss of no terms", "a weight above 0")
        _require_share(self, "hardest_below")


@dataclass(frozen=True)
class Optimiser:
    """How weights change."""

    kind: Literal["adamw", "sgd"] = "adamw"
    """AdamW, or SGD with Nesterov momentum."""
    lr: float = 2e-3
    """Learning rate at the start."""
    weight_decay: float = 1e-4
    """Weight decay."""
    momentum: float = 0.9
    """Momentum of SGD."""
    nesterov: bool = True
    """Whether the momentum of SGD looks ahead."""
    schedule: Literal["cosine", "poly", "constant"] = "cosine"
    """How the learning rate falls to 0 at the last step; ``poly`` is (1 − step / steps)^0.9."""
    warmup: int = 0
    """Steps in which the learning rate rises linearly."""
    clip_norm: float = 0.0
    """Largest norm of the gradient; 0: no limit."""
    ema: float = 0.0
    """Decay per step of the moving average of the weights that is validated and saved; 0: none."""
    accumulate: int = 1
    """Parts into which a batch is cut and whose gradients are added up before a step, so that less memory is needed."""

    def __post_init__(self) -> None:
        _require(self.lr > 0, f"lr = {self.lr}", "a number above 0")
        _require_at_least(0, self, "weight_decay", "warmup", "clip_norm")
        _require_at_least(1, self, "accumulate")
        _require(0 <= self.momentum < 1, f"momentum = {self.momentum}", "0 to less than 1")
        _require(0 <= self.ema < 1, f"ema = {self.ema}", "0 to less than 1")
        _require(
            self.kind != "sgd" or not self.nesterov or self.momentum > 0,
            "nesterov without momentum",
            "momentum above 0, or nesterov = false",
        )


@dataclass(frozen=True)
class Run:
    """How long, how fast and how often."""

    steps: int = 5000
    """Steps of the optimiser; the schedule goes by them."""
    seed: int = 0
    """Seed of the weights and of every draw."""
    precision: Literal["32-true", "bf16-mixed"] = "32-true"
    """Arithmetic, in the words of Lightning Fabric."""
    device: str = "auto"
    """Accelerator, in the words of Lightning Fabric: auto, cpu, cuda, mps."""
    devices: int = 0
    """Processes of each node, one a device; 0: as many as torchrun or srun has started."""
    nodes: int = 0
    """Nodes; 0: as many as torchrun or srun has started it on."""
    threads: int = 0
    """Threads of the arithmetic on a CPU; 0: as many as torch chooses."""
    workers: int = 1
    """Threads that prepare patches ahead; they do not change what is drawn."""
    validate_every: int = 500
    """Steps between validations."""
    validation_slices: int = 16
    """Slices of each validation scan and axis that are predicted whole, evenly spaced; 0: the whole scans along z, with
    probabilities averaged across slices as ``segment`` does, and the bone–implant contact of the volume."""
    checkpoint_every: int = 250
    """Steps between checkpoints."""
    log_every: int = 25
    """Steps between lines of the log."""
    tensorboard: bool = True
    """Whether the log is written for TensorBoard, too."""
    criterion: Literal["mean_iou", "degradation_layer", "interface"] = "mean_iou"
    """Score whose best value chooses the saved weights; ``interface`` is the mean of mIoU and of
    100 % less the error of the bone–implant contact: of the volume where whole scans are validated, else of the contact
    in the slices."""
    patience: int = 0
    """Validations without a better score after which the run stops early; 0: never."""
    max_minutes: float = 0.0
    """Time after which the run stops with a checkpoint, wherever the schedule stands; 0: none."""

    def __post_init__(self) -> None:
        _require_at_least(1, self, "steps", "validate_every", "checkpoint_every", "log_every")
        _require_at_least(
            0, self, "validation_slices", "seed", "devices", "nodes", "threads", "workers", "max_minutes", "patience"
        )


@dataclass(frozen=True)
class Recipe:
    """All that decides a training."""

    data: Data
    model: Model = field(default_factory=Model)
    sampling: Sampling = field(default_factory=Sampling)
    augment: Augment = field(default_factory=Augment)
    loss: Loss = field(default_factory=Loss)
    optimiser: Optimiser = field(default_factory=Optimiser)
    run: Run = field(default_factory=Run)

    def __post_init__(self) -> None:
        batch, parts = self.sampling.batch, self.optimiser.accumulate
        _require(
            batch % parts == 0, f"sampling.batch = {batch}", f"a multiple of optimiser.accumulate, which is {parts}"
        )
