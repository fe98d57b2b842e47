"""One counter in a process of its own: every model in turn, one JSON line each on stdout.

Started by counting.py, once for each tool, so that no tool pays for or profits from another's imports.
"""
# ruff: noqa: INP001, T201  # a script: it prints, and finds its neighbours by path

from __future__ import annotations

import argparse
import gc
import json
import sys
import time
import warnings
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from benchmarks import zoo
from benchmarks.machine import Peak

Phases = dict[str, float]
Counter = Callable[[Any, Any], tuple[Phases, int]]
"""(model, input) → seconds of each phase, and the total that the tool reports."""
DIALECTS = ("fvcore", "thop", "torch")


def _traced(model: Any, given: Any) -> Any:
    from micronet.scoring.network import Network
    from micronet.scoring.trace import meta_input, trace

    dtype = str(given.dtype).removeprefix("torch.")
    return Network(trace(model, [meta_input(given.shape, dtype)]))


def _micronet_count(model: Any, given: Any) -> tuple[Phases, int]:
    """Multiply-accumulates, as peers count them: zeros too."""
    from micronet.scoring.work import work

    return _timed(
        lambda: sum(entry.products for entry in work(_traced(model, given), "stored", fold=False))
    )


def _micronet(model: Any, given: Any) -> tuple[Phases, int]:
    """The count, and what peers do not do: liveness, widths and masks, the whole bill under macs."""
    from micronet.scoring.rulebook import rule_book
    from micronet.scoring.tally import tally
    from micronet.scoring.work import work

    clock = [time.process_time()]
    network = _traced(model, given)
    total = sum(entry.products for entry in work(network, "stored", fold=False))
    clock.append(time.process_time())
    _ = network.liveness  # found when asked for
    clock.append(time.process_time())
    network.tensors(fold=False)
    clock.append(time.process_time())
    bill = tally(network, rule_book("macs"))
    clock.append(time.process_time())
    if bill.cost.total != total:
        sys.exit(f"the bill says {bill.cost.total}, the products are {total}")
    lengths = (end - start for start, end in pairwise(clock))
    return dict(zip(("count", "liveness", "bits", "bill"), lengths, strict=True)), total


def _dialects(model: Any, given: Any) -> dict[str, int]:
    from micronet.scoring.rulebook import rule_book
    from micronet.scoring.tally import tally

    network = _traced(model, given)
    return {name: int(tally(network, rule_book(name)).cost.total) for name in DIALECTS}


def _timed(count: Callable[[], Any]) -> tuple[Phases, int]:
    start = time.process_time()
    total = count()
    return {"count": time.process_time() - start}, int(total)


def _fvcore(model: Any, given: Any) -> tuple[Phases, int]:
    from fvcore.nn import FlopCountAnalysis

    def count() -> float:
        analysis = FlopCountAnalysis(model, (given,))
        analysis.unsupported_ops_warnings(enabled=False).uncalled_modules_warnings(enabled=False)
        return float(analysis.total())

    return _timed(count)


def _thop(model: Any, given: Any) -> tuple[Phases, int]:
    from thop import profile

    return _timed(lambda: profile(model, inputs=(given,), verbose=False)[0])


def _torch(model: Any, given: Any) -> tuple[Phases, int]:
    from torch.utils.flop_counter import FlopCounterMode

    def count() -> int:  # gradients on, as its documentation shows it
        with FlopCounterMode(display=False) as counter:
            model(given)
        return int(counter.get_total_flops())

    return _timed(count)


def _forward(model: Any, given: Any) -> tuple[Phases, int]:
    import torch

    with torch.no_grad():
        return _timed(lambda: bool(model(given) is None))


COUNTERS: dict[str, Counter] = {
    "micronet": _micronet,
    "fvcore": _fvcore,
    "thop": _thop,
    "ultralytics-thop": _thop,
    "torch-cpu": _torch,
    "torch-meta": _torch,
    "forward": _forward,
}


def measure(tool: str, name: str, repeats: int) -> dict[str, Any]:
    """First count (its time, its memory), then the median of ``repeats`` more."""
    import torch

    device = torch.device("meta" if tool == "torch-meta" else "cpu")
    with device:
        model = zoo.build(name)
    given = zoo.sample(name, device.type)
    counter = COUNTERS[tool]
    with Peak() as memory:
        first, total = (_micronet_count if tool == "micronet" else counter)(model, given)
    with Peak() as whole:
        counter(model, given)
    runs = [counter(model, given)[0] for _ in range(repeats)]
    row = {
        "tool": tool,
        "model": name,
        "total": total,
        "first_seconds": first["count"],
        "seconds": {phase: median(run[phase] for run in runs) for phase in runs[0]},
        "extra_bytes": memory.extra_bytes,
        "extra_bytes_all_phases": whole.extra_bytes,
    }
    return {**row, "dialects": _dialects(model, given)} if tool == "micronet" else row


def main() -> None:
    """Count the tiny model unmeasured, then each model in turn."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("tool", choices=COUNTERS)
    parser.add_argument("--models", nargs="+", default=list(zoo.MODELS))
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--first", help="a folder to import from before any other")
    options = parser.parse_args()
    if options.first:
        sys.path.insert(0, options.first)
    warnings.simplefilter("ignore")
    import torch

    torch.set_num_threads(1)
    measure(options.tool, "tiny", 1)
    gc.collect()
    gc.freeze()  # what the imports left is not searched for garbage in the middle of a count
    for name in options.models:
        print(json.dumps(measure(options.tool, name, options.repeats)), flush=True)


if __name__ == "__main__":
    main()
