from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

keras = pytest.importorskip("keras")
tf = pytest.importorskip("tensorflow")

from ablate.errors import AblateError, ConfigError, NetworkError  # noqa: E402
from ablate.keras.data.loading import clear_pools, load  # noqa: E402

pytestmark = pytest.mark.keras

HERE = __name__
IMAGES = np.arange(40 * 6 * 5, dtype=np.uint8).reshape(40, 6, 5)
LABELS = np.tile([3, 7], 20)


@pytest.fixture(autouse=True)
def fresh():
    clear_pools()


def arrays():
    return IMAGES, LABELS


def two_parts(count=40):
    return (IMAGES[..., None], LABELS[:, None]), (IMAGES[:count], LABELS[:count])


def named():
    return {"train": (IMAGES, LABELS % 4 - 3 + LABELS // 7), "class_names": ["left", "right"]}


def two_streams():
    first, second = (tf.data.Dataset.from_tensor_slices((IMAGES, LABELS)).take(count) for count in (30, 10))
    return first, second


def shuffled():
    words = tf.constant(["dog" if label == 3 else "cat" for label in LABELS])
    data = tf.data.Dataset.from_tensor_slices({"image": IMAGES[..., None] / np.float32(255), "label": words})
    return data.shuffle(40, seed=1, reshuffle_each_iteration=True).batch(7)


def one_hot_of_unknown_length():
    hot = tf.one_hot([0, 2] * 20, 3)
    return {"train": tf.data.Dataset.from_tensor_slices((IMAGES, hot)).filter(lambda image, label: True)}


def config(function, **more):
    return {"source": "builder", "builder": f"{HERE}.{function}", "channels": 1, **more}


def message(function, **more):
    with pytest.raises(AblateError) as caught:
        load(config(function, **more), 0)
    return str(caught.value)


def test_arrays_become_a_data_set_whose_classes_are_called_after_their_labels():
    data = load(config("arrays", name="mine"), 0)
    assert (data.name, data.input_shape, data.class_names) == ("mine", (6, 5, 1), ("3", "7"))
    assert np.array_equal(data.pool.images[..., 0], IMAGES)
    assert np.array_equal(data.pool.labels, LABELS == 7)
    assert load(config("arrays", size=4, channels=3), 0).input_shape == (4, 4, 3)


def test_a_second_pair_is_the_test_part_and_arguments_are_handed_over():
    data = load(config("two_parts", args={"count": 10}), 0)
    assert len(data.test) == 10 and set(data.test.index) == set(range(40, 50))
    assert len(data.train) + len(data.validation) == 40


def test_two_data_sets_are_the_training_and_the_test_part():
    data = load(config("two_streams"), 0)
    assert (len(data.train) + len(data.validation), len(data.test)) == (30, 10)


def test_parts_by_name_with_the_names_of_the_classes():
    assert load(config("named"), 0).class_names == ("left", "right")


@pytest.mark.parametrize("memory", [0.25, 0])
def test_a_data_set_that_shuffles_keeps_images_and_labels_together(memory, tmp_path):
    data = load(config("shuffled", memory=memory, cache=str(tmp_path)), 0)
    assert data.class_names == ("cat", "dog")
    expected = {image.tobytes(): label == 3 for image, label in zip(IMAGES, LABELS, strict=True)}
    got = {image.tobytes(): bool(label) for image, label in zip(data.pool.images, data.pool.labels, strict=True)}
    assert got == expected
    assert [path.suffix for path in tmp_path.iterdir()] == ([] if memory else [".npy"])


def test_one_hot_labels_name_classes_without_an_image_too(tmp_path):
    with pytest.raises(NetworkError, match=r"^Data set '.*' has no training image of 1 among"):
        load(config("one_hot_of_unknown_length"), 0)


def broken():
    raise OSError("the disk is gone")


def words():
    return "nothing"


def uneven():
    return IMAGES, LABELS[:5]


def endless():
    return tf.data.Dataset.from_tensor_slices((IMAGES, LABELS)).repeat()


def many_sizes():
    return [np.zeros((4, 4)), np.zeros((5, 4))], [0, 1]


def floats():
    return IMAGES.astype(float), LABELS


def one_class():
    return IMAGES, LABELS * 0


def no_labels():
    return tf.data.Dataset.from_tensor_slices(IMAGES)


def other_keys():
    return {"training": (IMAGES, LABELS)}


def strange_labels():
    return {"train": (IMAGES, LABELS), "class_names": ["a", "b"]}


FORMS = (
    "It must return (images, labels), ((images, labels) for training, (images, labels) for testing), a tf.data.Dataset "
    "or a generator of images with labels, or {train: ..., validation: ..., test: ..., class_names: [...]} of such."
)


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("array", "{}: module '" + HERE + "' has no 'array'. Did you mean 'arrays'?"),
        ("broken", "{} failed: OSError: the disk is gone"),
        ("words", "{} returned str for train. " + FORMS),
        ("uneven", "{} returned 40 images and 5 labels for train."),
        ("endless", "{} returned for train a data set without end: leave out repeat()."),
        ("floats", "{}, image 0: floating-point images between 0 and 1 are needed, not from 0 to 29; see data.white."),
        ("one_class", "{} gives one class alone: 0. At least two are needed."),
        ("other_keys", "{} returned the keys training. " + FORMS),
        ("strange_labels", "{} gives labels that its 2 classes (a, b) do not have: 3, 7."),
    ],
)
def test_what_a_function_does_wrong_is_told(name, told):
    assert message(name) == told.replace("{}", f"data.builder={HERE}.{name}", 1)


