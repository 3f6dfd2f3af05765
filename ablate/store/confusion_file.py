"""The file of a run that says how often test images of each class were taken for which: ``confusion.csv``.

One row for each pair of classes that occurs, and for each class with itself: ``class``, ``predicted``, ``images``. The
order of the rows is that of the classes. Any task may write one.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence

CONFUSION_FILE = "confusion.csv"
CONFUSION_COLUMNS = ("class", "predicted", "images")
_MOST_ROWS = 1_000_000
_LONGEST_NAME = 1000


def confusion_csv(class_names: Sequence[str], counts: Iterable[Iterable[int]]) -> str:
    r"""The contents of the file.

    Args:
        class_names: Names of the classes, by number.
        counts: A row for each class, with how many of its images were taken for each class.

    Example:
        >>> confusion_csv(["cat", "dog"], [[3, 1], [0, 4]])
        'class,predicted,images\ncat,cat,3\ncat,dog,1\ndog,dog,4\n'
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(CONFUSION_COLUMNS)
    for actual, (name, row) in enumerate(zip(class_names, counts, strict=True)):
        for predicted, count in enumerate(row):
            if count or predicted == actual:
                writer.writerow([name, class_names[predicted], int(count)])
    return text.getvalue()


def parse_confusion(data: bytes) -> list[tuple[str, str, int]]:
    r"""The rows of the file.

    Args:
        data: The bytes of the file.

    Returns:
        Class, predicted class and number of images; nothing where it is no such file.

    Example:
        >>> parse_confusion(b"class,predicted,images\ncat,dog,1\n"), parse_confusion(b"epoch\n1\n")
        ([('cat', 'dog', 1)], [])
    """
    try:
        lines = csv.reader(io.StringIO(data.decode("utf-8")))
        if tuple(next(lines, ())) != CONFUSION_COLUMNS:
            return []
        rows = [(actual[:_LONGEST_NAME], predicted[:_LONGEST_NAME], int(images)) for actual, predicted, images in lines]
    except (UnicodeDecodeError, ValueError, csv.Error):
        return []
    if len(rows) > _MOST_ROWS or any(images < 0 for _, _, images in rows):
        return []
    return rows
