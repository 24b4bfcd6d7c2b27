"""The verb ``implantseg phantom``."""

from __future__ import annotations

from ImplantSegLib import arguments


def main(argv: list[str]) -> None:
    """Make a phantom from the command line."""
    command = arguments.parser(
        "phantom",
        "Make a synthetic explant: a corroded magnesium screw in bone, imaged at a synchrotron, with the truth known "
        "exactly. Writes image.nrrd, labels.seg.nrrd, reference.nrrd and truth.json into OUT.",
        """
        implantseg phantom explant --seed 7 --shape 100,480,480
        implantseg phantom p07 --beamline p07 --site epiphysis --weeks 6 --spacing-um 7.6
        implantseg phantom heavy --weeks 24 --degradation-rate 0.5 --contact-percent 20
        implantseg phantom cohorts/test --cohort test
        implantseg phantom cohorts/paper --cohort paper-test --spacing-um 20
        """,
    )
    add = command.add_argument
    add("out", metavar="OUT", help="folder to write; made when missing")
    add("--seed", type=int, default=0, help="the same seed gives the same bytes (default: 0)")
    add("--weeks", type=float, default=12.0, help="healing time in weeks (default: 12)")
    add("--site", choices=("diaphysis", "epiphysis", "metaphysis"), default="metaphysis", help="default: metaphysis")
    add("--beamline", choices=("p05", "p07"), default="p05", help="50 keV, box; or 60 keV, circle (default: p05)")
    add("--spacing-um", type=arguments.triple(float), default=(10.0,) * 3, metavar="Z,Y,X", help="default: 10")
    add("--shape", type=arguments.triple(int), metavar="Z,Y,X", help="voxels (default: the beamline's field of view)")
    add("--degradation-rate", type=float, metavar="MM_PER_YEAR", help="over the true surface (default: by weeks)")
    add("--contact-percent", type=float, metavar="PERCENT", help="bone-implant contact, 2 to 80 (default: by seed)")
    add("--tilt-deg", type=float, metavar="DEGREES", help="of the screw against z (default: up to 12, by seed)")
    add(
        "--axial-mm",
        type=float,
        metavar="MM",
        help="middle of the view along the screw, from the tip (default: by site)",
    )
    add("--supersampling", type=int, default=2, choices=(1, 2, 3, 4), help="points per voxel edge (default: 2)")
    add("--noise", type=float, default=1.0, metavar="FACTOR", help="on the beamline's noise (default: 1)")
    add(
        "--cohort",
        metavar="NAME",
        help="make a whole cohort instead, of which only --spacing-um is asked: development, test, paper-training, "
        "paper-test or paper-prediction, each as crops with -crop behind it; phantoms that are there already are kept",
    )
    options = vars(arguments.parse(command, argv))

    from ImplantSegLib.phantom.build import build
    from ImplantSegLib.phantom.recipe import PhantomJob

    out = options.pop("out")
    if cohort := options.pop("cohort"):
        from ImplantSegLib.phantom.cohort import make_cohort

        print(*make_cohort(cohort, out, options["spacing_um"]), sep="\n")
        return
    fields = {key: value for key, value in options.items() if key in PhantomJob.__dataclass_fields__}
    print(build(PhantomJob(**fields), out))
