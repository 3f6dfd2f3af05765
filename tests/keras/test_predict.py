from __future__ import annotations

import json
import zipfile

import numpy as np
import pytest
from PIL import Image

keras = pytest.importorskip("keras")

from ablate.errors import NetworkError  # noqa: E402
from ablate.keras.data.loading import load  # noqa: E402
from ablate.keras.predict import main, predict  # noqa: E402
from ablate.keras.train import train  # noqa: E402
from ablate.store.run_folder import RunFolder  # noqa: E402

pytestmark = [pytest.mark.keras, pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")]


@pytest.fixture
def trained(tiny, tmp_path):
    config = tiny(data={"scaling": "standard"}, train={"epochs": 4, "save": "last"})
    train(config, RunFolder(tmp_path / "run"))
    return tmp_path / "run", load(config["data"], 0)


def write(dataset, count, folder):
    folder.mkdir()
    for number, image in enumerate(dataset.test.images[:count]):
        Image.fromarray(image[..., 0]).save(folder / f"{number:02d}.png")
    return folder


def test_a_kept_network_predicts_pictures_as_it_was_tested(trained, tmp_path):
    run, data = trained
    pictures = write(data, 20, tmp_path / "pictures")
    path, found = predict(run, [pictures / "03.png", pictures])
    assert path == run / "last.keras"
    assert [one.path.name for one in found] == ["03.png", *(f"{number:02d}.png" for number in range(20))]
    model = keras.models.load_model(run / "last.keras")
    scaled = (data.test.images[:20] - data.offset) * data.factor
    expected = model.predict(scaled.astype(np.float32), verbose=0)
    for one, row in zip(found[1:], expected, strict=True):
        assert one.probabilities == pytest.approx(dict(zip("0123456789", row, strict=True)), abs=1e-5)
        assert list(one.probabilities.values()) == sorted(one.probabilities.values(), reverse=True)
    lines = main(str(run), [str(pictures / "03.png")])
    first = next(iter(found[0].probabilities.items()))
    assert lines[0] == f"Predictions of {run / 'last.keras'}:"
    assert lines[1].startswith(f"  {pictures / '03.png'}  {first[0]} {first[1]:.3f}, ")


def test_what_cannot_be_predicted_is_told(trained, tmp_path):
    run, _ = trained
    (tmp_path / "empty").mkdir()
    (tmp_path / "text.png").write_text("no picture")

    def message(folder, *images):
        with pytest.raises(NetworkError) as caught:
            main(folder, images)
        return str(caught.value)

    assert message(tmp_path / "empty", "x.png") == (
        f"The run '{tmp_path}/empty' has no saved network: train it with train.save=best or train.save=last."
    )
    assert message(tmp_path / "none", "x.png").startswith(f"The run '{tmp_path}/none' does not exist: ")
    assert message(run, tmp_path / "empty") == (f"No picture to predict among {tmp_path}/empty: name image files.")
    assert message(run, tmp_path / "no.png", tmp_path / "text.png").splitlines() == [
        f"{tmp_path}/no.png: there is no such file.",
        f"{tmp_path}/text.png: not an image, or cut short.",
    ]
    strange = tmp_path / "strange"
    strange.mkdir()
    keras.models.load_model(run / "last.keras").save(strange / "best.keras")
    assert message(strange, tmp_path / "text.png") == (
        f"'{strange}/best.keras' does not say how its images are prepared: ablate did not save it."
    )
    (strange / "best.keras").write_bytes(b"PK")
    assert message(strange, tmp_path / "text.png").startswith(f"'{strange}/best.keras' cannot be loaded: BadZipFile: ")
    assert zipfile.is_zipfile(run / "last.keras")


def test_nothing_in_a_saved_network_is_executed_or_unpacked_without_bounds(trained, tmp_path):
    run, _ = trained
    picture = tmp_path / "picture.png"
    Image.new("L", (8, 8)).save(picture)
    with zipfile.ZipFile(run / "last.keras") as archive:
        members = {name: archive.read(name) for name in archive.namelist()}

    def message(**changed):
        with zipfile.ZipFile(run / "best.keras", "w", zipfile.ZIP_DEFLATED) as archive:
            for name, data in {**members, **changed}.items():
                archive.writestr(name, data)
        with pytest.raises(NetworkError) as caught:
            predict(run, [picture])
        return str(caught.value)

    code = keras.saving.serialize_keras_object(keras.layers.Lambda(lambda x: x, name="code"))
    config = json.loads(members["config.json"])
    config["config"]["layers"][1] |= {key: code[key] for key in ("module", "class_name")}
    config["config"]["layers"][1]["config"] = code["config"]
    assert "Lambda" in message(**{"config.json": json.dumps(config)})
    assert "too large" in message(**{"ablate.json": b" " * 50_000_000})
    assert "cannot be loaded" in message(**{"ablate.json": b'{"data": 1, "more": 2}'})
    assert "cannot be loaded" in message(**{"ablate.json": b"[]"})


def test_a_saved_epoch_that_was_not_tested_is_told(tiny, tmp_path):
    from ablate.keras.predict import epoch_notes
    from ablate.store.records import Result

    folder = RunFolder(tmp_path / "run")
    folder.path.mkdir()
    folder.write_result(Result({"test_accuracy": 0.8148, "epoch": 10, "saved_epoch": 7}))
    (note,) = epoch_notes(folder.path, folder.path / "best.keras")
    assert "epoch 7" in note and "0.8148" in note and "epoch 10" in note
    assert epoch_notes(folder.path, folder.path / "last.keras") == []
    folder.write_result(Result({"test_accuracy": 0.8148, "epoch": 7, "saved_epoch": 7}))
    assert epoch_notes(folder.path, folder.path / "best.keras") == []


def test_a_run_says_which_classes_it_takes_for_which(tiny, tmp_path):
    folder = RunFolder(tmp_path / "run")
    result = train(tiny(train={"epochs": 1}), folder)
    from ablate.store.confusion_file import parse_confusion

    rows = parse_confusion((folder.path / "confusion.csv").read_bytes())
    right = sum(images for actual, predicted, images in rows if actual == predicted)
    assert right / sum(images for *_, images in rows) == pytest.approx(result["test_accuracy"], abs=1e-6)
