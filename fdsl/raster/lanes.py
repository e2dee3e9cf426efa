"""Eight numbers that kernels hold and compute with as one: vectors of numba's compiler, which its own loops do not reach.

numba leaves it to LLVM to find what can be done side by side, and LLVM finds neither eight generators that step together nor eight
orbits. Here `Lanes` is a type of kernels, of eight float64 or uint64, with the operators that they need. Every processor can run
them; registers of 512 bits hold one in whole. No operation rounds in another way than its scalar.
"""
# numba prescribes the arguments:
# ruff: noqa: ARG001

from __future__ import annotations

import operator
from collections.abc import Callable

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic, models, overload, register_model

LANES = 8

_WORD, _HALF = ir.IntType(64), ir.IntType(32)
_FLOATS = ir.VectorType(ir.DoubleType(), LANES)
_WORDS = ir.VectorType(_WORD, LANES)
_BYTES = ir.VectorType(ir.IntType(8), LANES)


class Lanes(types.Type):
    """numba's type of eight float64 or uint64."""

    def __init__(self, element: types.Type) -> None:
        self.element = element
        super().__init__(name=f"Lanes({element})")


@register_model(Lanes)
class _LanesModel(models.PrimitiveModel):
    """Held as one vector."""

    def __init__(self, manager: object, lanes: Lanes) -> None:
        super().__init__(manager, lanes, _FLOATS if lanes.element == types.float64 else _WORDS)


_F, _U = Lanes(types.float64), Lanes(types.uint64)


def _operator(symbol: Callable, **instructions: str) -> None:
    """Give lanes an operator, between two of them or with one number for all lanes; `instructions` are LLVM's by element type."""

    @intrinsic
    def combined(_, a, b):
        lanes = a if isinstance(a, Lanes) else b
        instruction = instructions[str(lanes.element)]

        def emit(context, builder, signature, values):
            pair = [
                value
                if isinstance(kind, Lanes)
                else _repeated(builder, context.cast(builder, value, kind, lanes.element))
                for kind, value in zip(signature.args, values, strict=True)
            ]
            return getattr(builder, instruction)(*pair)

        return lanes(a, b), emit

    @overload(symbol)
    def _overloaded(a, b):
        if isinstance(a, Lanes) or isinstance(b, Lanes):
            return lambda a, b: combined(a, b)  # noqa: PLW0108 - an overload must be a function
        return None


def _repeated(builder, value):
    """One number in all lanes."""
    kind = ir.VectorType(value.type, LANES)
    first = builder.insert_element(ir.Constant(kind, ir.Undefined), value, ir.Constant(_HALF, 0))
    everywhere = ir.Constant(ir.VectorType(_HALF, LANES), [0] * LANES)
    return builder.shuffle_vector(first, ir.Constant(kind, ir.Undefined), everywhere)


_operator(operator.add, float64="fadd", uint64="add")
_operator(operator.mul, float64="fmul")
_operator(operator.and_, uint64="and_")
_operator(operator.or_, uint64="or_")
_operator(operator.xor, uint64="xor")
_operator(operator.ixor, uint64="xor")
_operator(operator.lshift, uint64="shl")
_operator(operator.rshift, uint64="lshr")


def _place(context, builder, kind, array, index, vector):
    """Pointer to eight neighbours in a contiguous array."""
    data = context.make_array(kind)(context, builder, array).data
    return builder.bitcast(builder.gep(data, [index]), vector.as_pointer())


@intrinsic
def load_lanes(_, array, index):
    """array[index : index + 8] of a contiguous float64 or uint64 array, not checked."""
    lanes = Lanes(array.dtype)

    def emit(context, builder, signature, values):
        vector = context.get_value_type(lanes)
        place = _place(context, builder, signature.args[0], *values, vector)
        return builder.load(place, align=8)

    return lanes(array, types.uint64), emit


