"""Which folders are parts of a data set (training, validation, test) and not classes, by their names."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

_WORDS = {
    "train": "train training traindata trainset trainingset trn learn 훈련 훈련용 학습 학습용",
    "validation": "validation valid val valset validationset dev 검증 검증용",
    "test": "test testing testset testdata tst holdout 시험 테스트 평가 시험용",
}
_PART_OF_WORD = {word: part for part, words in _WORDS.items() for word in words.split()}
_NOISE = frozenset(
    "set sets data dataset datasets database image images img imgs photo photos picture pictures pic pics jpg png jpeg "
    "seg split part folder folders dir files file class classes the of and for final original cropped resized "
    "raw".split()
)
"""Words beside a part's that say nothing about the images."""
_FOLDS = frozenset("fold folds split cv part batch subset chunk shard partition group".split())
_IMAGES = frozenset("image images img imgs jpegimages photo photos picture pictures input inputs x rgb".split())
_MASKS = frozenset(
    "mask masks annotation annotations segmentation segmentations segmentationclass trimap trimaps gt groundtruth "
    "ground truth label labels output outputs y xml xmls bbox bboxes depth edges contours landmarks".split()
)


def words_of(name: str) -> list[str]:
    """The words of a name in lower case, without numbers.

    Example:
        >>> words_of("Seg_Train2"), words_of("trainingSet")
        (['seg', 'train'], ['training', 'set'])
    """
    return re.findall(r"[^\W\d_]+", re.sub(r"([a-z])([A-Z])", r"\1 \2", name).lower())


def part_of(name: str, beside: Iterable[str] = ()) -> str | None:
    """The part that the name of a folder stands for; None where it may be a class.

    Args:
        name: The name.
        beside: Words that do not count, such as those that all folders there have in common.

    Example:
        >>> part_of("training_set"), part_of("test1"), part_of("train_station"), part_of("1.Validation")
        ('train', 'test', None, 'validation')
    """
    words = [word for word in words_of(name) if word not in _NOISE and word not in beside]
    parts = {_PART_OF_WORD.get(word) for word in words}
    return next(iter(parts)) if len(parts) == 1 else None


def part_of_word(word: str) -> str | None:
    """The part that a word in lower case stands for.

    Example:
        >>> part_of_word("training"), part_of_word("cat")
        ('train', None)
    """
    return _PART_OF_WORD.get(word)


def part_of_value(text: str) -> str | None:
    """The part that an entry of a table stands for.

    Example:
        >>> part_of_value("Train"), part_of_value("1")
        ('train', None)
    """
    return _PART_OF_WORD.get(text.strip().lower())


def parts_by_name(names: Sequence[str]) -> dict[str, str]:
    """The part of each folder that is one, where other words that all of these have in common do not count.

    Example:
        >>> parts_by_name(["ILSVRC_img_train", "ILSVRC_img_val", "extra"])
        {'ILSVRC_img_train': 'train', 'ILSVRC_img_val': 'validation'}
        >>> parts_by_name(["cats_train", "dogs_train"])
        {}
    """
    named = [name for name in names if set(words_of(name)) & _PART_OF_WORD.keys()]
    common = set.intersection(*(set(words_of(name)) for name in named)) - _PART_OF_WORD.keys() if len(named) > 1 else ()
    return {name: part for name in named if (part := part_of(name, common)) is not None}


def look_like_parts(names: Sequence[str]) -> bool:
    """Whether all names have a word that stands for a part, or they are one name that counts folds.

    Example:
        >>> look_like_parts(["cats_train", "dogs_train"]), look_like_parts(["HAM_images_part_1", "HAM_images_part_2"])
        (True, True)
        >>> look_like_parts(["class1", "class2"]), look_like_parts(["train", "car"])
        (False, False)
    """
    words = [words_of(name) for name in names]
    counts_folds = all(own == words[0] and _FOLDS & set(own) for own in words)
    return counts_folds or all(_PART_OF_WORD.keys() & set(own) for own in words)


def is_generic(name: str) -> bool:
    """Whether a name says nothing about the images: ``images``, ``data``."""
    words = words_of(name)
    return bool(words) and set(words) <= _NOISE | _IMAGES


def holds_masks(names: Iterable[str]) -> tuple[list[str], list[str]]:
    """The folders that are called like images, and those that are called like masks or other annotations of them.

    Example:
        >>> holds_masks(["images", "masks", "cat"])
        (['images'], ['masks'])
    """
    words = {name: set(words_of(name)) for name in names}
    masks = [name for name, own in words.items() if own and own & _MASKS and own <= _MASKS | _IMAGES | _NOISE]
    images = [name for name, own in words.items() if own and own <= _IMAGES | _NOISE]
    return images, masks
