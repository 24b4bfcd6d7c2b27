"""Segment scans, and measure them, in 3D Slicer without a window.

    Slicer --no-splash --no-main-window --additional-module-paths ImplantSeg ImplantSegQuant
      --python-script Resources/examples/batch.py scan1.nrrd scan2.nrrd -o out
      --reference screw:diameter=3.5,length=16 --weeks 12

all on one line. Writes NAME.seg.nrrd for each scan into the folder, with a reference also a folder NAME with the report
and its numbers. A scan that fails is told, and the next one follows; the exit code is 0 when all went well, 1 when some
failed, and 2 for a wrong command line. With the extension installed leave --additional-module-paths out.
"""

import argparse
import sys
from pathlib import Path

import slicer


def main(arguments):
    """Run the scans of a command line; give the exit code."""
    options = parse(arguments)
    options.out.mkdir(parents=True, exist_ok=True)
    failed = sum(not succeeds(scan, options) for scan in options.scans)
    if options.scene:
        slicer.util.saveScene(str(options.scene))
    print(f"{len(options.scans) - failed} of {len(options.scans)} scans done")
    return 1 if failed else 0


def parse(arguments):
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="batch.py", description="Segment scans, and measure them.")
    parser.add_argument("scans", metavar="IN", nargs="+", type=Path, help="scans: files, or folders of slices")
    parser.add_argument("-o", "--out", metavar="OUT", required=True, type=Path, help="folder for the results")
    parser.add_argument("--model", default="", help="name of a model or a model file (default: the bundled one)")
    parser.add_argument("--device", default="auto", choices=("auto", "cuda", "cpu"), help="default: auto")
    parser.add_argument("--reference", help="reference screw: a file, or screw:diameter=3.5,length=16")
    parser.add_argument("--weeks", type=float, help="healing time; needed with --reference")
    parser.add_argument("--scene", metavar="FILE.mrb", type=Path, help="save all results as a scene")
    options = parser.parse_args(arguments)
    if options.reference and options.weeks is None:
        parser.error("--reference needs --weeks, the healing time")
    return options


def succeeds(scan, options):
    """Work on one scan; tell what went wrong where something did."""
    from ImplantSegLib.errors import ImplantSegError

    try:
        work(scan, options)
    except ImplantSegError as error:
        print(f"{scan}: {error}", file=sys.stderr)
        return False
    finally:
        if not options.scene:
            slicer.mrmlScene.Clear(0)  # the next scan needs the memory
    return True


def work(scan, options):
    """Segment a scan; measure it where there is a reference."""
    from ImplantSeg import ImplantSegLogic
    from ImplantSegQuant import ImplantSegQuantLogic

    name = scan.name.partition(".")[0]
    labels = options.out / f"{name}.seg.nrrd"
    node = ImplantSegLogic().segment(path=scan, output_path=labels, model=options.model, device=options.device)
    print(f"{scan}: {labels}")
    if options.reference:
        table = ImplantSegQuantLogic().quantify(node, options.reference, options.weeks, name=name, study=options.out)
        for row in range(table.GetNumberOfRows()):
            print(f"  {table.GetCellText(row, 0)}: {table.GetCellText(row, 1)} {table.GetCellText(row, 2)}")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
