"""One run of each task against a script of Keras alone on the same batches, and its metrics against scikit-learn's."""

from __future__ import annotations

import json

import numpy as np
import pytest
from sklearn import metrics as sklearn_metrics

keras = pytest.importorskip("keras")

from ablate.keras.data.loading import load_run_data  # noqa: E402
from ablate.keras.run_config import prepare_process  # noqa: E402
from ablate.keras.streams import generator, reseed  # noqa: E402
from ablate.keras.train import train  # noqa: E402
from ablate.store.run_folder import RunFolder  # noqa: E402

pytestmark = [pytest.mark.keras, pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")]

NETWORKS = "task_networks"
EPOCHS = 2
TASKS = {
    "classification": (
        {"name": "classification", "class_weights": "balanced"},
        "images",
        {"source": "digits", "size": 8, "limit": 300},
    ),
    "regression": ({"name": "regression"}, "rows", {"source": "diabetes"}),
    "multi_label": ({"name": "multi_label"}, "images", {"source": "digit_pairs", "size": None, "limit": 200}),
    "segmentation": (
        {"name": "segmentation", "class_weights": {"ground": 0.5}},
        "pixels",
        {"source": "shapes", "count": 60, "size": 16},
    ),
}
TASKS["sequence"] = ({"name": "sequence"}, "steps", {"source": "waves", "count": 60, "steps": 16})
ARGUMENTS = {"multi_label": {"activation": "sigmoid"}}


def config_of(name):
    task, network, data = TASKS[name]
    model = {"name": "builder", "builder": f"{NETWORKS}.{network}", "args": ARGUMENTS.get(name, {})}
    train_section = {"epochs": EPOCHS, "batch_size": 16, "learning_rate": 0.01}
    return {"seed": 1, "task": {**task, "predictions": True}, "model": model, "data": data, "train": train_section}


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Each task trained once: its config, result and folder."""
    finished = {}

    def run(name):
        if name not in finished:
            folder = tmp_path_factory.mktemp(name)
            config = config_of(name)
            finished[name] = (config, train(config, RunFolder(folder)), folder)
        return finished[name]

    return run


def scripted(config, loss, metrics, encode, weigh=None):
    """The curve of the run by Keras's own fit, on arrays that are prepared here."""
    prepare_process(config)
    dataset, _ = load_run_data(config)
    import task_networks

    outputs = config["model"].get("outputs") or (dataset.classes or dataset.pool.labels.shape[1])
    build = getattr(task_networks, config["model"]["builder"].rpartition(".")[2])
    model = build(dataset.input_shape, outputs, **config["model"]["args"])
    reseed(model, config["seed"])
    model.compile(keras.optimizers.Adam(config["train"]["learning_rate"]), loss, metrics=metrics)
    scaled = (dataset.pool.images.astype("float32") - dataset.offset) * dataset.factor
    labels = encode(dataset)
    val = dataset.validation.index
    curve = []
    for epoch in range(EPOCHS):
        order = dataset.train.index[generator(config["seed"], "order", epoch + 1).permutation(len(dataset.train))]
        weights = {} if weigh is None else {"sample_weight": weigh(dataset)[order]}
        history = model.fit(
            scaled[order],
            labels[order],
            batch_size=config["train"]["batch_size"],
            shuffle=False,
            verbose=0,
            validation_data=(scaled[val], labels[val]),
            validation_batch_size=config["train"]["batch_size"],
            **weights,
        ).history
        curve.append({name: values[0] for name, values in history.items()})
    return (
        curve,
        model.predict(scaled[dataset.test.index], batch_size=config["train"]["batch_size"], verbose=0),
        dataset,
    )


def columns(folder, names):
    return [
        {name: row[f"train_{name}" if not name.startswith("val_") else name] for name in names}
        for row in RunFolder(folder).curves()
    ]


def test_classification_with_balanced_weights_is_that_of_keras(runs):
    config, result, folder = runs("classification")

    def weights(dataset):
        counts = np.bincount(dataset.train.labels, minlength=10)
        return (counts.sum() / 10 / counts).astype("float32")[dataset.pool.labels]

    curve, outputs, dataset = scripted(
        config, "sparse_categorical_crossentropy", ["accuracy"], lambda data: data.pool.labels, weights
    )
    assert columns(folder, curve[0]) == curve
    labels = dataset.test.labels
    expected = {
        "test_accuracy": sklearn_metrics.accuracy_score(labels, outputs.argmax(1)),
        "test_macro_f1": sklearn_metrics.f1_score(labels, outputs.argmax(1), average="macro"),
        "test_balanced_accuracy": sklearn_metrics.balanced_accuracy_score(labels, outputs.argmax(1)),
        "test_nll": sklearn_metrics.log_loss(
            labels, outputs.astype(float) / outputs.sum(1, keepdims=True, dtype=float)
        ),
        "test_auroc": np.mean([sklearn_metrics.roc_auc_score(labels == one, outputs[:, one]) for one in range(10)]),
        "test_top_5_accuracy": sklearn_metrics.top_k_accuracy_score(labels, outputs, k=5),
    }
    assert {name: result[name] for name in expected} == pytest.approx(expected, abs=2e-6)


def test_regression_is_that_of_keras_on_standardised_targets(runs):
    config, result, folder = runs("regression")

    def standardised(dataset):
        targets = dataset.pool.labels
        train_part = targets[dataset.train.index]
        return ((targets - train_part.mean(axis=0)) / train_part.std(axis=0)).astype("float32")

    curve, outputs, dataset = scripted(config, "mse", [], standardised)
    assert columns(folder, curve[0]) == curve
    train_part, labels = dataset.train.labels, dataset.test.labels
    predicted = outputs.astype(float) * train_part.std() + train_part.mean()
    expected = {
        "test_mae": sklearn_metrics.mean_absolute_error(labels, predicted),
        "test_rmse": sklearn_metrics.root_mean_squared_error(labels, predicted),
        "test_r2": sklearn_metrics.r2_score(labels, predicted),
        "baseline_mae": np.abs(labels - train_part.mean()).mean(),
    }
    assert {name: result[name] for name in expected} == pytest.approx(expected, rel=1e-9)
    # In the curves they are measured batch by batch in 32 bits, in the units of the data too.
    assert 10 < result["val_mae"] < 150


def test_multi_label_is_that_of_keras(runs):
    config, result, folder = runs("multi_label")
    metric = keras.metrics.BinaryAccuracy("label_accuracy")
    curve, outputs, dataset = scripted(
        config, "binary_crossentropy", [metric], lambda data: data.pool.labels.astype("float32")
    )
    assert columns(folder, curve[0]) == curve
    labels, predicted = dataset.test.labels, outputs > 0.5
    expected = {
        "test_macro_f1": sklearn_metrics.f1_score(labels, predicted, average="macro"),
        "test_micro_f1": sklearn_metrics.f1_score(labels, predicted, average="micro"),
        "test_exact_match": sklearn_metrics.accuracy_score(labels, predicted),
        "test_auroc": sklearn_metrics.roc_auc_score(labels, outputs, average="macro"),
        "test_map": sklearn_metrics.average_precision_score(labels, outputs, average="macro"),
    }
    assert {name: result[name] for name in expected} == pytest.approx(expected, abs=1e-6)


def test_segmentation_is_that_of_keras_with_the_border_left_out(runs):
    config, result, folder = runs("segmentation")

    def weights(dataset):
        return np.where(dataset.pool.labels == 0, np.float32(0.5), np.float32(1))

    loss = keras.losses.SparseCategoricalCrossentropy(ignore_class=255)
    iou = keras.metrics.MeanIoU(4, name="mean_iou", ignore_class=255, sparse_y_pred=False)
    curve, outputs, dataset = scripted(config, loss, [iou], lambda data: data.pool.labels.astype("int32"), weights)
    assert columns(folder, curve[0]) == curve
    with np.load(folder / "predictions.npz") as stored:
        predicted, labels = stored["predictions"], stored["labels"]
    assert np.array_equal(predicted, outputs.argmax(-1))
    assert (labels == 255).any()
    counted = labels != 255
    expected = {
        "test_mean_iou": sklearn_metrics.jaccard_score(labels[counted], predicted[counted], average="macro"),
        "test_dice": sklearn_metrics.f1_score(labels[counted], predicted[counted], average="macro"),
        "test_pixel_accuracy": sklearn_metrics.accuracy_score(labels[counted], predicted[counted]),
    }
    assert {name: result[name] for name in expected} == pytest.approx(expected, abs=1e-9)
    of_keras = keras.metrics.MeanIoU(4, ignore_class=255)
    of_keras.update_state(labels, predicted)
    assert result["test_mean_iou"] == pytest.approx(float(of_keras.result()), abs=1e-6)
    majority = np.bincount(dataset.train.labels.ravel())[:4].argmax()
    assert result["baseline_pixel_accuracy"] == pytest.approx((labels[counted] == majority).mean())


def test_sequence_labelling_is_that_of_keras(runs):
    config, result, folder = runs("sequence")
    loss = keras.losses.SparseCategoricalCrossentropy(ignore_class=255)
    curve, outputs, dataset = scripted(config, loss, [], lambda data: data.pool.labels.astype("int32"))
    assert columns(folder, curve[0]) == curve
    labels, predicted = dataset.test.labels.ravel(), outputs.argmax(-1).ravel()
    expected = {
        "test_step_accuracy": sklearn_metrics.accuracy_score(labels, predicted),
        "test_macro_f1": sklearn_metrics.f1_score(labels, predicted, average="macro"),
    }
    assert {name: result[name] for name in expected} == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("name", TASKS)
def test_every_number_of_a_run_is_one_that_the_task_declares(runs, name):
    from ablate.keras.tasks import chosen_task

    config, result, folder = runs(name)
    task, settings = chosen_task(config)
    declared = set(task.numbers(settings))
    reported = {key for key, value in result.items() if isinstance(value, int | float)}
    assert reported - declared == {"seconds_data", "seconds_build"}
    assert task.metric in result
    with np.load(folder / "predictions.npz") as stored:
        assert set(stored.files) == {"predictions", "labels", "positions"}
        assert len(stored["predictions"]) == len(stored["labels"]) == len(stored["positions"])
    json.dumps(result)
