"""Write into a model file what its training scans look like; the weights stay the same bytes.

python Testing/bench/portrait.py MODEL.safetensors COHORT    (a folder of scan folders, as `implantseg phantom --cohort`
makes it)

Training does this by itself; models of before it did, such as the first bundled one, get it so. The scans must be those
that the file names, byte for byte.
"""

import dataclasses
import sys

from ImplantSegLib import models
from ImplantSegLib.errors import InputError
from ImplantSegLib.files import sha256
from ImplantSegLib.training.config import Data
from ImplantSegLib.training.data import find_pairs, open_scan
from ImplantSegLib.training.portrait import portrait


def main(model: str, cohort: str) -> None:
    """Measure the training scans of a model and write its file again."""
    bundle = models.load(model)
    data = Data(cohort=cohort, **bundle.preprocessing)
    pairs = find_pairs(data)
    scans = [open_scan(name, pairs[name], data) for name in bundle.provenance["training"]]
    for scan in scans:
        if sha256(pairs[scan.name].image) not in bundle.provenance["scans"][scan.name].values():
            raise InputError(f"{scan.name} is not the scan that the model was trained on", "make the cohort again")
    state = bundle.load_state()
    storage = next(str(value.dtype).removeprefix("torch.") for value in state.values() if value.is_floating_point())
    models.save(model, dataclasses.replace(bundle, training_data=portrait(scans, pairs)), state, storage)
    print(f"{model}: {len(scans)} training scans, weights {models.load(model).weights_sha256}")


if __name__ == "__main__":
    main(*sys.argv[1:])
