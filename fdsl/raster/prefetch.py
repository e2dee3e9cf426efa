"""A hint to the processor: this place will be written soon."""
# numba prescribes the arguments:
# ruff: noqa: ARG001

from __future__ import annotations

from llvmlite import ir
from numba import types

from fdsl.raster.instructions import INT32, call, instructions, pointer

AHEAD = 16  # elements between the one that is written and the one that is fetched


def _prefetch_code(_, array, index):
    def emit(context, builder, signature, values):
        place = pointer(context, builder, signature.args[0], *values, to=ir.IntType(8))
        write_keep_data = (ir.Constant(INT32, option) for option in (1, 3, 1))
        call(builder, "llvm.prefetch.p0", ir.VoidType(), place, *write_keep_data)
        return context.get_dummy_value()

    return types.void(array, types.uint64), emit


@instructions(_prefetch_code)
def prefetch(array, index):
    """Fetch the cache line of array[index] for writing: stores alone wait for each line in turn.

    The array is contiguous, the index is not checked. Without numba this does nothing.
    """