def dwindling():
    passes = iter([3, 2])

    def examples():
        for number in range(next(passes)):
            yield IMAGES[number], number % 2

    spec = (tf.TensorSpec((6, 5), tf.uint8), tf.TensorSpec((), tf.int64))
    return tf.data.Dataset.from_generator(examples, output_signature=spec)


def test_a_data_set_of_another_length_in_each_pass_is_refused():
    assert message("dwindling", size=4) == (
        "The data set was to have 3 images and gives 2: it differs from pass to pass."
    )


def generated():
    yield from zip(IMAGES, LABELS, strict=True)


def batches_of_parts():
    def batches(start, end):
        for place in range(start, end, 8):
            yield IMAGES[place : min(place + 8, end), ..., None], LABELS[place : min(place + 8, end)]

    return {"train": batches(0, 30), "test": batches(30, 40)}


def whole_numbers_of_any_type():
    return IMAGES.astype(np.int64), [float(label) for label in LABELS]


@pytest.mark.parametrize("memory", [0.25, 0])
def test_generators_are_read_as_often_as_needed(memory, tmp_path):
    more = {"memory": memory, "cache": str(tmp_path)}
    data = load(config("generated", **more), 0)
    assert np.array_equal(data.pool.images[..., 0], IMAGES) and data.class_names == ("3", "7")
    data = load(config("batches_of_parts", **more), 0)
    assert np.array_equal(data.pool.images[..., 0], IMAGES)
    assert set(data.test.index) == set(range(30, 40))
    data = load(config("whole_numbers_of_any_type", **more), 0)
    assert np.array_equal(data.pool.images[..., 0], IMAGES) and data.class_names == ("3", "7")


def photos(folder, kind):
    folder = Path(folder)
    made = []
    for number in range(12):
        picture = Image.new("RGB", (7 + number % 2, 5), (20 * number, 0, 0))
        picture.save(folder / f"{number}.png")
        path = folder / f"{number}.png"
        made.append({"text": str(path), "path": path, "bytes": path.read_bytes(), "picture": picture}[kind])
    labels = ["red" if number > 5 else "dark" for number in range(12)]
    if kind == "text":
        return tf.data.Dataset.from_tensor_slices((made, labels))
    return made, labels


@pytest.mark.parametrize("kind", ["text", "path", "bytes", "picture"])
def test_files_and_pictures_are_images_too(kind, tmp_path):
    data = load(config("photos", args={"folder": str(tmp_path), "kind": kind}, size=4, channels=3), 0)
    assert data.pool.images[:, 0, 0, 0].tolist() == [20 * number for number in range(12)]
    assert data.class_names == ("dark", "red")
    assert data.pool.sizes[:2].tolist() == [[5, 7], [5, 8]]
    assert "differs in size" in message("photos", args={"folder": str(tmp_path), "kind": kind})


def directory(folder):
    for label in ("cat", "dog"):
        (Path(folder) / label).mkdir(exist_ok=True)
        for number in range(6):
            shade = 40 * number + (label == "dog")
            Image.new("RGB", (8, 8), (shade, shade, shade)).save(Path(folder) / label / f"{number}.png")
    return keras.utils.image_dataset_from_directory(folder, image_size=(8, 8), shuffle=False, verbose=False)


def test_what_keras_makes_of_a_folder_keeps_its_classes(tmp_path):
    told = message("directory", args={"folder": str(tmp_path)})
    assert told.endswith("floating-point images between 0 and 1 are needed, not from 40 to 40; see data.white.")
    data = load(config("directory", args={"folder": str(tmp_path)}, white=255), 0)
    assert data.class_names == ("cat", "dog")
    assert sorted(data.pool.images[:, 0, 0, 0]) == sorted(40 * n + dog for n in range(6) for dog in (0, 1))


def lost():
    return ["no/such.png", "no/such.png"], [0, 1]


def breaks_off():
    yield IMAGES[0], 0
    raise RuntimeError("the camera is gone")


def numbers_only():
    yield 1
    yield 2


def stream_that_breaks_off():
    data = tf.data.Dataset.from_tensor_slices((IMAGES, LABELS))
    return data.map(lambda image, label: (tf.ensure_shape(image[: tf.cast(label, tf.int32)], (3, 5)), label))


def test_what_breaks_in_the_middle_is_told():
    assert message("lost", size=4) == (
        f"data.builder={HERE}.lost, image 0: there is no file no/such.png (looked from {Path.cwd()})."
    )
    assert message("breaks_off") == (
        f"data.builder={HERE}.breaks_off failed for train: RuntimeError: the camera is gone"
    )
    assert message("numbers_only") == (
        f"data.builder={HERE}.numbers_only gives int for train: an image and its label are needed."
    )
    assert message("stream_that_breaks_off").startswith(
        f"data.builder={HERE}.stream_that_breaks_off failed for train: InvalidArgumentError: "
    )


def test_other_faults_of_functions_are_told():
    assert message("many_sizes") == (
        f"data.builder={HERE}.many_sizes, image 1: it differs in size from the first: set data.size, a number or "
        "[height, width]."
    )
    assert message("no_labels").endswith(FORMS)
    assert message("two_parts", args={"cuont": 3}) == (
        f"data.args={{'cuont': 3}}: {HERE}.two_parts got an unexpected keyword argument 'cuont'."
    )
    with pytest.raises(ConfigError, match=r"^data.builder=no.such: module 'no' cannot be imported: No module"):
        load({"source": "builder", "builder": "no.such"}, 0)
    with pytest.raises(ConfigError, match=r"^data.builder is missing: give it a value, data.builder=\.\.\.$"):
        load({"source": "builder", "builder": "???"}, 0)
    with pytest.raises(ConfigError, match=r"^data.builder=null: must be a text that is not empty\.$"):
        load({"source": "builder"}, 0)
