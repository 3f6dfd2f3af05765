"""What a task says: labels, output of the network, loss, metrics, best epoch, baseline, predictions.

Importing this module loads neither Keras nor TensorFlow, since the command line reads the declarations at every start.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from ablate.keras.data.forms import LabelForm
from ablate.study.metric import metric_of
from ablate.study.setting import Rule, Setting, choice, either, flag, list_of, mapping, number, optional, text

if TYPE_CHECKING:
    import numpy as np

    from ablate.keras.data.dataset import Dataset, Pool
    from ablate.keras.models.signature import ModelSignature

SUBSETS = ("test", "val", "train")
"""The parts on which a run measures loss and metrics, as prefixes of their names."""

_OBJECT = either(text(), mapping(description="a mapping with a 'name' and arguments, such as {name: Huber, delta: 2}"))

SETTINGS: Mapping[str, Setting] = {
    "name": Setting("classification", text(), "the task itself"),
    "loss": Setting(
        None,
        optional(_OBJECT),
        "a loss of Keras by name, a dotted path, or {name: Huber, delta: 2}; null: the usual one of the task",
    ),
    "metrics": Setting(
        {},
        either(
            mapping(_OBJECT, "a metric by name, for example {auprc: {name: AUC, curve: PR}}"),
            list_of(text(), "a list of metrics of Keras or dotted paths: [TopKCategoricalAccuracy]"),
        ),
        "further metrics, in curves and results: names of Keras or dotted paths, or {auprc: {name: AUC, curve: PR}}",
    ),
    "predictions": Setting(False, flag(), "write the predictions for the test part into predictions.npz of each run"),
}
"""The keys of the section ``task`` that all tasks have."""

CLASS_WEIGHTS = Setting(
    None,
    optional(either(choice(("balanced",)), mapping(number(0), "a weight by class, for example {cat: 1, dog: 3}"))),
    "balanced (inversely to their training examples) | {cat: 1, dog: 3} | null: of classes in the loss of training",
)
"""The key ``class_weights`` of tasks with classes."""


@dataclass(frozen=True)
class Encoding:
    """How the labels of a batch become what the loss takes.

    Args:
        one_hot: Number of classes, where labels become vectors; None leaves whole numbers.
        standardised: Whether numbers lose the mean and deviation of the training part (`Dataset.label_offset`).
        class_weights: Whether examples or pixels get the weight of their class (`Dataset.class_weights`).
        dtype: Type of the encoded labels; None leaves them as they are stored.
    """

    one_hot: int | None = None
    standardised: bool = False
    class_weights: bool = False
    dtype: str | None = None


AS_STORED = Encoding()
"""Labels as they are."""


@dataclass(frozen=True, eq=False)
class Objective:
    """What a network is compiled with.

    Args:
        loss: A loss of Keras.
        metrics: Metrics of Keras or their names.
        encoding: How labels become what the loss takes.
        kind: What the outputs of the network mean, where a task allows several meanings.
        units: Mean and deviation of standardised labels, for metrics in the units of the data; None elsewhere.
    """

    loss: Any
    metrics: list[Any]
    encoding: Encoding
    kind: Any = None
    units: Any = None


class Task(ABC):
    """What a network is trained for.

    A subclass is a value that says all about a task; one line in `ablate.keras.tasks` registers it. Names of metrics
    are those without a prefix for the part they are measured on; direction and unit are those that
    `ablate.study.metric` declares.
    """

    name: ClassVar[str]
    description: ClassVar[str]
    form: ClassVar[LabelForm]
    """What the label of an example is."""
    curves: ClassVar[tuple[str, ...]]
    """Metrics that are measured in every epoch, beside the loss; the first says which epoch is the best."""
    recorded: ClassVar[tuple[str, ...]] = ()
    """Further metrics of the test part, computed from its predictions."""
    metric: ClassVar[str]
    """The default of ``study.metric``."""
    baselines: ClassVar[tuple[str, ...]] = ()
    """Numbers of a run that say what a prediction without a network scores."""
    defaults: ClassVar[Mapping[str, str]] = {}
    """What the configuration takes for ``model`` and ``data`` where nothing else is chosen."""
    ending: ClassVar[str | None] = "softmax"
    """The activation in which networks of ours end for this task; None for none."""
    per_place: ClassVar[bool] = False
    """Whether there is a prediction for every pixel or step, instead of one an example."""
    smooths_labels: ClassVar[bool] = False
    """Whether ``train.label_smoothing`` means something."""
    own_settings: ClassVar[Mapping[str, Setting]] = {}
    """Keys of the section ``task`` that this task alone has, and those whose default differs."""

    @property
    def settings(self) -> dict[str, Setting]:
        """All keys of the section ``task``."""
        settings = {**SETTINGS, **self.own_settings}
        settings["name"] = Setting(self.name, Rule(lambda value: value == self.name, self.name), "the task itself")
        return settings

    def numbers(self, settings: Mapping[str, Any]) -> tuple[str, ...]:
        """Every number that a run reports, the default of ``study.metric`` first.

        Args:
            settings: The section ``task``, checked.
        """
        measured = ("loss", *self.curves, *metric_names(settings["metrics"]))
        names = [f"{part}_{name}" for part in SUBSETS for name in measured]
        names += [f"test_{name}" for name in self.recorded_metrics(settings)]
        names += ["weights", *self.baselines, "epoch", "epochs", "seconds", "seconds_fit", "seconds_test"]
        return tuple(dict.fromkeys([self.metric, *names]))

    def recorded_metrics(self, settings: Mapping[str, Any]) -> tuple[str, ...]:
        """Metrics of the test part alone; see `recorded`."""
        return self.recorded

    @property
    def best_sign(self) -> int:
        """1 where a higher value of the first of `curves` is better, else -1."""
        return 1 if metric_of(self.curves[0]).direction == "max" else -1

    def label_faults(self, pool: Pool, settings: Mapping[str, Any]) -> list[str]:
        """What is wrong with the labels of a data set, a sentence each.

        Args:
            pool: The data set.
            settings: The section ``task``, checked.
        """
        return []

    def strata(self, pool: Pool) -> np.ndarray:
        """A class for each example by which splits are stratified: (examples,), whole numbers from 0.

        Args:
            pool: The data set.
        """
        import numpy as np

        return np.zeros(len(pool.labels), np.int64)

    def prepared(self, dataset: Dataset, settings: Mapping[str, Any]) -> Dataset:
        """The data with what this task takes from the training part alone, such as the scale of labels.

        Args:
            dataset: Split for a seed.
            settings: The section ``task``, checked.
        """
        return dataset

    @abstractmethod
    def outputs(self, pool: Pool) -> int:
        """How many numbers a network gives for each prediction.

        Args:
            pool: The data set.
        """

    def signature(self, pool: Pool) -> ModelSignature:
        """What a network is to take and to give.

        Args:
            pool: The data set.
        """
        from ablate.keras.models.signature import ModelSignature

        shape = tuple(pool.images.shape[1:])
        return ModelSignature(shape, self.outputs(pool), self.ending, self.per_place, pool.vocabulary_size)

    @abstractmethod
    def check_network(self, model: Any, dataset: Dataset, settings: Mapping[str, Any]) -> None:
        """Refuses a network whose last layer does not fit.

        Args:
            model: A functional model with one output.
            dataset: Its data.
            settings: The section ``task``, checked.

        Raises:
            NetworkError: It names the last layer and the one that is wanted.
        """

    @abstractmethod
    def objective(
        self, model: Any, dataset: Dataset, settings: Mapping[str, Any], train: Mapping[str, Any]
    ) -> Objective:
        """What a network is compiled with.

        Args:
            model: A network that `check_network` allowed.
            dataset: Its data.
            settings: The section ``task``, checked.
            train: The section ``train``, checked.
        """

    def kept(self, outputs: Any, kind: Any) -> Any:
        """What is needed of the outputs for a batch after training, as operations of Keras: all, or less.

        Args:
            outputs: A tensor, what the network gives.
            kind: See `Objective`.
        """
        return outputs

    def scores(self, kept: np.ndarray, dataset: Dataset, settings: Mapping[str, Any], kind: Any) -> dict[str, float]:
        """Metrics of the test part from its predictions, by name without a prefix.

        Args:
            kept: What `kept` returned for all examples of the test part.
            dataset: The data.
            settings: The section ``task``, checked.
            kind: See `Objective`.
        """
        return {}

    def confusion(
        self, kept: np.ndarray, dataset: Dataset, settings: Mapping[str, Any], kind: Any
    ) -> np.ndarray | None:
        """How often each class of the test part was taken for which: (classes, classes); None without classes.

        Args:
            kept: What `kept` returned for all examples of the test part.
            dataset: The data.
            settings: The section ``task``, checked.
            kind: See `Objective`.
        """
        return None

    def baseline(self, dataset: Dataset, settings: Mapping[str, Any]) -> dict[str, float]:
        """What predictions without a network score on the test part, by the names in `baselines`.

        Args:
            dataset: The data.
            settings: The section ``task``, checked.
        """
        return {}


def metric_names(metrics: Any) -> tuple[str, ...]:
    """What the metrics of ``task.metrics`` are called in curves and results.

    Args:
        metrics: The value of the key: names or dotted paths, or entries by name.

    Example:
        >>> metric_names(["AUC", "my_package.scores.my_score"]), metric_names({"auprc": {"name": "AUC"}})
        (('auc', 'my_score'), ('auprc',))
    """
    if isinstance(metrics, Mapping):
        return tuple(metrics)
    return tuple(snake_case(str(name).rpartition(".")[2]) for name in metrics)


def snake_case(name: str) -> str:
    """A name of Keras in lower case with underscores, as Keras itself calls metrics.

    Example:
        >>> snake_case("F1Score"), snake_case("MeanIoU"), snake_case("AUC"), snake_case("mae")
        ('f1_score', 'mean_io_u', 'auc', 'mae')
    """
    import re

    spaced = re.sub(r"([a-z0-9])([A-Z])", r"\1_\2", re.sub(r"(.)([A-Z][a-z]+)", r"\1_\2", name))
    return spaced.lower()
