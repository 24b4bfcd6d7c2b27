import numpy as np
from PIL import Image

from ImplantSegLib.labels import COLOURS
from ImplantSegLib.training.pictures import side_by_side, validation_pictures, write_pictures


def test_the_four_parts_show_scan_truth_prediction_and_difference():
    image = np.array([[0.0, 1.0]], np.float32)
    truth, prediction = np.array([[1, 255]], np.uint8), np.array([[2, 3]], np.uint8)
    picture = side_by_side(image, truth, prediction)
    assert picture.shape == (1, 4 * 2 + 3 * 4, 3)
    parts = [picture[0, start : start + 2].tolist() for start in (0, 6, 12, 18)]
    rgb = {value: [round(255 * part) for part in colour] for value, colour in COLOURS.items()}
    assert parts[0] == [[0, 0, 0], [255, 255, 255]]
    assert parts[1] == [rgb[1], [128, 128, 128]]
    assert parts[2] == [rgb[2], rgb[3]]
    assert parts[3][0][0] > 200  # wrong: red
    assert parts[3][1] == [153, 153, 153]  # unknown: nothing to be wrong about


def test_middle_and_worst_slices_are_drawn_and_written_with_their_captions(make_scan, tmp_path):
    scan = make_scan("a", shape=(12, 30, 40))
    worst = [{"scan": "a", "axis": 1, "index": 7, "mean_iou_percent": 50.0}]

    def predict(image):
        return np.stack([np.ones_like(image), *[np.zeros_like(image)] * 3])

    pictures = validation_pictures(predict, [scan], worst)
    assert [picture.name for picture in pictures] == ["middle-a", "worst-1"]
    assert pictures[0].pixels.shape == (30, 4 * 40 + 12, 3)
    assert pictures[1].pixels.shape == (12, 4 * 40 + 12, 3)
    write_pictures(pictures, tmp_path)
    write_pictures(pictures[1:], tmp_path)
    assert [path.name for path in (tmp_path / "pictures").iterdir()] == ["worst-1.png"]
    with Image.open(tmp_path / "pictures" / "worst-1.png") as image:
        assert image.info["Description"] == "a, slice 7 along y: mIoU 50.0 %"


def test_large_slices_are_thinned_out(make_scan):
    pictures = validation_pictures(lambda image: np.zeros((4, *image.shape)), [make_scan(shape=(3, 900, 20))], [])
    assert pictures[0].pixels.shape[0] == 300
