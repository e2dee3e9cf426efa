"""Functions of kernels that are written in LLVM's instructions, by numba's intrinsics."""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

from llvmlite import ir
from numba.core import cgutils
from numba.extending import intrinsic

from fdsl.raster import Function, config

INT32 = ir.IntType(32)


def instructions(code: Function) -> Callable[[Function], Function]:
    """Compile a function by the numba intrinsic `code`, unless numba is switched off."""
    return lambda function: function if config.DISABLE_JIT else cast("Function", intrinsic(code))


def pointer(context, builder, kind, array, index, *, to):
    """Return a pointer of type `to` to an element of a contiguous array; no bounds check."""
    data = context.make_array(kind)(context, builder, array).data
    return builder.bitcast(builder.gep(data, [index]), to.as_pointer())


def call(builder, name, result, *values):
    """Call one of LLVM's own functions."""
    signature = ir.FunctionType(result, [value.type for value in values])
    return builder.call(cgutils.get_or_insert_function(builder.module, signature, name), values)
