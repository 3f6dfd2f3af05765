"""Images from a function of the user: arrays, lists, files, generators, or `tf.data` data sets."""

from __future__ import annotations

import hashlib
import inspect
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ablate.errors import NetworkError
from ablate.keras.data.forms import LabelForm
from ablate.objects import load_object
from ablate.study.setting import Setting, choice, mapping, number, optional, text

if TYPE_CHECKING:
    from ablate.keras.data.dataset import Pool

SETTINGS = {
    "builder": Setting(None, text(), "dotted path of the function; docs/data.md lists what it may return"),
    "args": Setting({}, mapping(), "its arguments: +data.args.noise=0; each can be varied: +data.args.noise=0,0.1"),
    "name": Setting(None, optional(text()), "what tables call the set; null is the path of the function"),
    "inputs": Setting(
        "images",
        choice(("auto", "images", "indices", "numbers")),
        "images | numbers (rows, series) | indices (of tokens, from 0); auto goes by type and shape, and says so",
    ),
    "white": Setting(
        None,
        optional(number(0, open_low=True)),
        "what white is: 255 for floats of image_dataset_from_directory, 4095 for 12 bits; null: 1 for floats, 65535 "
        "for 16 bits",
    ),
}
DEFAULTS: dict[str, Any] = {}
FORMS = tuple(LabelForm)


def read(values: dict[str, Any], size: tuple[int, int] | None, form: LabelForm = LabelForm.CLASS) -> Pool:
    """The examples that a user's function returns.

    Args:
        values: The checked data section; the function is called with ``args``.
        size: Height and width, or ``None`` where all images have the same.
        form: What the labels are to be.

    Returns:
        All examples; the ``validation`` and ``test`` parts of the function are official. Labels are whole numbers,
        texts or one-hot vectors; without ``class_names`` the classes are called after them. Where parts have names of
        their own, their numbers are read by these.

    Raises:
        ConfigError: The path of the function is wrong.
        NetworkError: The function does not take its arguments, fails, or returns something else.
    """
    import numpy as np

    from ablate.keras.data.dataset import Pool, consecutive
    from ablate.keras.data.decoding import Example, decode_blocks, decode_images
    from ablate.keras.data.images import fitted, peak_of
    from ablate.keras.data.source_notes import digest_of, source_notes
    from ablate.keras.data.user_data import read_examples, read_parts
    from ablate.keras.data.user_images import content_of, image_faults, open_image
    from ablate.keras.data.user_labels import Labels

    path = values["builder"]
    key = f"data.builder={path}"
    if form is not LabelForm.CLASS or values["inputs"] != "images":
        return _of_arrays(values, size, form)
    parts, names = read_parts(key, _call(path, values["args"]))
    height_width = size
    if height_width is None:
        first, _ = next(read_examples(key, parts))
        with image_faults(key, 0, first), open_image(first, None, values["white"]) as (_, original):
            height_width = original
    channels, fit = values["channels"], values["fit"]
    labels = Labels(key, names)
    counts = {name: part.count for name, part in parts.items()}

    def examples() -> Iterator[tuple[int, Any, int]]:
        for position, (image, label) in enumerate(read_examples(key, parts)):
            yield position, image, labels.code(label)

    def decode(example: tuple[int, Any, int]) -> Example:
        position, image, code = example
        with image_faults(key, position, image), open_image(image, size, values["white"]) as (opened, original):
            if size is None and original != height_width:
                raise ValueError("it differs in size from the first: set data.size, a number or [height, width]")
            peak = peak_of(image if isinstance(image, np.ndarray) else opened)
            pixels = fitted(opened, size, channels, fit, values["white"])
            return Example(pixels, code, original, peak, source=digest_of(content_of(image)))

    images = decode_images(
        decode_blocks(examples(), decode), sum(counts.values()), (*height_width, channels), values, identity=None
    )
    numbers, class_names = labels.classes()
    name = values["name"] or path
    # Each value of an argument gives images of its own, which is no change of the data.
    given = ",".join(f"{key}={value}" for key, value in sorted(values["args"].items()))
    classes = numbers[images.columns["labels"]]
    content = [class_names, classes.tolist(), images.columns["sources"].tobytes(), counts]
    origin = hashlib.blake2b(repr(content).encode(), digest_size=6).hexdigest()
    return Pool(
        name,
        images.images,
        classes,
        class_names,
        consecutive(counts),
        images.columns["sizes"],
        source_notes(images.columns, (height_width[0], height_width[1]), values["white"]),
        images.columns["contents"],
        origin={f"data/{name}({given})" if given else f"data/{name}": origin},
    )


def _of_arrays(values: dict[str, Any], size: tuple[int, int] | None, form: LabelForm) -> Pool:
    """What the function returns, as arrays of any kind."""
    from ablate.keras.data.array_pool import Reading, pool_of_arrays
    from ablate.keras.data.user_arrays import array_parts

    path, given = values["builder"], ",".join(f"{key}={value}" for key, value in sorted(values["args"].items()))
    key = f"data.builder={path}"
    name = values["name"] or path
    parts, names = array_parts(key, _call(path, values["args"])())
    reading = Reading(key, name, form, values["inputs"], size, values["channels"], values["fit"], values["white"])
    pool = pool_of_arrays(parts, reading, names)
    # Each value of an argument gives examples of its own, which is no change of the data.
    origin = {f"{key}({given})" if given else key: value for key, value in pool.origin.items()}
    return replace(pool, origin=origin)


def _call(path: str, args: Mapping[str, Any]) -> Callable[[], Any]:
    """The user's function with its arguments bound; it is called again for every pass over a generator."""
    function = load_object(path, "data.builder", "my_package.sets.make")
    if not callable(function):
        raise NetworkError(f"data.builder={path}: must be a function, not {type(function).__name__}.")
    try:
        inspect.signature(function).bind(**args)
    except TypeError as error:
        raise NetworkError(f"data.args={dict(args)}: {path} {error}.") from error

    def call() -> Any:
        try:
            return function(**args)
        except Exception as error:
            raise NetworkError(f"data.builder={path} failed: {type(error).__name__}: {error}") from error

    return call
