"""Small matrices agree with LAPACK."""

from __future__ import annotations

import numpy as np
import pytest

from mien.engine.utils.matrices import determinant


def test_a_determinant_is_that_of_lapack_and_keeps_its_sign() -> None:
    random = np.random.default_rng(0)
    for matrix in random.normal(size=(20, 3, 3)):
        assert determinant(matrix) == pytest.approx(np.linalg.det(matrix), abs=1e-12)
        assert determinant(matrix[::-1]) == pytest.approx(-determinant(matrix), abs=1e-12)
