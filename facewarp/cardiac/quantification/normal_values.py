"""Published normal values of healthy adults, with their sources.

Strain depends on the software it is measured with: published means of healthy adults differ by more
than their standard deviations. Nothing here is a limit between health and disease.
"""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True)
class Normal:
    """A published value of healthy adults.

    Attributes:
        text: as the source gives it; men's and women's where there are two.
        source: number of the source in `SOURCES`.
    """

    text: str
    source: int


#: The sources, by number.
SOURCES: Final[dict[int, str]] = {
    1: (
        "Mean ± SD: N. Kawel-Boehm et al., Normal values for cardiovascular magnetic resonance in "
        "adults and children, J Cardiovasc Magn Reson 17:29, 2015, as given in Cardiovasc Diagn "
        "Ther 10:1918-1945, 2020, table 3. Whether papillary muscles count as cavity, as here, or "
        "as wall changes volumes and mass."
    ),
    2: (
        "Mean ± SD, papillary muscles counted as cavity, ages 45-74: S. E. Petersen et al., "
        "Reference ranges for cardiac structure and function using CMR in Caucasians from the UK "
        "Biobank population cohort, J Cardiovasc Magn Reson 19:18, 2017."
    ),
    3: (
        "Feature tracking, pooled mean of 18 studies and the 95 % confidence interval of that "
        "mean: H. Q. Vo, T. H. Marwick, K. Negishi, MRI-derived myocardial strain measures in "
        "normal subjects, JACC Cardiovasc Imaging 11:196-205, 2018. Single programs give healthy "
        "adults means from -17.6 % (PMC8128822) to -27.9 % (Sci Rep 9:3239, 2019) of "
        "circumferential strain: compare with values of the same program alone."
    ),
}

#: By the names used in reports.
NORMAL_VALUES: Final[dict[str, Normal]] = {
    "lv_edv_ml": Normal("160 ± 27 / 132 ± 23", 1),
    "lv_esv_ml": Normal("54 ± 14 / 44 ± 11", 1),
    "lv_sv_ml": Normal("108 ± 18 / 87 ± 15", 1),
    "lv_ef_percent": Normal("58 ± 5 / 61 ± 5", 2),
    "lv_mass_g": Normal("134 ± 21 / 98 ± 21", 1),
    "global_circumferential_percent": Normal("-23.0 (-24.3 to -21.7)", 3),
    "global_radial_percent": Normal("34.1 (28.5 to 39.7)", 3),
}
