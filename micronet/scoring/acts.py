"""What each operator does to numbers, in elementary acts.

An act is an addition, a multiplication, a comparison, a transcendental function, or one of the
activations that counters price as a whole (relu, sigmoid, swish). Rule books price acts; they never
see operators. An operator that is in none of these tables is an error, never free.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import prod
from typing import TYPE_CHECKING

from micronet.errors import MicronetError
from micronet.scoring.liveness.mixing import reduced_dims
from micronet.scoring.liveness.moves import MOVES
from micronet.scoring.liveness.rule import named_arguments
from micronet.scoring.rulebook import ACTS

if TYPE_CHECKING:
    from micronet.scoring.ir import Operation


# Acts for each element of the result. Divisions count as multiplications.
ELEMENTWISE: Mapping[str, Mapping[str, int]] = {
    "add": {"add": 1},
    "sub": {"add": 1},
    "rsub": {"add": 1},
    "mul": {"multiply": 1},
    "div": {"multiply": 1},
    "reciprocal": {"multiply": 1},
    "square": {"multiply": 1},
    "addcmul": {"multiply": 1, "add": 1},
    "addcdiv": {"multiply": 1, "add": 1},
    "lerp": {"multiply": 1, "add": 2},
    "relu": {"relu": 1},
    "hardtanh": {"relu": 1},  # ReLU6
    "relu6": {"relu": 1},
    "leaky_relu": {"relu": 1, "multiply": 1},
    "_prelu_kernel": {"relu": 1, "multiply": 1},
    "threshold": {"relu": 1},
    "sigmoid": {"sigmoid": 1},
    "silu": {"swish": 1},
    "hardsigmoid": {"add": 1, "relu": 1, "multiply": 1},  # relu6(x + 3) / 6
    "hardswish": {"add": 1, "relu": 1, "multiply": 2},  # x · relu6(x + 3) / 6
    "elu": {"compare": 1, "transcendental": 1, "add": 1, "multiply": 1},
    "celu": {"compare": 1, "transcendental": 1, "add": 1, "multiply": 2},
    "selu": {"compare": 1, "transcendental": 1, "add": 1, "multiply": 2},
    "softplus": {"transcendental": 2, "add": 1},  # log(1 + exp x)
    "log_sigmoid_forward": {"transcendental": 2, "add": 1},
    "mish": {"transcendental": 3, "add": 1, "multiply": 1},  # x · tanh(log(1 + exp x))
    "hardshrink": {"compare": 1},
    "softshrink": {"compare": 1, "add": 1},
    "neg": {"bitwise": 1},
    "abs": {"bitwise": 1},
    "sign": {"compare": 1},
    "floor_divide": {"multiply": 1, "compare": 1},
    "remainder": {"multiply": 2, "add": 1},
    "fmod": {"multiply": 2, "add": 1},
}
_TRANSCENDENTAL = (
    "exp exp2 expm1 log log2 log10 log1p sqrt rsqrt tanh sin cos tan asin acos atan atan2 sinh cosh erf "
    "erfc erfinv lgamma sinc"
).split()
_COMPARE = (
    "eq ne lt le gt ge maximum minimum clamp clamp_min clamp_max where masked_fill logical_and "
    "logical_or logical_not logical_xor isnan isinf isfinite floor ceil round trunc fmax fmin"
).split()
_BITWISE = "nextafter bitwise_and bitwise_or bitwise_xor bitwise_not __and__ __or__ __xor__".split()
# No arithmetic at all: the result is the input, or a part of it.
NO_ARITHMETIC = MOVES | frozenset(
    "embedding native_dropout dropout alias_copy view_copy upsample_nearest1d upsample_nearest2d "
    "upsample_nearest3d _upsample_nearest_exact1d _upsample_nearest_exact2d "
    "_upsample_nearest_exact3d empty_like".split()
)
LINEAR = frozenset("convolution mm addmm bmm baddbmm addbmm mv addmv dot".split())
_INTERPOLATION_TAPS = {
    "upsample_linear1d": 2,
    "upsample_bilinear2d": 4,
    "upsample_trilinear3d": 8,
    "upsample_bicubic2d": 16,
}


Formula = Callable[["Operation", int], Mapping[str, int]]
_REGISTERED: dict[str, Formula] = {}


def register(operator: str, formula: Formula) -> None:
    """Teach the counter an operator of your own.

    ``operator`` is its full name ("mylib::scan"); ``formula(operation, results)`` gives the acts of one
    call that computes ``results`` elements:

    >>> register("mylib::scan", lambda operation, results: {"multiply": 2 * results, "add": results})

    Raises MicronetError for the name of an operator that is priced already.
    """
    if "::" not in operator or operator.startswith("aten::"):
        raise MicronetError(
            f"'{operator}' is no operator of your own.", "Give its full name, such as mylib::scan."
        )
    _REGISTERED[operator] = formula


def acts(op: Operation, results: int) -> dict[str, int] | None:
    """Acts of one operator that computes ``results`` live result elements; None if it is unknown."""
    if op.name in NO_ARITHMETIC:
        return {}
    if results == 0 and (op.name in _HANDLERS or _per_element(op) is not None):
        return {}  # nobody needs it
    if op.name in _REGISTERED:
        return _own(op, results)
    per_element = _per_element(op)
    if per_element is not None:
        return {act: each * results for act, each in per_element.items()}
    handler = _HANDLERS.get(op.name)
    return None if handler is None else handler(op, results)


def _own(op: Operation, results: int) -> dict[str, int]:
    found = dict(_REGISTERED[op.name](op, results))
    unknown = sorted(set(found) - set(ACTS))
    if unknown or any(type(n) is not int or n < 0 for n in found.values()):
        raise MicronetError(
            f"The formula of {op.name} gives {found}.", f"Give whole numbers of: {', '.join(ACTS)}."
        )
    return found


def _per_element(op: Operation) -> Mapping[str, int] | None:
    if op.name in ("add", "sub") and op.kwargs.get("alpha", 1) != 1:
        return {"add": 1, "multiply": 1}
    if op.name == "clamp":
        bounds = sum(bound is not None for bound in (op.argument(1, "min"), op.argument(2, "max")))
        return {"compare": bounds}
    if op.name == "gelu":
        if op.kwargs.get("approximate", "none") == "tanh":
            return {"multiply": 6, "add": 2, "transcendental": 1}
        return {"multiply": 3, "add": 1, "transcendental": 1}  # x · ½ · (1 + erf(x / √2))
    if op.name == "pow":
        return _power(op)
    if op.name in _TRANSCENDENTAL:
        return {"transcendental": 1}
    if op.name in _COMPARE:
        return {"compare": 1}
    if op.name in _BITWISE:
        return {"bitwise": 1}
    return ELEMENTWISE.get(op.name)


def _power(op: Operation) -> Mapping[str, int]:
    exponent = op.args[1]
    if isinstance(exponent, (int, float)) and exponent in (2, 3, 4):
        return {"multiply": {2: 1, 3: 2, 4: 2}[int(exponent)]}
    return {"transcendental": 1}


def _fan_in(op: Operation) -> int:
    """How many elements a reduction turns into one."""
    return prod(op.inputs[0].shape[dim] for dim in reduced_dims(op))


def _mean(op: Operation, results: int) -> dict[str, int]:
    return {"add": (_fan_in(op) - 1) * results, "multiply": results}


def _sum(op: Operation, results: int) -> dict[str, int]:
    return {"add": (_fan_in(op) - 1) * results}


def _extreme(op: Operation, results: int) -> dict[str, int]:
    return {"compare": (_fan_in(op) - 1) * results}


def _variance(op: Operation, results: int) -> dict[str, int]:
    n = _fan_in(op)  # mean: n − 1 and 1; differences: n; squares: n; their mean: n − 1 and 1
    found = {"add": (3 * n - 2) * results, "multiply": (n + 2) * results}
    return found | ({"transcendental": results} if op.name == "std" else {})


def _norm(op: Operation, results: int) -> dict[str, int]:
    n, order = _fan_in(op), named_arguments(op).get("ord", named_arguments(op).get("p", 2))
    if order == 2:
        return {"multiply": n * results, "add": (n - 1) * results, "transcendental": results}
    if order == 1:
        return {"bitwise": n * results, "add": (n - 1) * results}
    message = f"A vector norm of order {order} has no price"
    raise MicronetError(f"{message} (in {op.module or 'the model'}).")


def _softmax(op: Operation, results: int) -> dict[str, int]:
    """Every exponential and their sum are needed, however few results are."""
    elements = op.inputs[0].numel
    rows = elements // op.inputs[0].shape[int(op.args[1])]
    if op.name == "_log_softmax":  # x − log Σ exp x
        return {"transcendental": elements + rows, "add": elements - rows + results}
    return {"transcendental": elements, "add": elements - rows, "multiply": results}


def _normalise(op: Operation, results: int) -> dict[str, int]:
    """Mean, variance, 1/√(variance + ε) of all elements; scale and affine part of the results."""
    elements = op.inputs[0].numel
    if op.name == "native_layer_norm":
        groups = elements // max(prod(op.args[1]), 1)
    elif op.name == "native_group_norm":
        groups = op.inputs[0].shape[0] * int(op.args[6])
    else:
        groups = op.inputs[0].shape[1]
    affine = len(op.inputs) > 1
    return {
        "add": 2 * (elements - groups) + elements + groups + results * affine,
        "multiply": 2 * groups + elements + results + results * affine,
        "transcendental": groups,
    }


def batch_norm(op: Operation, results: int) -> dict[str, int]:
    """Stored statistics: one scale and one shift an element."""
    if not bool(op.args[5]) or op.name == "_native_batch_norm_legit_no_training":
        return {"multiply": results, "add": results}
    return _normalise(op, results)


def _window(op: Operation) -> int:
    dims = len(op.outputs[0].shape) - 2
    kernel = op.args[1]
    return prod(kernel) if len(kernel) == dims else int(kernel[0]) ** dims


def _average_pool(op: Operation, results: int) -> dict[str, int]:
    return {"add": (_window(op) - 1) * results, "multiply": results}


def _max_pool(op: Operation, results: int) -> dict[str, int]:
    return {"compare": (_window(op) - 1) * results}


def _adaptive_elements(op: Operation, results: int) -> int:
    """Window elements over all results: windows run from ⌊i·n/m⌋ to ⌈(i + 1)·n/m⌉."""
    spatial = 3 if op.name.endswith("3d") else 1 if op.name.endswith("1d") else 2
    sizes = zip(op.inputs[0].shape[-spatial:], op.outputs[0].shape[-spatial:], strict=True)
    windows = [sum(-(-(i + 1) * n // m) - i * n // m for i in range(m)) for n, m in sizes]
    return results // prod(op.outputs[0].shape[-spatial:]) * prod(windows)


def _adaptive_average(op: Operation, results: int) -> dict[str, int]:
    return {"add": _adaptive_elements(op, results) - results, "multiply": results}


def _adaptive_max(op: Operation, results: int) -> dict[str, int]:
    return {"compare": _adaptive_elements(op, results) - results}


def _interpolate(op: Operation, results: int) -> dict[str, int]:
    taps = _INTERPOLATION_TAPS[op.name]
    return {"multiply": taps * results, "add": (taps - 1) * results}


def _sampled_grid(op: Operation, results: int) -> dict[str, int]:
    """Bilinear, a position: 2 coordinates (a·x + b), 2 floors, 4 distances, 4 weights; then 4 taps."""
    if op.args[2] != 0:  # nearest: a look-up
        return {}
    positions = results // op.inputs[0].shape[1]
    return {
        "multiply": 4 * results + 6 * positions,
        "add": 3 * results + 6 * positions,
        "compare": 2 * positions,
    }


def _cumulative(op: Operation, results: int) -> dict[str, int]:
    n = op.inputs[0].shape[int(op.args[1])]
    return {"add": results - results // n}


def _put(op: Operation, results: int) -> dict[str, int]:
    """Elements put into place, or added to what is there."""
    del results
    return {"add": op.args[2].numel} if op.argument(3, "accumulate", default=False) else {}


_HANDLERS: Mapping[str, Callable[[Operation, int], dict[str, int]]] = {
    "index_put": _put,
    "mean": _mean,
    "sum": _sum,
    "nansum": _sum,
    "amax": _extreme,
    "amin": _extreme,
    "max": _extreme,
    "min": _extreme,
    "argmax": _extreme,
    "argmin": _extreme,
    "any": _extreme,
    "all": _extreme,
    "var": _variance,
    "std": _variance,
    "linalg_vector_norm": _norm,
    "norm": _norm,
    "_softmax": _softmax,
    "_safe_softmax": _softmax,
    "_log_softmax": _softmax,
    "native_layer_norm": _normalise,
    "native_group_norm": _normalise,
    "native_batch_norm": batch_norm,
    "_native_batch_norm_legit_no_training": batch_norm,
    "avg_pool1d": _average_pool,
    "avg_pool2d": _average_pool,
    "avg_pool3d": _average_pool,
    "max_pool2d_with_indices": _max_pool,
    "max_pool3d_with_indices": _max_pool,
    "max_pool1d": _max_pool,
    "_adaptive_avg_pool2d": _adaptive_average,
    "_adaptive_avg_pool3d": _adaptive_average,
    "adaptive_max_pool2d": _adaptive_max,
    "adaptive_max_pool3d": _adaptive_max,
    "cumsum": _cumulative,
    "grid_sampler_2d": _sampled_grid,
    **dict.fromkeys(_INTERPOLATION_TAPS, _interpolate),
}
