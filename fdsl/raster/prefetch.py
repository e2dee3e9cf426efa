"""A hint to the processor: this place will be written soon."""
# numba prescribes the arguments:
# ruff: noqa: ARG001

from __future__ import annotations

import numba
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

AHEAD = 16  # elements between the one that is written and the one that is fetched


def _prefetch_code(_, array, index):
    def emit(context, builder, signature, values):
        data = context.make_array(signature.args[0])(context, builder, values[0]).data
        byte = ir.IntType(8).as_pointer()
        place = builder.bitcast(builder.gep(data, [values[1]]), byte)
        write, keep, is_data = (ir.Constant(ir.IntType(32), option) for option in (1, 3, 1))
        hint = ir.FunctionType(ir.VoidType(), [byte, *[ir.IntType(32)] * 3])
        function = cgutils.get_or_insert_function(builder.module, hint, "llvm.prefetch.p0")
        builder.call(function, [place, write, keep, is_data])
        return context.get_dummy_value()

    return types.void(array, types.uint64), emit


def _nothing(array, index):
    """What the hint means where numba is switched off."""


# Fetch the cache line of array[index], contiguous and not checked, for writing: stores alone wait
# for each line in turn.
prefetch = _nothing if numba.config.DISABLE_JIT else intrinsic(_prefetch_code)
