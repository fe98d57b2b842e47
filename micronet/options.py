"""The options of the command line: their types and what `--help` says of them."""

from pathlib import Path
from typing import Annotated, Literal

import typer

_IMAGES = "Images"
_PIXELS = "Preprocessing (default: the card's, or torchvision's)"
_TEXT = "Text (track wikitext103)"
_MACHINE = "Machine (changes no answer, but for dtype and compile)"
_OUTPUT = "Output"

Card = Annotated[str, typer.Argument(help="A card's name; `micronet list` has them.")]
Target = Annotated[
    str | None,
    typer.Argument(help="A checkpoint file or a card's name; optional with --model."),
]
Model = Annotated[
    str | None,
    typer.Option(
        help="An architecture: torchvision:NAME, package.module:factory or file.py:factory "
        "(the last two run your code)."
    ),
]
Weights = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="The weights of --model, or of the card."),
]
Track = Annotated[
    str | None, typer.Option(help="imagenet, cifar100 or wikitext103; default: the card's.")
]
Rules = Annotated[
    str | None, typer.Option(help="Rule book; default: the card's, else micronet2019.")
]
TorchThreads = Annotated[int | None, typer.Option(min=1, help="CPU threads of torch.")]
Json = Annotated[bool, typer.Option("--json", help="Machine output on stdout, nothing else there.")]
Order = Literal["appearance", "frequency"]
Counted = Literal[
    "parameters", "macs", "operations", "multiplications", "additions", "bits", "score"
]
Input = Annotated[
    str | None,
    typer.Option("--input", metavar="1,3,224,224", help="The input's shape; default: the model's."),
]

# micronet evaluate
Data = Annotated[
    Path | None,
    typer.Option(metavar="DIR", help="Images: class folders, flat with --labels, CIFAR, tars."),
]
Labels = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE", help="Labels of a flat folder of images.", rich_help_panel=_IMAGES
    ),
]
Real = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE", help="ImageNet-ReaL labels, a second column.", rich_help_panel=_IMAGES
    ),
]
Vocabulary = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        help="The model's tokens, one a line, or wiki.train.tokens.",
        rich_help_panel=_TEXT,
    ),
]
VocabularyOrder = Annotated[
    Order,
    typer.Option(help="How the tokens of wiki.train.tokens are numbered.", rich_help_panel=_TEXT),
]
Context = Annotated[
    int | None,
    typer.Option(min=1, help="Tokens that a model without a state sees.", rich_help_panel=_TEXT),
]
Stride = Annotated[
    int | None,
    typer.Option(
        min=1, help="Move its window by so many tokens, not by one.", rich_help_panel=_TEXT
    ),
]
Online = Annotated[
    bool,
    typer.Option(
        "--online",
        help="One token a call, not many that are proved equal.",
        rich_help_panel=_TEXT,
    ),
]
Resize = Annotated[
    str | None,
    typer.Option(
        metavar="N|HxW|none", help="Shorter side, or the whole image.", rich_help_panel=_PIXELS
    ),
]
Crop = Annotated[
    str | None,
    typer.Option(metavar="N|none", help="Square of the centre.", rich_help_panel=_PIXELS),
]
Interpolation = Annotated[
    str | None,
    typer.Option(
        help="bilinear, bicubic or nearest; default: the card's.", rich_help_panel=_PIXELS
    ),
]
Decoder = Annotated[
    str,
    typer.Option(
        help="pil is exact; torchvision and draft are faster and differ a little.",
        rich_help_panel=_PIXELS,
    ),
]
BatchSize = Annotated[
    int,
    typer.Option(
        min=1,
        help="Images that a thread takes at a time; changes no result.",
        rich_help_panel=_MACHINE,
    ),
]
Dtype = Annotated[str, typer.Option(help="fp32, bf16, or fp16 on CUDA.", rich_help_panel=_MACHINE)]
Compiled = Annotated[
    bool, typer.Option("--compile", help="Use torch.compile.", rich_help_panel=_MACHINE)
]
Strict = Annotated[
    bool,
    typer.Option(
        "--strict",
        help="Stop at an unreadable image; else it counts as wrong.",
        rich_help_panel=_IMAGES,
    ),
]
Compare = Annotated[
    tuple[Path, Path] | None,
    typer.Option(
        metavar="A B",
        help="Two receipts or files of predictions: where they differ.",
        rich_help_panel=_OUTPUT,
    ),
]
Predictions = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE", help="Also write them here, .csv or .parquet.", rich_help_panel=_OUTPUT
    ),
]
Save = Annotated[
    bool,
    typer.Option(
        "--save/--no-save",
        help="Write receipt and predictions to reports/.",
        rich_help_panel=_OUTPUT,
    ),
]
Trust = Annotated[
    bool, typer.Option("--trust", help="Let torch run what a torch.export archive holds.")
]
Device = Annotated[
    str, typer.Option(help="Where it is computed: cpu, cuda, …", rich_help_panel=_MACHINE)
]
Threads = Annotated[
    int | None,
    typer.Option(min=1, help="CPU threads; each decodes and computes.", rich_help_panel=_MACHINE),
]
