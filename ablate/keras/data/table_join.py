"""Several tables that belong together as one: rows of alike tables put below one another, others joined by a column."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from ablate.errors import NetworkError
from ablate.formatting import enumeration, listing
from ablate.keras.data.folder_advice import quoted
from ablate.keras.data.image_files import LISTED
from ablate.keras.data.part_names import parts_by_name
from ablate.keras.data.table_file import FEW, ImageFinder, Table

PART = "part"
"""The column that says which table a row comes from, where tables are parts."""


def one_table(tables: Sequence[Table], finder: ImageFinder, key: str, *, parts: bool = True) -> Table:
    """One table of several.

    Tables with the same columns are put below one another. Others are joined: a column of the further table holds each
    value of a column of those before once, as in ``images.txt`` and ``classes.txt`` with the same numbers.

    Args:
        tables: At least one.
        finder: Finds the images that cells name.
        key: What messages begin with.
        parts: Whether tables with the same columns are parts, by the names of their files.

    Raises:
        NetworkError: They do not fit together in one way alone.
    """
    stacked = [_stack(alike, key, parts=parts) for alike in _alike(tables, finder)]
    # Numbers of classes may be names of files as well; the table of the images names most of them.
    base = max(stacked, key=lambda table: _images(table, finder))
    if not _images(base, finder):
        names = listing([table.name for table in tables])
        raise NetworkError(f"{key}: no column of {names} names image files of the data set; correct data.path.")
    if len(stacked) == 1:
        return base
    waiting = [_with_prefix(table) for table in stacked if table is not base]
    joined = _with_prefix(base)
    while waiting:
        pairs = [(table, match) for table in waiting if (match := _match(joined, table)) is not None]
        # By all values that two columns have in common, before numbers of classes that happen to be numbers of images.
        pairs.sort(key=lambda pair: not pair[1].is_exact)
        if not pairs:
            raise NetworkError("\n".join(f"{key}: {_fault(joined, table)}" for table in waiting))
        table, match = pairs[0]
        joined = _join(joined, table, match)
        waiting.remove(table)
    return joined


def _alike(tables: Sequence[Table], finder: ImageFinder) -> list[list[Table]]:
    """The tables, those with the same columns together; without names of columns, those that name other images."""
    groups: list[list[Table]] = []
    for table in tables:
        group = next((group for group in groups if _belongs(table, group, finder)), None)
        if group is None:
            groups.append([table])
        else:
            group.append(table)
    return groups


def _belongs(table: Table, group: Sequence[Table], finder: ImageFinder) -> bool:
    first = group[0]
    if table.has_names != first.has_names or table.columns.keys() != first.columns.keys():
        return False
    if table.has_names:
        return True
    column = _image_column(first, finder)
    if column is None or column != _image_column(table, finder):
        return False
    return not any({*table.columns[column]} & {*other.columns[column]} for other in group)


def _images(table: Table, finder: ImageFinder) -> int:
    """How many images a table names."""
    column = _image_column(table, finder)
    return 0 if column is None else sum(finder.find(cell) is not None for cell in {*table.columns[column]})


def _image_column(table: Table, finder: ImageFinder) -> str | None:
    """The column that names images, a different one in each row; None where there is none."""
    for name, cells in table.columns.items():
        some = cells[:FEW]
        if len({cell for cell in some if finder.find(cell) is not None}) > len(some) / 2:
            return name
    return None


def _stack(tables: Sequence[Table], key: str, *, parts: bool) -> Table:
    if len(tables) == 1:
        return tables[0]
    columns = {name: [cell for table in tables for cell in table.columns[name]] for name in tables[0].columns}
    names = [table.name for table in tables]
    whole = Table(" and ".join(names), columns, tables[0].has_names)
    if not parts or PART in columns:
        return whole
    by_name = parts_by_name([table.stem for table in tables])
    unknown = [table for table in tables if table.stem not in by_name]
    if unknown or len(set(by_name.values())) < 2:
        example = f"data.labels={{train: {names[0]}, test: {names[-1]}}}"
        raise NetworkError(
            f"{key}: {enumeration(names)} have the same columns, and their names do not say which parts they are. Say "
            f"it: {quoted(example)}."
        )
    columns[PART] = [by_name[table.stem] for table in tables for _ in range(table.rows)]
    texts = [f"{by_name[table.stem]} from {table.name}" for table in tables]
    return replace(whole, columns=columns, notes=(f"Parts are read by the names of tables: {listing(texts)}.",))


def _with_prefix(table: Table) -> Table:
    """A table whose columns without names are called after its file: ``images.2``."""
    if table.has_names:
        return table
    columns = {f"{table.stem}.{name}" if name != PART else PART: cells for name, cells in table.columns.items()}
    return replace(table, columns=columns)


@dataclass(frozen=True)
class _Match:
    """A column of one table, and a column of another that holds each of its values once."""

    first: str
    second: str
    is_exact: bool


def _match(joined: Table, table: Table) -> _Match | None:
    """The columns to join by; None where there are none, or several that say different things."""
    shared = [name for name in table.columns if name in joined.columns]
    if joined.has_names and table.has_names:
        pairs = [(name, name) for name in shared]
    else:
        pairs = [(first, second) for second in table.columns for first in joined.columns]
    matches = []
    for first, second in pairs:
        cells = table.columns[second]
        values = set(cells)
        if len(values) == len(cells) and (own := set(joined.columns[first])) <= values:
            matches.append(_Match(first, second, own == values))
    best = [match for match in matches if match.is_exact] or matches
    return best[0] if len(best) == 1 or (best and shared) else None


def _join(joined: Table, table: Table, match: _Match) -> Table:
    place = {cell: row for row, cell in enumerate(table.columns[match.second])}
    rows = [place[cell] for cell in joined.columns[match.first]]
    columns = dict(joined.columns)
    for name, cells in table.columns.items():
        own = [cells[row] for row in rows]
        if name == match.second or columns.get(name) == own:
            continue
        columns[name if name not in columns else f"{table.stem}.{name}"] = own
    note = f"{table.name} is joined by its column '{match.second}', which has the values of '{match.first}'."
    keys = joined.keys | {match.first}
    return Table(f"{joined.name} and {table.name}", columns, joined.has_names, keys, (*joined.notes, note))


def _fault(joined: Table, table: Table) -> str:
    """Why a table cannot be joined, and what would make it possible."""
    shared = [name for name in table.columns if name in joined.columns]
    if joined.has_names and table.has_names and not shared:
        return (
            f"{table.name} shares no column with {joined.name}: it has {listing(table.columns, 20)}, and they have "
            f"{listing(joined.columns, 20)}. Give the column that both have the same name in both."
        )
    for name in shared:
        cells = table.columns[name]
        if len(set(cells)) < len(cells):
            continue
        missing = sorted(set(joined.columns[name]) - set(cells))
        return (
            f"{len(missing)} values of '{name}' in {joined.name} have no row in {table.name}: "
            f"{listing(missing, LISTED)}."
        )
    if shared:
        return f"{table.name} has several rows with the same value of {listing(shared)}, so that it cannot be joined."
    return (
        f"by which column {table.name} belongs to {joined.name} is not clear: exactly one must hold each value of one "
        "of theirs once. Give the columns names, in a first row, with the same name for the one that they share."
    )
