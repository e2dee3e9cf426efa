"""Vectors of eight numbers for kernels.

LLVM's own vectoriser finds neither eight generators that step together nor eight orbits. `Lanes` is
a numba type for kernels, eight float64 or uint64, with the operators that they need. It runs on
every processor; registers of 512 bits hold it whole. Every operation rounds as on single numbers.

Each function is written twice: in numpy, for the reader and for numba switched off (lanes are then
arrays of eight), and in LLVM's instructions.
"""

# numba prescribes the arguments:
# ruff: noqa: ARG001, ARG002

from __future__ import annotations

import operator

import numpy as np
from llvmlite import ir
from numba import types
from numba.core.typing.templates import AbstractTemplate, infer_global
from numba.extending import lower_builtin, models, register_model

from fdsl.raster import Function
from fdsl.raster.instructions import INT32, call, instructions, pointer

LANES = 8

_WORD = ir.IntType(64)
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


def _operator(symbol: Function, **names: str) -> None:
    """Give lanes an operator, between two of them or with one number for all lanes.

    `names` are LLVM's instructions by element type.
    """

    @infer_global(symbol)
    class _Typed(AbstractTemplate):
        def generic(self, args, kws):
            lanes = next((kind for kind in args if isinstance(kind, Lanes)), None)
            if lanes is None or str(lanes.element) not in names:
                return None
            return lanes(*(kind if isinstance(kind, Lanes) else lanes.element for kind in args))

    def emit(context, builder, signature, values):
        pair = [
            value if isinstance(kind, Lanes) else _repeated(builder, value)
            for kind, value in zip(signature.args, values, strict=True)
        ]
        return getattr(builder, names[str(signature.return_type.element)])(*pair)

    for kinds in ((Lanes, Lanes), (Lanes, types.Number), (types.Number, Lanes)):
        lower_builtin(symbol, *kinds)(emit)


_operator(operator.add, float64="fadd", uint64="add")
_operator(operator.mul, float64="fmul")
_operator(operator.and_, uint64="and_")
_operator(operator.or_, uint64="or_")
_operator(operator.xor, uint64="xor")
_operator(operator.lshift, uint64="shl")
_operator(operator.rshift, uint64="lshr")


def _repeated(builder, value):
    """One number in all lanes."""
    kind = ir.VectorType(value.type, LANES)
    first = builder.insert_element(ir.Constant(kind, ir.Undefined), value, ir.Constant(INT32, 0))
    everywhere = ir.Constant(ir.VectorType(INT32, LANES), [0] * LANES)
    return builder.shuffle_vector(first, ir.Constant(kind, ir.Undefined), everywhere)


def _words_code(_, value):
    def emit(context, builder, signature, values):
        return _repeated(builder, values[0])

    return _U(types.uint64), emit


@instructions(_words_code)
def words(value):
    """One uint64 in all lanes."""
    return np.full(LANES, value, np.uint64)


def _load_lanes_code(_, array, index):
    lanes = Lanes(array.dtype)

    def emit(context, builder, signature, values):
        vector = context.get_value_type(lanes)
        place = pointer(context, builder, signature.args[0], *values, to=vector)
        return builder.load(place, align=8)

    return lanes(array, types.uint64), emit


@instructions(_load_lanes_code)
def load_lanes(array, index):
    """Eight neighbours of a contiguous float64 or uint64 array; the index is not checked."""
    return array[index : index + np.uint64(LANES)].copy()


def _load_bytes_code(_, array, index):
    def emit(context, builder, signature, values):
        place = pointer(context, builder, signature.args[0], *values, to=_BYTES)
        return builder.zext(builder.load(place, align=1), _WORDS)

    return _U(array, types.uint64), emit


@instructions(_load_bytes_code)
def load_bytes(array, index):
    """Eight neighbours of a contiguous uint8 array, as uint64; the index is not checked."""
    return array[index : index + np.uint64(LANES)].astype(np.uint64)


def _store_lanes_code(_, array, index, lanes):
    def emit(context, builder, signature, values):
        place = pointer(context, builder, signature.args[0], *values[:2], to=values[2].type)
        builder.store(values[2], place, align=8)
        return context.get_dummy_value()

    return types.void(array, types.uint64, lanes), emit


