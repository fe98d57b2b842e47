"""The human view of a ``micronet.evaluation/1`` document: a pure function from document to tables."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from rich.table import Table
from rich.text import Text

from micronet.commands import numbers
from micronet.reports import PREDICTIONS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.console import RenderableType

Document = Mapping[str, Any]

VERDICT_STYLES: Final = {True: "bold green", False: "bold red", None: "yellow"}
_SHOWN: Final = 3
_TITLE_WIDTH: Final = len("preprocessing")


def evaluation_view(document: Document) -> list[RenderableType]:
    """What ``micronet evaluate`` shows: target, circumstances, results, verdict, flags, notes."""
    quality = document["quality"]
    parts: list[RenderableType] = [_header(document), "", _circumstances(document), ""]
    parts += [_results(document)]
    parts += [Text(plain(quality["verdict"]), style=VERDICT_STYLES[quality["qualifies"]]), ""]
    if document["flags"] is not None:
        parts += [Text(line, style=style) for line, style in _flags(document["flags"])]
    parts += [Text(f"note: {plain(note)}") for note in document["notes"]]
    parts += [Text(line, style="dim") for line in _evidence(document)]
    return parts


def plain(text: str) -> str:
    """``text`` of somebody else's making, without anything that would act on a terminal."""
    return "".join(sign if sign.isprintable() else ascii(sign)[1:-1] for sign in text)


def share(correct: int, of: int) -> str:
    """A share in percent with up to three decimals, cut and never rounded up to a threshold."""
    if of == 0:
        return numbers.UNKNOWN
    thousandths = 100_000 * correct // of
    decimals = f"{thousandths % 1000:03d}".rstrip("0") or "0"
    return f"{thousandths // 1000}.{decimals} %"


def _header(document: Document) -> Text:
    target = document["target"]
    title = Text.assemble((plain(target["name"]), "bold"), f"  {plain(target['architecture'])}, ")
    title.append(target["weights"], style="yellow" if target["weights"] == "untrained" else "green")
    digests = (
        f"file sha256 {numbers.digest(target['sha256'])},"
        f" state sha256 {numbers.digest(target['state_sha256'])},"
        f" track {document['track'] or numbers.UNKNOWN}"
    )
    return Text("\n").join([title, Text(digests, style="dim")])


def _circumstances(document: Document) -> Table:
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    table.add_column(style="bold", no_wrap=True, min_width=_TITLE_WIDTH)
    table.add_column(overflow="fold")
    for title, lines in (
        ("data", _data(document["data"])),
        ("preprocessing", _preprocessing(document["preprocessing"])),
        ("arithmetic", _arithmetic(document["arithmetic"])),
    ):
        for index, line in enumerate(lines):
            table.add_row("" if index else title, plain(line))
    return table


def _data(data: Document) -> Iterator[str]:
    if data["images"] is None:
        yield f"{data['name']}, {data['kind']}"
    else:
        counts = f"{numbers.count(data['images'])} images, {numbers.count(data['classes'])} classes"
        yield f"{data['name']}, {data['kind']}: {counts}"
    yield data["recognised"]
    if data.get("protocol"):
        yield str(data["protocol"])


def _preprocessing(look: Document | None) -> Iterator[str]:
    if look is None:
        return
    steps = "not resized"
    if look["resize"] is not None:
        pair = isinstance(look["resize"], list)
        size = numbers.shape(look["resize"]) if pair else f"shorter side to {look['resize']}"
        smooth = "antialiased" if look["antialias"] else "not antialiased"
        steps = f"resized, {size} ({look['interpolation']}, {smooth})"
    crop = "not cropped" if look["crop"] is None else f"cropped to {look['crop']}×{look['crop']}"
    yield f"{steps}, {crop}, decoded by {look['decoder']}"
    mean, std = (" ".join(f"{part:g}" for part in look[key]) for key in ("mean", "std"))
    yield f"mean {mean}, deviation {std}"
    yield f"from {look['source']}"


def _arithmetic(arithmetic: Document) -> Iterator[str]:
    compiled = ", compiled" if arithmetic["compiled"] else ""
    yield f"{arithmetic['dtype']} on {arithmetic['device']}{compiled}"


def _results(document: Document) -> Table:
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    table.add_column(style="bold", no_wrap=True, min_width=_TITLE_WIDTH)
    table.add_column(justify="right", no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column()
    quality = document["quality"]
    if quality["metric"] == "perplexity":
        value = "not finite" if quality["value"] is None else f"{quality['value']:,.4f}"
        table.add_row("perplexity", value, f"over {numbers.count(quality['of'])} tokens", "")
    else:
        _add_share(table, "top-1", quality, _interval(quality["interval"]))
    if document["top5"] is not None:
        _add_share(table, "top-5", document["top5"], "")
    if document["real"] is not None:
        _add_share(table, "ReaL", document["real"], "top-1 among the reassessed labels")
    return table


def _add_share(table: Table, title: str, found: Document, comment: str) -> None:
    correct, of = found["correct"], found["of"]
    counts = f"{numbers.count(correct)} of {numbers.count(of)}"
    table.add_row(title, counts, f"= {share(correct, of)}", comment)


def _interval(interval: list[float] | None) -> str:
    if interval is None:
        return ""
    low, high = (f"{100 * end:.2f}" for end in interval)
    return f"95 % interval {low} to {high} %"


def _flags(flags: Document) -> Iterator[tuple[str, str]]:
    """A line for each kind of image to look at, with its first names, and its style."""
    unreadable = [f"{each['name']} ({each['problem']})" for each in flags["unreadable"]["first"]]
    doubles = flags["duplicates"]
    kinds = (
        ("unreadable, counted as wrong", flags["unreadable"]["total"], unreadable, "bold red"),
        ("not finite, counted as wrong", *_named(flags["nonfinite"]), "bold red"),
        ("tied, the lower class counted", *_named(flags["tied"]), "yellow"),
        (
            "with the bytes of another",
            doubles.get("images", doubles["total"]),
            [" = ".join(group[:_SHOWN]) for group in doubles["first"]],
            "yellow",
        ),
    )
    for what, total, names, style in kinds:
        if total:
            more = ", …" if len(names) > _SHOWN else ""
            images = f"{numbers.count(total)} image{'s' * (total != 1)}"
            yield f"{images} {what}: {plain(', '.join(names[:_SHOWN]))}{more}", style
    if not any(total for _, total, *_ in kinds):
        yield "no image unreadable, not finite, tied or there twice", "dim"


def _named(listed: Document) -> tuple[int, list[str]]:
    return listed["total"], listed["first"]


def _evidence(document: Document) -> Iterator[str]:
    if document["predictions"] is not None:
        yield f"predictions: {(PREDICTIONS / document['predictions']['file']).as_posix()}"
    versions = document["environment"].items()
    yield ", ".join(f"{name} {plain(version)}" for name, version in sorted(versions) if version)
