import json

import numpy as np
import pytest

from ImplantSegLib import cli, jobs
from ImplantSegLib.inference import batch, inputs
from ImplantSegLib.volumes import Volume, read, write


@pytest.fixture
def scans(case, tmp_path):
    """Three scans in a folder of their own; the middle one has an infinite voxel, which only a run notices."""
    folder = tmp_path / "scans"
    for name in ("a", "b", "c"):
        array = np.asarray(case.volume.array[:], np.float32)
        array[3, 20, 20] = np.inf if name == "b" else array[3, 20, 20]
        write(Volume(array, case.volume.spacing_mm), folder / f"{name}.nrrd")
    return folder


def run(case, path, *arguments, progress="none"):
    return cli.main(["segment", str(path), *map(str, arguments), "--model", case.model, "--progress", progress])


def listed(scans, text):
    (scans / "scans.csv").write_text(text)
    return scans / "scans.csv"


def items(capsys):
    events = [json.loads(line) for line in capsys.readouterr().err.splitlines() if line.startswith("{")]
    return [(one["index"], one["status"], one["message"]) for one in events if one["event"] == "item"]


LIST = (
    'input,output,fov,postprocess\na.nrrd,a.seg.nrrd,,\nb.nrrd,b.seg.nrrd,,\nc.nrrd,deep/c.mha,"circle:20,18,16",no\n'
)


def test_a_row_that_fails_does_not_stop_the_others(case, scans, capsys):
    path = listed(scans, LIST)
    assert run(case, path, "--fov", "box", progress="json") == 2
    told = items(capsys)
    assert [(index, status) for index, status, _ in told] == [
        (0, "running"), (0, "done"), (1, "running"), (1, "failed"), (2, "running"), (2, "done")
    ]  # fmt: skip
    assert told[3][2].startswith("1 voxels of the scan are NaN or infinite")
    assert read(scans / "a.seg.nrrd").shape == case.labels.shape
    assert not (scans / "b.seg.nrrd").exists()
    assert read(scans / "deep" / "c.mha").metadata["fov"] == "circle:20,18,16"
    assert jobs.load_toml(scans / "a.seg.nrrd.job.toml")["fov"] == "box"
    assert jobs.load_toml(scans / "deep" / "c.mha.job.toml")["postprocess"] is False


def test_resume_skips_what_is_finished_by_the_same_job(case, scans, capsys):
    path = listed(scans, LIST)
    assert run(case, path, "--fov", "box") == 2
    written = (scans / "a.seg.nrrd").stat().st_mtime_ns
    write(read(scans / "a.nrrd"), scans / "b.nrrd")
    capsys.readouterr()
    assert run(case, path, "--fov", "box", "--resume") == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == f"[1/3] skipped {scans / 'a.seg.nrrd'}: finished before"
    assert lines[1:3] == [f"[2/3] running {scans / 'b.nrrd'}", f"[2/3] done    {scans / 'b.seg.nrrd'}"]
    assert lines[-1] == "1 done, 2 skipped, 0 failed"
    assert (scans / "a.seg.nrrd").stat().st_mtime_ns == written
    # another option, another scan and a lost result are other jobs; how much memory it may use is not
    (scans / "b.seg.nrrd").unlink()
    write(read(scans / "c.nrrd"), scans / "c.nrrd")
    assert run(case, path, "--fov", "box", "--resume", "--max-memory", "4GiB") == 0
    assert capsys.readouterr().out.splitlines()[-1] == "2 done, 1 skipped, 0 failed"
    assert run(case, path, "--fov", "box", "--resume", "--keep-largest") == 0
    assert capsys.readouterr().out.splitlines()[-1] == "3 done, 0 skipped, 0 failed"
    (scans / "a.seg.nrrd.job.toml").write_text("found = ")
    assert run(case, path, "--fov", "box", "--resume", "--keep-largest") == 0
    assert capsys.readouterr().out.splitlines()[-1] == "1 done, 2 skipped, 0 failed"


