import numpy as np
import pytest

from facewarp.media.gamut import CHROMATICITIES, gamut_matrix, matrix_between

AP1 = (0.713, 0.293, 0.165, 0.830, 0.128, 0.044, 0.32168, 0.33767)


@pytest.mark.parametrize("primaries", CHROMATICITIES)
def test_white_stays_white(primaries):
    assert gamut_matrix(primaries, 1).sum(1) == pytest.approx([1, 1, 1], abs=1e-6)


def test_matrices_are_those_published():
    display_p3 = [[1.2249, -0.2247, 0], [-0.0420, 1.0419, 0], [-0.0197, -0.0786, 1.0979]]
    assert gamut_matrix(12, 1) == pytest.approx(np.array(display_p3), abs=5e-4)
    bt2020 = [[1.6605, -0.5876, -0.0728], [-0.1246, 1.1329, -0.0083], [-0.0182, -0.1006, 1.1187]]
    assert gamut_matrix(9, 1) == pytest.approx(np.array(bt2020), abs=5e-4)
    acescg = [[1.7051, -0.6218, -0.0833], [-0.1303, 1.1408, -0.0105], [-0.0240, -0.1290, 1.1530]]
    assert matrix_between(AP1, CHROMATICITIES[1]) == pytest.approx(np.array(acescg), abs=5e-4)


def test_primaries_on_a_line_are_refused():
    with pytest.raises(np.linalg.LinAlgError):
        matrix_between((0.2, 0.2, 0.3, 0.3, 0.4, 0.4, 0.3127, 0.329), CHROMATICITIES[1])
