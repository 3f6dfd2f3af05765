from __future__ import annotations

import pytest

pytest.importorskip("keras")

from ablate.keras.fitting import fitting_data
from ablate.keras.preflight import check

pytestmark = pytest.mark.keras


def test_the_input_shape_of_the_model_wins(tiny):
    data, notes = fitting_data(tiny(model={"input_shape": [12, 10, 3]}))
    assert data.input_shape == (12, 10, 3)
    assert notes == ()
    answer = check([tiny(model={"input_shape": [12, 10, 3]})])[0]
    assert (answer["error"], answer["input_shape"]) == (None, (12, 10, 3))


@pytest.mark.parametrize(("network", "least"), [("MobileNetV2", 32), ("Xception", 71), ("NoSuchNet", 8)])
def test_images_too_small_for_an_application_are_enlarged_and_that_is_told(tiny, network, least):
    config = {**tiny(), "model": {"name": "application", "network": network}}
    data, notes = fitting_data(config)
    assert data.input_shape == (least, least, 1)
    told = f"The images of 'digits' are enlarged from 8x8 to {least}x{least} pixels, the least that {network} takes; "
    expected = (told + "data.size or model.input_shape chooses another size.",) if least > 8 else ()
    assert notes == expected


def test_images_that_are_large_enough_stay(tiny):
    config = {**tiny(data={"size": [40, 33]}), "model": {"name": "application", "network": "MobileNetV2"}}
    data, notes = fitting_data(config)
    assert (data.input_shape, notes) == ((40, 33, 1), ())
