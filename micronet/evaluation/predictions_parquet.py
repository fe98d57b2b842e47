"""Predictions as a Parquet file, for those who have pyarrow (extra ``parquet``)."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any, Final

from micronet.errors import MicronetError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path
    from types import ModuleType

MAX_UNPACKED_BYTES: Final = 2**30
MAX_ROWS: Final = 3_000_000
MAX_TEXT_LENGTH: Final = 2**17  # as Python's csv has it
_BATCH_ROWS: Final = 1000
_NUMBERS: Final = ("label", "top1", "top2", "top3", "top4", "top5")


def parquet_bytes(rows: Iterable[Sequence[Any]], header: Sequence[str]) -> bytes:
    """``rows`` of ``header``'s columns: 32-bit class numbers, a float64 margin, texts."""
    pa, parquet = _pyarrow()
    columns = dict(zip(header, zip(*rows, strict=True), strict=True))
    arrays = {name: _array(pa, name, column) for name, column in columns.items()}
    file = io.BytesIO()
    parquet.write_table(pa.table(arrays), file)
    return file.getvalue()


def _array(pa: ModuleType, name: str, column: Sequence[Any]) -> Any:
    if name in _NUMBERS:
        return pa.array(column, pa.int32())
    if name == "margin":
        return pa.array([None if cell is None else float(cell) for cell in column], pa.float64())
    encoded = [cell.encode("utf-8", errors="surrogateescape") for cell in column]
    legible = all(cell.isascii() or _is_utf8(cell) for cell in encoded)
    return pa.array(encoded, pa.binary()).cast(pa.string() if legible else pa.binary())


def _is_utf8(text: bytes) -> bool:
    try:
        text.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def parquet_rows(path: Path, data: bytes) -> tuple[tuple[str, ...], Iterator[list[str]]]:
    """The columns' names, and the rows as the CSV file would have them.

    MicronetError where it is not Parquet, or is made to fill the memory: a few bytes of Parquet can
    stand for endless lists and for the same long text a million times.
    """
    pa, parquet = _pyarrow()
    try:
        types = parquet.read_schema(io.BytesIO(data))
        _check_types(path, pa, types)
        file = parquet.ParquetFile(io.BytesIO(data), read_dictionary=types.names)
        groups = (file.metadata.row_group(i) for i in range(file.metadata.num_row_groups))
        unpacked = sum(group.total_byte_size for group in groups)
    except (pa.ArrowException, OSError, ValueError) as error:
        raise _no_parquet(path, error) from error
    if file.metadata.num_rows > MAX_ROWS or not 0 <= unpacked <= MAX_UNPACKED_BYTES:
        raise MicronetError(
            f"{path}: {file.metadata.num_rows:,} rows, {unpacked:,} bytes unpacked;"
            f" more than {MAX_ROWS:,} or {MAX_UNPACKED_BYTES:,} are refused."
        )
    return tuple(types.names), _rows(path, file)


def _check_types(path: Path, pa: ModuleType, schema: Any) -> None:
    for field in schema:
        if pa.types.is_nested(field.type) or pa.types.is_dictionary(field.type):
            raise MicronetError(
                f"{path}: column {field.name[:60]!r} holds {str(field.type)[:60]},"
                " expected a number or a text in each row."
            )


def _rows(path: Path, file: Any) -> Iterator[list[str]]:
    pa, _ = _pyarrow()
    try:
        for group in range(file.metadata.num_row_groups):
            table = file.read_row_group(group)
            _check_texts(path, pa, table)
            for batch in table.to_batches(max_chunksize=_BATCH_ROWS):
                columns = [[_text(cell) for cell in column.to_pylist()] for column in batch.columns]
                yield from (list(row) for row in zip(*columns, strict=True))
    except (pa.ArrowException, OSError, ValueError) as error:
        raise _no_parquet(path, error) from error


def _check_texts(path: Path, pa: ModuleType, table: Any) -> None:
    """Measure every text before it is repeated."""
    for chunk in (chunk for column in table.columns for chunk in column.chunks):
        texts = chunk.dictionary.to_pylist() if pa.types.is_dictionary(chunk.type) else []
        if max((len(text) for text in texts if text is not None), default=0) > MAX_TEXT_LENGTH:
            raise MicronetError(f"{path}: a text of more than {MAX_TEXT_LENGTH:,} is refused.")


def _no_parquet(path: Path, error: Exception) -> MicronetError:
    reason = str(error).splitlines()[0][:200]
    return MicronetError(f"{path}: is not a Parquet file of predictions: {reason}")


def _text(cell: object) -> str:
    if cell is None:
        return ""
    if isinstance(cell, float):
        return f"{cell:.2f}"
    return cell.decode("utf-8", errors="surrogateescape") if isinstance(cell, bytes) else str(cell)


def _pyarrow() -> tuple[ModuleType, ModuleType]:
    try:
        import pyarrow as pa
        from pyarrow import parquet
    except ImportError as error:
        raise MicronetError(
            "Parquet files need pyarrow, which is not installed.",
            "Name a .csv file, or: pip install 'micronet-wirings[parquet]'",
        ) from error
    return pa, parquet
