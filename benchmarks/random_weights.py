"""Random networks that answer like trained ones: seeded, with settled statistics, and opinions."""
# ruff: noqa: INP001  # scripts, never imported by the package

from __future__ import annotations

from pathlib import Path
from typing import Any

from benchmarks.job import Job, loaded_target, wait

BATCH = 32
SAMPLE = 64  # images that the statistics are of
DIRECTIONS = 16  # in which the last layer sees differences
BRANCH = 0.2  # weight of a residual branch


def weights(job: Job) -> None:
    """Seeded random weights that tell images apart, into the file that the job names.

    Batch norms get the statistics of real images. The last layer looks at the directions in which
    its inputs vary most, each to a deviation of 1: else every image would get the same class.
    Residual branches weigh less than the rest, as in trained networks: else the depth would enlarge
    differences of rounding a hundred times.
    """
    import torch
    from torch import nn

    from micronet.checkpoints.factory import factory_of
    from micronet.evaluation.data.open import open_dataset
    from micronet.evaluation.pixels import REFERENCE, normalised, pixels

    _, look = loaded_target({**job, "weights": None})
    torch.manual_seed(0)
    model, dataset = factory_of(job["model"]).build().eval(), open_dataset(Path(job["data"]))
    wait()
    sample = range(0, len(dataset.examples), max(1, len(dataset.examples) // SAMPLE))
    inputs = normalised([pixels(dataset.read(each), look, REFERENCE) for each in sample], look)
    for each in model.modules():
        if (norm := last_norm(each)) is not None:
            nn.init.constant_(norm.weight, BRANCH)
        if isinstance(each, nn.BatchNorm2d):
            each.reset_running_stats()
            each.momentum = None  # the average of all batches
            each.train()
    last = [each for each in model.modules() if isinstance(each, nn.Linear)][-1]
    seen: list[torch.Tensor] = []
    with torch.no_grad():
        for batch in inputs.split(BATCH):
            model(batch)
        model.eval()
        last.register_forward_pre_hook(lambda _, given: seen.append(given[0]))
        for batch in inputs.split(BATCH):
            model(batch)
        features = torch.cat(seen)
        _, deviations, directions = torch.linalg.svd(
            features - features.mean(0), full_matrices=False
        )
        kept = min(DIRECTIONS, int((deviations > deviations[0] / 100).sum()))
        scale = deviations[:kept, None] / len(features) ** 0.5
        last.weight.copy_(torch.randn(len(last.weight), kept) @ (directions[:kept] / scale))
        last.bias.copy_(-last.weight @ features.mean(0))
    torch.save(model.state_dict(), job["weights"])


def last_norm(block: object) -> Any:
    """The norm that ends a residual branch, in torchvision's blocks; else None."""
    from torchvision.models import mobilenetv2, resnet

    if isinstance(block, resnet.Bottleneck):
        return block.bn3
    if isinstance(block, resnet.BasicBlock):
        return block.bn2
    if isinstance(block, mobilenetv2.InvertedResidual) and block.use_res_connect:
        return block.conv[-1]
    return None
