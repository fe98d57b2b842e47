"""Measure what a network gets right: ``evaluate``."""

from micronet import options
from micronet.errors import MicronetError
from micronet.verbs.app import JUDGE, Task, app


@app.command("evaluate", rich_help_panel=JUDGE)
def _evaluate(
    target: options.Target = None,
    *,
    data: options.Data = None,
    model: options.Model = None,
    weights: options.Weights = None,
    labels: options.Labels = None,
    real: options.Real = None,
    vocabulary: options.Vocabulary = None,
    vocabulary_order: options.VocabularyOrder = "appearance",
    context: options.Context = None,
    stride: options.Stride = None,
    online: options.Online = False,
    track: options.Track = None,
    resize: options.Resize = None,
    crop: options.Crop = None,
    interpolation: options.Interpolation = None,
    decoder: options.Decoder = "pil",
    batch_size: options.BatchSize = 16,
    dtype: options.Dtype = "fp32",
    compiled: options.Compiled = False,
    strict: options.Strict = False,
    compare: options.Compare = None,
    predictions: options.Predictions = None,
    save: options.Save = True,
    trust: options.Trust = False,
    device: options.Device = "cpu",
    threads: options.Threads = None,
    json: options.Json = False,
) -> Task:
    """Measure what a network gets on a data set, and leave a receipt."""
    if compare is not None:
        from micronet.commands import compare as comparing

        return lambda: comparing.run(*compare, json=json)
    if data is None:
        raise MicronetError("There is nothing to evaluate on.", "Name the images: --data DIR")
    from micronet.commands import evaluate as verb
    from micronet.commands.evaluation_request import Request

    request = Request(
        target=target,
        data=data,
        model=model,
        weights=weights,
        trust=trust,
        labels=labels,
        real=real,
        vocabulary=vocabulary,
        vocabulary_order=vocabulary_order,
        context=context,
        stride=stride,
        online=online,
        track=track,
        resize=resize,
        crop=crop,
        interpolation=interpolation,
        decoder=decoder,
        batch_size=batch_size,
        dtype=dtype,
        compiled=compiled,
        strict=strict,
        save=save,
        predictions=predictions,
        device=device,
        threads=threads,
        json=json,
    )
    return lambda: verb.run(request)
