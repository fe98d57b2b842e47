"""The counter from Python: a model, a file or a card in, a ``Score`` out."""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from torch import nn

from micronet.checkpoints.target import SPARSE, LoadedTarget, load_target
from micronet.models import InputSpec
from micronet.scoring.claims import judge_claims
from micronet.scoring.document import UNTRAINED, score_document
from micronet.scoring.network import Network
from micronet.scoring.printed import exact
from micronet.scoring.reference import references
from micronet.scoring.rulebook import RuleBook, rule_book
from micronet.scoring.tally import Tally, tally
from micronet.scoring.trace import meta_input, trace
from micronet.scoring.tracks import Track, track_or_none
from micronet.scoring.transient import peak
from micronet.scoring.work import work

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from torch import Tensor

DEFAULT_RULES = "micronet2019"
DEFAULT_TRACK = "imagenet"


@dataclass(frozen=True)
class Score:
    """What one network costs under one rule book.

    ``document`` is the ``micronet.score/1`` document, the same as ``micronet score --json`` prints.
    """

    document: Mapping[str, Any]

    @property
    def multiplications(self) -> int:
        """Raw count of multiplications."""
        return int(self.document["operations"]["multiplications"])

    @property
    def additions(self) -> int:
        """Raw count of additions."""
        return int(self.document["operations"]["additions"])

    @property
    def operations(self) -> Fraction:
        """The total as the rule book weighs it; multiply-accumulates under ``macs``."""
        return Fraction(self.document["operations"]["total"])

    @property
    def parameters(self) -> Fraction:
        """Storage in 32-bit values."""
        return Fraction(self.document["storage"]["bits"], 32)

    @property
    def total(self) -> float | None:
        """The challenge's score; None where the rule book has no baseline, and without a track."""
        score = self.document["score"]
        return None if score is None else float(score["total"])


def score(
    target: nn.Module | str | Path,
    *,
    rules: str | None = None,
    input_shape: Sequence[int] | None = None,
    track: str | None = None,
    model: str | None = None,
    bits: int | None = None,
    inputs: Sequence[Tensor] | None = None,
) -> Score:
    """Count what ``target`` costs: a module, a checkpoint file or the name of a card.

    ``rules`` defaults to the card's rule book, else micronet2019; ``input_shape`` to the
    architecture's own, else 1,3,224,224; ``model`` names the architecture of a bare file.
    ``inputs`` are example tensors for a network that takes several, or other than images: their
    shapes and types count, and their values only where control flow depends on them.
    The module is left exactly as it was. Raises MicronetError for whatever cannot be judged.
    """
    shape = None if input_shape is None else tuple(input_shape)
    if inputs is not None:
        shape = tuple(inputs[0].shape)
    if isinstance(target, nn.Module):
        loaded = _wrapped(target, shape or (1, 3, 224, 224))
    else:
        loaded = load_target(str(target), model=model, input_shape=shape)
    return Score(score_target(loaded, rules=rules, track=track, bits=bits, inputs=inputs))


def _wrapped(module: nn.Module, shape: tuple[int, ...]) -> LoadedTarget:
    name = type(module).__name__
    return LoadedTarget(name, None, None, name, {}, "unknown", module, InputSpec(shape), None, ())


def score_target(
    loaded: LoadedTarget,
    *,
    rules: str | None = None,
    track: str | None = None,
    bits: int | None = None,
    second_opinion: bool = False,
    inputs: Sequence[Tensor] | None = None,
) -> dict[str, Any]:
    """The ``micronet.score/1`` document of a loaded target."""
    card = loaded.card
    book = rule_book(rules or (card.rules if card else DEFAULT_RULES))
    data = track or (card.track if card else DEFAULT_TRACK)
    chosen = track_or_none(data)
    given = inputs or [input_of(loaded)]
    network = Network(trace(loaded.model, given))
    learned = learned_numbers(loaded.model)
    bill = _bill(loaded, network, book, learned, bits)
    plain = replace(book, freebie_bits=0)
    full_width = tally(network, plain, learned, bits) if bill.freebie else bill
    document = score_document(
        target={
            "name": loaded.name,
            "sha256": loaded.sha256,
            "architecture": loaded.architecture,
            "weights": loaded.weights,
            "input": list(loaded.inputs.shape),
        },
        bill=bill,
        book=book,
        track=chosen,
        transient=peak(network.trace, network.folds if book.fold_batch_norm else {}),
        full_width=full_width,
        notes=[*notes_of(loaded, network, bill), *_without_track(data, chosen)],
    )
    if (steps := waterfall_of(loaded, network, bill, book, chosen)) is not None:
        document["waterfall"] = steps
    if card is not None:
        document["claims"] = _claims(loaded, network, learned)
    if book.storage == "challenge":
        document["reference"] = references(data)
    if second_opinion:
        from micronet.scoring.second_opinion import second_opinion as ask_others

        document["second_opinion"] = ask_others(loaded.model, loaded.inputs, network)
    return document


def _without_track(data: str, track: Track | None) -> list[str]:
    said = f"{data} is no track of the challenge: costs without a score"
    return [said] if track is None else []


