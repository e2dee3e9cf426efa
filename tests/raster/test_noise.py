from __future__ import annotations

import hashlib

import numpy as np
from oracles.perlin import pnoise1

from fdsl.raster.noise import fill_perlin

# values of `noise.pnoise1` of the package noise 1.2.2, built from its source
GOLDEN = {
    0.0: 0.0,
    0.25: 0.6861328482627869,
    0.5: 0.699999988079071,
    1.75: 0.12070312350988388,
    3.999: 0.0004000663757324219,
    17.3: 0.13685397803783417,
    255.5: -0.30000001192092896,
    256.25: 0.6861328482627869,
    1023.9: -0.30178776383399963,
    1024.4: 0.797483503818512,
    5000.125: 0.321908563375473,
    9999.99: 0.003913498017936945,
}


def noise(x):
    x = np.asarray(x, np.float32)
    values = np.empty_like(x)
    fill_perlin(x, values)
    return values


def test_values_of_the_package():
    assert noise(list(GOLDEN)).tolist() == list(GOLDEN.values())


def test_a_hundred_thousand_values_of_the_package():
    x = (np.arange(100_000) * 0.09999 + 0.003).astype(np.float32)
    digest = hashlib.sha256(noise(x).tobytes()).hexdigest()
    assert digest == "276d5037a4973b6e9e4048635f8e6546f26d2b5dc3086bb8f06e26e9924b65b9"


def test_equals_the_oracle():
    x = np.random.default_rng(0).uniform(0, 10_000, 500).astype(np.float32)
    assert noise(x).tolist() == [pnoise1(v) for v in x]


def test_law_of_uniform_arguments():
    values = noise(np.random.default_rng(0).uniform(0, 10_000, 400_000))
    assert abs(values.mean()) < 0.003
    assert abs(values.std() - 0.3288) < 0.002
    assert np.abs(values).max() < 0.953
