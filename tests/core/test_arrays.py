import numpy as np
import pytest

from facewarp.core.arrays import PackedArrays


@pytest.fixture
def held(rng):
    """Arrays of very different size, and the same packed."""
    plain = rng.normal(size=(4, 3, 5, 6)).astype(np.float32)
    plain *= np.array([0, 1e-3, 1, 1e4], np.float32).reshape(4, 1, 1, 1)
    packed = PackedArrays(4, (3, 5, 6))
    for index, values in enumerate(plain):
        packed[index] = values
    return plain, packed


def test_each_array_is_rounded_by_half_a_step_of_its_own(held):
    plain, packed = held
    for one, found in zip(plain, packed, strict=True):
        assert found.dtype == np.float32
        most = 0.5001 * np.abs(one).max() / 32767
        np.testing.assert_allclose(found, one, rtol=1e-6, atol=float(most))
    assert not packed[0].any()


@pytest.mark.parametrize(
    "index", [2, -1, (3, 1), (slice(1, 3),), (slice(None), 0, slice(1, 4)), (1, slice(None), 2, 3)]
)
def test_it_is_read_as_the_array_that_it_stands_for(held, index):
    _, packed = held
    whole = np.asarray(packed)
    assert packed.shape == whole.shape == (4, 3, 5, 6)
    assert len(packed) == 4
    np.testing.assert_array_equal(packed[index], whole[index])
    np.testing.assert_array_equal(np.asarray(packed, dtype=np.float64), whole)


def test_what_was_never_written_is_zero_and_can_be_written_again():
    packed = PackedArrays(2, (3,))
    assert not np.asarray(packed).any()
    packed[1] = np.array([1.0, -2.0, 0.5])
    packed[1] = np.array([0.0, 0.0, -8.0])
    np.testing.assert_allclose(packed[1], [0, 0, -8], rtol=1e-6)