def input_of(loaded: LoadedTarget) -> Tensor:
    """The input that a target is traced with: its shape, without values."""
    return meta_input(loaded.inputs.shape, _input_type(loaded))


def _input_type(loaded: LoadedTarget) -> str:
    """The input's type: images come in the type of the weights (half-precision models)."""
    if loaded.inputs.dtype != "float32":
        return loaded.inputs.dtype
    floats = (p.dtype for p in loaded.model.parameters() if p.is_floating_point())
    return str(next(floats, "torch.float32")).removeprefix("torch.")


def waterfall_of(
    loaded: LoadedTarget, network: Network, bill: Tally, book: RuleBook, track: Track | None
) -> list[dict[str, Any]] | None:
    """Every difference between the score that DNW's challenge entry claimed and ours, by name.

    None for networks other than that entry's, for books that are not the challenge's, and without a
    track.
    """
    if track is None or loaded.architecture != "resnet50_sparse" or book.storage != "challenge":
        return None
    from micronet.scoring.dnw_release import count_release
    from micronet.scoring.waterfall import entry_steps

    count = count_release(loaded.model, loaded.architecture, loaded.config)
    entries = work(network, book.edges, fold=book.fold_batch_norm)
    steps = entry_steps(count, bill, entries, book)
    return [
        {
            "name": step.name,
            "parameters": exact(step.parameters),
            "operations": exact(step.operations),
            "score": float(track.score(step.parameters, step.operations).total),
        }
        for step in steps
    ]


def learned_numbers(model: nn.Module) -> list[tuple[str, int]]:
    """(name, elements) of every parameter, tied ones once."""
    return [(name, parameter.numel()) for name, parameter in model.named_parameters()]


def _bill(
    loaded: LoadedTarget,
    network: Network,
    book: RuleBook,
    learned: Sequence[tuple[str, int]],
    bits: int | None,
) -> Tally:
    if book.counter == "dnw-release":
        from micronet.scoring.dnw_release import release_tally

        return release_tally(loaded.model, loaded.architecture, loaded.config)
    return tally(network, book, learned, bits)


def notes_of(loaded: LoadedTarget, network: Network, bill: Tally) -> list[str]:
    """What has to be known about a count, whatever the rule book."""
    notes = [*loaded.notes, *network.trace.notes]
    if loaded.weights == "untrained":
        notes.insert(0, UNTRAINED)
    idle = sorted(idle_parameters(loaded.model, network))
    if idle:
        notes.append(f"never used by forward, so not stored: {_listed(idle)}")
    dead = [
        tensor.name for tensor in bill.tensors if tensor.edges and tensor.active and not tensor.live
    ]
    if dead:
        notes.append(f"all edges dead (nothing feeds them, or nothing reads them): {_listed(dead)}")
    batch = loaded.inputs.shape[0] if loaded.inputs.shape else 1
    if batch > 1:
        notes.append(f"counts are for the whole input, a batch of {batch}")
    return notes


def idle_parameters(model: nn.Module, network: Network) -> dict[str, int]:
    """Elements of every parameter, by name, that forward never uses."""
    used = {name for root in network.trace.roots.values() for name in root.parameters}
    return {name: elements for name, elements in learned_numbers(model) if name not in used}


def _listed(names: Sequence[str], most: int = 3) -> str:
    shown = ", ".join(names[:most])
    return shown if len(names) <= most else f"{shown} and {len(names) - most} more"


def _claims(
    loaded: LoadedTarget, network: Network, learned: Sequence[tuple[str, int]]
) -> list[dict[str, Any]]:
    if loaded.card is None or not loaded.card.claims:
        return []
    recounts: list[tuple[str, dict[str, Any]]] = []
    remark = None
    if loaded.architecture in ("mobilenetv1_dnw", "resnet50_sparse"):
        from micronet.scoring import dnw_release

        found, remark = dnw_release.recount(loaded.model, loaded.architecture, loaded.config)
        stated = {claim.quantity: claim.stated for claim in loaded.card.claims}
        if loaded.architecture == dnw_release.WIRING and {"macs", "parameters"} <= set(stated):
            implied = dnw_release.what_would_have_to_be_dead(
                loaded.model, loaded.config, stated["macs"], stated["parameters"]
            )
            remark = implied.sentence()
        recounts.append(("dnw-release", found))
    plain = tally(network, rule_book("macs"), learned)
    macs = plain.cost.total
    recounts.append(
        ("macs", {"parameters": plain.storage_bits // 32, "macs": macs, "operations": 2 * macs})
    )
    recounts.append(("macs, zeros included", {"parameters": sum(n for _, n in learned)}))
    challenge = tally(network, rule_book("micronet2019"), learned)
    by_rules = {"operations": challenge.cost.total}
    if (track := track_or_none(loaded.card.track)) is not None:
        parameters = Fraction(challenge.storage_bits, 32)
        by_rules["score"] = track.score(parameters, challenge.cost.total).total
    recounts.append(("micronet2019", by_rules))
    untrained = loaded.weights == "untrained" and loaded.architecture in SPARSE
    return judge_claims(loaded.card.claims, recounts, untrained=untrained, remark=remark)
