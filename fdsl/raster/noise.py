"""One-dimensional Perlin noise, to the bit as `pnoise1` of the Python package noise 1.2.2 gives it
(one octave, single precision).
"""

from __future__ import annotations

import numpy as np

from fdsl.raster import inlined, kernel

# Ken Perlin's permutation, "Improving noise", SIGGRAPH 2002.
_PERMUTATION = """
    151 160 137 91 90 15 131 13 201 95 96 53 194 233 7 225 140 36 103 30 69 142 8 99 37 240 21 10 23
    190 6 148 247 120 234 75 0 26 197 62 94 252 219 203 117 35 11 32 57 177 33 88 237 149 56 87 174
    20 125 136 171 168 68 175 74 165 71 134 139 48 27 166 77 146 158 231 83 111 229 122 60 211 133
    230 220 105 92 41 55 46 245 40 244 102 143 54 65 25 63 161 1 216 80 73 209 76 132 187 208 89 18
    169 200 196 135 130 116 188 159 86 164 100 109 198 173 186 3 64 52 217 226 250 124 123 5 202 38
    147 118 126 255 82 85 212 207 206 59 227 47 16 58 17 182 189 28 42 223 183 170 213 119 248 152 2
    44 154 163 70 221 153 101 155 167 43 172 9 129 22 39 253 19 98 108 110 79 113 224 232 178 185
    112 104 218 246 97 228 251 34 242 193 238 210 144 12 191 179 162 241 81 51 145 235 249 14 239
    107 49 192 214 31 181 199 106 157 184 84 204 176 115 121 50 45 127 4 150 254 138 236 205 93 222
    114 67 29 24 72 243 141 128 195 78 66 215 61 156 180
"""
PERMUTATION = np.array(_PERMUTATION.split(), np.uint8)

# The package gives every hash with bit 3 the slope -1; slopes of both signs up to 8 would be the
# textbook's choice. Slope i stands at [i], its right neighbour's at [i + 1].
SLOPES = np.where(PERMUTATION & 8, -1, (PERMUTATION & 7) + 1.0).astype(np.float32)
SLOPES = np.append(SLOPES, SLOPES[0])

_ONE, _SIX, _TEN, _FIFTEEN, _GAIN = (np.float32(v) for v in (1, 6, 10, 15, 0.4))


@inlined
def perlin(x):
    """Noise at a float32 >= 0; period 256, within ±0.96, standard deviation 0.329 for uniform
    arguments.
    """
    cell = np.int32(x)
    t = x - np.float32(cell)
    left = SLOPES[cell & 255] * t
    right = SLOPES[(cell & 255) + 1] * (t - _ONE)
    fade = t * t * t * (t * (t * _SIX - _FIFTEEN) + _TEN)
    return (left + fade * (right - left)) * _GAIN


@kernel("void(f4[::1], f4[::1])")
def fill_perlin(x, values):
    """Fill `values` (n,) with the noise at `x` (n,) >= 0."""
    for i in range(x.size):
        values[i] = perlin(x[i])