@intrinsic
def store_lanes(_, array, index, lanes):
    """array[index : index + 8] = lanes, not checked."""

    def emit(context, builder, signature, values):
        place = _place(context, builder, signature.args[0], *values[:2], values[2].type)
        builder.store(values[2], place, align=8)
        return context.get_dummy_value()

    return types.void(array, types.uint64, lanes), emit


@intrinsic
def store_apart(_, array, index, distance, lanes):
    """array[index + distance * lane] = lane's number, not checked."""

    def emit(context, builder, signature, values):
        _, index, distance, vector = values
        for lane in range(LANES):
            place = _place(context, builder, signature.args[0], values[0], index, vector.type)
            number = builder.extract_element(vector, ir.Constant(_HALF, lane))
            builder.store(number, builder.bitcast(place, number.type.as_pointer()), align=8)
            index = builder.add(index, distance)
        return context.get_dummy_value()

    return types.void(array, types.uint64, types.uint64, lanes), emit


@intrinsic
def load_bytes(_, array, index):
    """array[index : index + 8] of a contiguous uint8 array as uint64, not checked."""

    def emit(context, builder, signature, values):
        place = _place(context, builder, signature.args[0], *values, _BYTES)
        return builder.zext(builder.load(place, align=1), _WORDS)

    return _U(array, types.uint64), emit


@intrinsic
def reverse_bytes(_, lanes):
    """The eight bytes of each word in the other order."""

    def emit(context, builder, signature, values):
        return _call(builder, "llvm.bswap.v8i64", _WORDS, *values)

    return _U(lanes), emit


@intrinsic
def pick(_, table, index):
    """table[index % 8] in every lane; table and index are lanes, index of uint64."""

    def emit(context, builder, signature, values):
        features = context.codegen().magic_tuple()[2].split(",")
        if "+avx512f" in features:
            suffix = "df" if signature.args[0] == _F else "di"
            return _call(builder, f"llvm.x86.avx512.permvar.{suffix}.512", values[0].type, *values)
        table, index = values
        index = builder.and_(index, ir.Constant(_WORDS, [LANES - 1] * LANES))
        picked = ir.Constant(table.type, ir.Undefined)
        for lane in range(LANES):
            place = ir.Constant(_HALF, lane)
            number = builder.extract_element(table, builder.extract_element(index, place))
            picked = builder.insert_element(picked, number, place)
        return picked

    return table(table, index), emit


@intrinsic
def add_where_above(_, lanes, number, limit, step):
    """lanes + step where number > limit, else lanes; all of uint64, step one number for all lanes."""

    def emit(context, builder, signature, values):
        lanes, number, limit, step = values
        zero = ir.Constant(_WORDS, [0] * LANES)
        above = builder.icmp_unsigned(">", number, limit)
        return builder.add(lanes, builder.select(above, _repeated(builder, step), zero))

    return _U(lanes, number, limit, types.uint64), emit


def _chosen(comparison: str) -> Callable:
    """The smaller or larger of two lanes of float64; where they are equal, the second."""

    def chosen(_, a, b):
        def emit(context, builder, signature, values):
            return builder.select(builder.fcmp_ordered(comparison, *values), *values)

        return _F(a, b), emit

    return chosen


lower = intrinsic(_chosen("<"))
upper = intrinsic(_chosen(">"))


def _reduced(name: str) -> Callable:
    """One number from eight float64, none of them NaN."""

    def reduced(_, lanes):
        def emit(context, builder, signature, values):
            return _call(builder, f"llvm.vector.reduce.{name}.v8f64", ir.DoubleType(), *values)

        return types.float64(lanes), emit

    return reduced


lowest = intrinsic(_reduced("fmin"))
highest = intrinsic(_reduced("fmax"))


@intrinsic
def words(_, value):
    """One uint64 in all lanes."""

    def emit(context, builder, signature, values):
        return _repeated(builder, values[0])

    return _U(types.uint64), emit


def _call(builder, name, result, *values):
    """Call one of LLVM's own functions."""
    signature = ir.FunctionType(result, [value.type for value in values])
    return builder.call(cgutils.get_or_insert_function(builder.module, signature, name), values)