@instructions(_store_lanes_code)
def store_lanes(array, index, lanes):
    """Store lanes at eight neighbours of a contiguous array of their type; no bounds check."""
    array[index : index + np.uint64(LANES)] = lanes


def _store_apart_code(_, array, index, distance, lanes):
    def emit(context, builder, signature, values):
        array, index, distance, vector = values
        for lane in range(LANES):
            place = pointer(context, builder, signature.args[0], array, index, to=_WORD)
            number = builder.extract_element(vector, ir.Constant(INT32, lane))
            builder.store(number, place, align=8)
            index = builder.add(index, distance)
        return context.get_dummy_value()

    return types.void(array, types.uint64, types.uint64, lanes), emit


@instructions(_store_apart_code)
def store_apart(array, index, distance, lanes):
    """Put lanes of uint64 into a contiguous array, `distance` apart; the index is not checked."""
    for lane in range(LANES):
        array[index + distance * np.uint64(lane)] = lanes[lane]


def _last_lane_code(_, lanes):
    def emit(context, builder, signature, values):
        return builder.extract_element(values[0], ir.Constant(INT32, LANES - 1))

    return lanes.element(lanes), emit


@instructions(_last_lane_code)
def last_lane(lanes):
    """The number in the last lane."""
    return lanes[-1]


def _reverse_bytes_code(_, lanes):
    def emit(context, builder, signature, values):
        return call(builder, "llvm.bswap.v8i64", _WORDS, *values)

    return _U(lanes), emit


@instructions(_reverse_bytes_code)
def reverse_bytes(lanes):
    """The eight bytes of each uint64 in the other order."""
    return lanes.byteswap()


def _pick_code(_, table, index):
    def emit(context, builder, signature, values):
        table, index = values
        if "+avx512f" in context.codegen().magic_tuple()[2].split(","):
            name = "df" if signature.args[0] == _F else "di"
            return call(builder, f"llvm.x86.avx512.permvar.{name}.512", table.type, table, index)
        index = builder.and_(index, ir.Constant(_WORDS, [LANES - 1] * LANES))
        picked = ir.Constant(table.type, ir.Undefined)
        for lane in range(LANES):
            place = ir.Constant(INT32, lane)
            number = builder.extract_element(table, builder.extract_element(index, place))
            picked = builder.insert_element(picked, number, place)
        return picked

    return table(table, index), emit


@instructions(_pick_code)
def pick(table, index):
    """Lane k is lane `index[k]` of `table`; of the uint64 index only the lowest 3 bits count."""
    return table[index % np.uint64(LANES)]


def _add_where_above_code(_, lanes, number, limit, step):
    def emit(context, builder, signature, values):
        lanes, number, limit, step = values
        above = builder.icmp_unsigned(">", number, limit)
        zero = ir.Constant(_WORDS, [0] * LANES)
        return builder.add(lanes, builder.select(above, _repeated(builder, step), zero))

    return _U(lanes, number, limit, types.uint64), emit


@instructions(_add_where_above_code)
def add_where_above(lanes, number, limit, step):
    """Lanes + step where number > limit, else lanes; all of uint64, step one number."""
    return lanes + np.where(number > limit, step, np.uint64(0))


def _better(comparison: str) -> Function:
    def code(_, a, b):
        def emit(context, builder, signature, values):
            return builder.select(builder.fcmp_ordered(comparison, *values), *values)

        return _F(a, b), emit

    return code


@instructions(_better("<"))
def lower(a, b):
    """The smaller in each lane of float64."""
    return np.minimum(a, b)


@instructions(_better(">"))
def upper(a, b):
    """The larger in each lane of float64."""
    return np.maximum(a, b)


def _best(name: str) -> Function:
    def code(_, lanes):
        def emit(context, builder, signature, values):
            return call(builder, f"llvm.vector.reduce.{name}.v8f64", ir.DoubleType(), *values)

        return types.float64(lanes), emit

    return code


@instructions(_best("fmin"))
def lowest(lanes):
    """The smallest of eight float64, none of them NaN."""
    return lanes.min()


@instructions(_best("fmax"))
def highest(lanes):
    """The largest of eight float64, none of them NaN."""
    return lanes.max()