def test_outputs_go_into_the_folder_that_is_given(case, scans, tmp_path, capsys):
    path = listed(scans, "input;crop\na.nrrd;2:12,:,:\nc.nrrd;\n")
    assert run(case, path, tmp_path / "out", "--fov", "box") == 0
    assert read(tmp_path / "out" / "a.seg.nrrd").shape == (10, 40, 36)
    assert read(tmp_path / "out" / "c.seg.nrrd").shape == (14, 40, 36)
    assert capsys.readouterr().out.splitlines()[-1] == "2 done, 0 skipped, 0 failed"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("input,output\na.nrrd,x.nrrd\nc.nrrd,./x.nrrd\n", "rows 1 and 2 would both write"),
        ("input,output\na.nrrd,c.nrrd\nc.nrrd,x.nrrd\n", "row 1 would write over the scan of row 2"),
        ("input,output\na.nrrd,a.nrrd\n", "row 1 (a.nrrd): got"),
        ("input,output\na.nrrd,x.nrrd\nz.nrrd,y.nrrd\nw.nrrd,v.nrrd\n", "row 2 (z.nrrd): "),
        ("input,output\na.nrrd,x.nrrd\nc.nrrd,x.pdf\n", "row 2 (c.nrrd): got x.pdf"),
        ("input,crop\na.nrrd,\":,:,0:37\"\n", "row 1 (a.nrrd): got the box"),
        ("input,crop\na.nrrd,all\n", "row 1 of scans.csv: got the box 'all'"),
        ("input,device\na.nrrd,tpu\n", "row 1 of scans.csv: argument --device: invalid choice: 'tpu'"),
        ("input,fov\na.nrrd,here.nrrd\n", "row 1 (a.nrrd): got the field of view 'here.nrrd'"),
        ("input,spacing_um\na.nrrd,100\n", "row 1 (a.nrrd): the voxels of the scan"),
        ("input,model\na.nrrd,compct_unet\n", "row 1 (a.nrrd): got the model 'compct_unet'"),
    ],
)  # fmt: skip
def test_nothing_is_started_when_a_row_cannot_be_run(case, scans, capsys, text, words):
    before = sorted(scans.iterdir())
    assert run(case, listed(scans, text)) == 2
    told = capsys.readouterr()
    assert words in told.err
    assert told.out == ""
    assert set(scans.iterdir()) == {*before, scans / "scans.csv"}


def test_the_model_is_read_once(case, scans, monkeypatch):
    calls = []
    whole = inputs.Model.__init__
    monkeypatch.setattr(inputs.Model, "__init__", lambda self, path: (calls.append(path), whole(self, path))[1])
    assert run(case, listed(scans, "input\na.nrrd\nc.nrrd\n"), "--fov", "box") == 0
    assert len(calls) == 1
    assert (read(scans / "a.seg.nrrd").array[:] == read(scans / "c.seg.nrrd").array[:]).all()


def test_memory_that_runs_out_for_one_row_ends_with_3(case, scans, capsys, monkeypatch):
    whole = batch.segment

    def segment(job, *arguments):
        if job.input.name == "a.nrrd":
            raise MemoryError("no 9 GiB")
        return whole(job, *arguments)

    monkeypatch.setattr(batch, "segment", segment)
    assert run(case, listed(scans, "input\na.nrrd\nb.nrrd\nc.nrrd\n"), "--fov", "box") == 3
    assert "2 of the scans failed, the first: row 1 (a.nrrd): out of memory (no 9 GiB)" in capsys.readouterr().err
    assert (scans / "c.seg.nrrd").exists()


def test_a_cancelled_list_goes_on_where_it_stopped(case, scans, capsys, monkeypatch):
    path = listed(scans, "input\na.nrrd\nc.nrrd\n")
    whole = batch.segment

    def segment(job, *arguments):
        if job.input.name == "c.nrrd":
            raise KeyboardInterrupt
        return whole(job, *arguments)

    with monkeypatch.context() as patch:
        patch.setattr(batch, "segment", segment)
        assert run(case, path, "--fov", "box") == 130
    capsys.readouterr()
    assert run(case, path, "--fov", "box", "--resume") == 0
    assert capsys.readouterr().out.splitlines()[-1] == "1 done, 1 skipped, 0 failed"


def test_dry_run_of_a_list(case, scans, capsys):
    path = listed(scans, 'input,crop\na.nrrd,\nc.nrrd,"0:5,:,:"\n')
    assert run(case, path, "--fov", "box", "--dry-run", "--json") == 0
    told = json.loads(capsys.readouterr().out)["items"]
    assert [one["shape"][0] for one in told] == [14, 5]
    assert not (scans / "a.seg.nrrd").exists()


def test_one_scan_needs_an_output(case, capsys):
    with pytest.raises(SystemExit) as ended:
        run(case, case.scan)
    assert ended.value.code == 2
    assert "OUT is missing" in capsys.readouterr().err
