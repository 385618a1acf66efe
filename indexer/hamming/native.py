"""What the compiled loops of the Hamming search need from the processor, said in LLVM's terms.

Counting bits, asking for memory ahead of its use, and comparing sixteen entries at a time have no
word in Python. LLVM has one for each, on every processor: AVX-512 does them in single
instructions, others in a few. Numba compiles on first use and keeps the machine code beside the
source or in the user's cache directory (`NUMBA_CACHE_DIR` names another); where neither can be
written each process compiles anew.
"""

from collections.abc import Callable
from typing import Any, Final

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.extending import intrinsic
from numpy.typing import NDArray

# Entries compared with the query's tag at a time.
LANES: Final = 16

_BYTE: Final = ir.IntType(8)
_NUMBER: Final = ir.IntType(32)
_SIZE: Final = ir.IntType(64)
_VECTOR: Final = ir.VectorType(_NUMBER, LANES)

Kernel = Callable[..., Any]


def compiled(function: Kernel) -> Kernel:
    """Compile on first call, without the interpreter lock; keep the code where that is possible."""
    try:
        kernel: Kernel = njit(nogil=True, cache=True)(function)
    except RuntimeError:  # Numba found no directory to keep it in
        kernel = njit(nogil=True)(function)
    return kernel


def _ones(_context: Any, value: Any) -> Any:
    def generate(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        found = builder.ctpop(arguments[0])
        return builder.zext(found, _SIZE) if found.type.width < _SIZE.width else found

    return types.int64(value), generate


def _fetch(_context: Any, array: Any, _row: Any) -> Any:
    def generate(context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        fields = context.make_array(array)(context, builder, arguments[0])
        stride = builder.extract_value(fields.strides, 0)
        start = builder.ptrtoint(fields.data, _SIZE)
        address = builder.add(start, builder.mul(stride, arguments[1]))
        pointer = builder.inttoptr(address, _BYTE.as_pointer())
        kind = ir.FunctionType(ir.VoidType(), [pointer.type, _NUMBER, _NUMBER, _NUMBER])
        read, keep, data = _NUMBER(0), _NUMBER(3), _NUMBER(1)
        builder.call(_declared(builder, "llvm.prefetch.p0", kind), [pointer, read, keep, data])
        return context.get_dummy_value()

    return types.void(array, types.int64), generate


def _pick(
    _context: Any, entries: Any, _place: Any, _left: Any, _wanted: Any, _most: Any, gathered: Any,
    _count: Any,
) -> Any:  # fmt: skip
    def generate(context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        source, place, left, wanted, most, target, count = arguments
        tag, mask = (builder.extract_value(wanted, part) for part in range(2))
        found = builder.load(_lanes_at(context, builder, entries, source, place), align=4)
        apart = builder.and_(builder.xor(found, _spread(builder, tag)), _spread(builder, mask))
        count_ones = ir.FunctionType(_VECTOR, [_VECTOR])
        ones_of = _declared(builder, f"llvm.ctpop.v{LANES}i32", count_ones)
        far = _spread(builder, builder.trunc(most, _NUMBER))
        near = builder.icmp_unsigned("<=", builder.call(ones_of, [apart]), far)
        whole = builder.icmp_signed("<", left, _SIZE(LANES))
        counted = builder.trunc(builder.select(whole, left, _SIZE(LANES)), _NUMBER)
        lanes = ir.Constant(_VECTOR, list(range(LANES)))
        kept = builder.and_(near, builder.icmp_unsigned("<", lanes, _spread(builder, counted)))
        pack = ir.FunctionType(_VECTOR, [_VECTOR, kept.type, _VECTOR])
        name = f"llvm.experimental.vector.compress.v{LANES}i32"
        undefined = ir.Constant(_VECTOR, ir.Undefined)
        packed = builder.call(_declared(builder, name, pack), [found, kept, undefined])
        builder.store(packed, _lanes_at(context, builder, gathered, target, count), align=4)
        return builder.zext(builder.ctpop(builder.bitcast(kept, ir.IntType(LANES))), _SIZE)

    place, pair = types.int64, types.UniTuple(types.uint32, 2)  # type: ignore[no-untyped-call]
    return types.int64(entries, place, place, pair, place, gathered, place), generate


def _declared(builder: Any, name: str, kind: Any) -> Any:
    """One of LLVM's own functions, declared once a module."""
    return builder.module.globals.get(name) or ir.Function(builder.module, kind, name)


def _spread(builder: Any, value: Any) -> Any:
    """The same number in all lanes."""
    undefined = ir.Constant(_VECTOR, ir.Undefined)
    first = builder.insert_element(undefined, value, _NUMBER(0))
    return builder.shuffle_vector(first, undefined, ir.Constant(_VECTOR, [0] * LANES))


def _lanes_at(context: Any, builder: Any, kind: Any, array: Any, place: Any) -> Any:
    """Where the lanes from `place` on lie in memory."""
    data = context.make_array(kind)(context, builder, array).data
    return builder.bitcast(builder.gep(data, [place]), _VECTOR.as_pointer())


# ones(number) -> how many of its bits are set.
ones: Kernel = intrinsic(_ones)
# fetch(array, row): ask for the memory of a row ahead of its use; beyond the array it does nothing.
fetch: Kernel = intrinsic(_fetch)
# pick(entries, place, left, (tag, mask), most, gathered, count) -> how many it appends: of the
# `left` entries from `place` on, sixteen at most, those that differ from `tag` in at most `most`
# of the bits in `mask` go to `gathered` at `count`. All lanes are read and written: both arrays
# (uint32) need room for them.
pick: Kernel = intrinsic(_pick)


@compiled
def band_of(code: NDArray[np.uint64], first: int, width: int) -> int:
    """Bits `first` to `first + width` of a code as a number; width is from 1 to 63."""
    word, shift = first >> 6, np.uint64(first & 63)
    value = code[word] >> shift
    if (first & 63) + width > 64:
        value |= code[word + 1] << (np.uint64(64) - shift)
    return np.int64(value & ((np.uint64(1) << np.uint64(width)) - np.uint64(1)))  # type: ignore[return-value]  # Numba's int is NumPy's
