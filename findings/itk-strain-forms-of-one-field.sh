#!/usr/bin/env bash
# Three strains of one displacement field by ITK's StrainImageFilter (itk-strain 1.0.1, ITK 5.4.7): infinitesimal,
# Green-Lagrange, Euler-Almansi.
#
# One would guess: the same motion seen in three measures: a wall that becomes 1.5 times as thick is 0.5, 0.625, and
# by Almansi (1 - 1 / 1.5^2) / 2 = 0.278.
# What happens: Almansi is 0.375. The form takes the field for one that lives on the deformed grid and points away
# from the rest, and the same field is used for both, though it is displacements at rest for Green and Lagrange.
# Thickening by 100 % is 0.5 instead of 0.375, threefold is 0 and beyond that negative; a shortening to 0.8 is -0.22,
# not -0.28. What a registration gives for the deformed image (its own grid, pointing back to rest) goes in with its
# sign turned: minus that field by EULERIANALMANSI is 0.278, and so is minus the Green-Lagrange strain of it.
# What follows: strains of both names out of one field belong to two motions. Which grid a field lives on, and which
# way it points, has to be said to no one here: try a stretch that is known. Ours tells stretches of wall tissue from
# rest (1 + e).
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q "itk-strain==1.0.1" "itk==5.4.7" "numpy==2.4.6"
"$work/venv/bin/python" - <<'PY'
import itk
import numpy as np

FIELD = itk.Image[itk.Vector[itk.D, 3], 3]
FORMS = ("infinitesimal", "Green-Lagrange", "Euler-Almansi")
SPACING = 2.0


def strains(slope):
    """xx of the three forms of a field that grows by `slope` a mm along x."""
    image = FIELD.New()
    image.SetRegions([9, 9, 9])
    image.Allocate()
    image.SetSpacing([SPACING, 2.0, 8.0])
    vectors = itk.array_view_from_image(image)
    vectors[:] = 0
    vectors[..., 0] = slope * SPACING * np.arange(9)
    found = []
    for form in range(3):
        strain = itk.StrainImageFilter[FIELD, itk.D, itk.D].New(Input=image)
        strain.SetStrainForm(form)
        strain.Update()
        found.append(itk.array_from_image(strain.GetOutput())[4, 4, 4, 0])
    return found


print("ITK", itk.Version.GetITKVersion())
names = (*FORMS, "true Almansi", "of minus the way back")
print(f"{'stretch':8}", *(f"{name:>16}" for name in names))
for stretch in (0.8, 1.5, 2.0, 3.0, 3.5):
    told = strains(stretch - 1)
    true = (1 - 1 / stretch**2) / 2
    back = 1 / stretch - 1  # the field that lives on the deformed grid and points to rest
    right = strains(-back)[2]
    print(f"{stretch:8}", *(f"{value:16.3f}" for value in told), f"{true:15.3f} {right:15.3f}")
    assert np.allclose(told[:2], (stretch - 1, (stretch**2 - 1) / 2), atol=1e-6)
    assert np.isclose(told[2], (stretch - 1) - (stretch - 1) ** 2 / 2, atol=1e-6)
    assert abs(told[2] - true) > 0.05
    assert np.isclose(right, true, atol=1e-6) and np.isclose(strains(back)[1], -true, atol=1e-6)
PY
