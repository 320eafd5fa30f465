"""What the leaky units of a sensor's core say is shared out to its channels."""

from __future__ import annotations

import numpy as np

from streamssl.modalities.sensor.explanation import channels_of_units

GENERATOR = np.random.default_rng(12)


def test_what_leaky_units_explain_is_shared_out_by_their_inputs() -> None:
    """Each unit's contribution goes to the channels by |z W|, nothing is lost; bits stay."""
    z_AC, weight_CH = GENERATOR.normal(size=(40, 3)), GENERATOR.normal(size=(3, 4))
    contribution_AH = GENERATOR.uniform(size=(40, 4))
    found_AC = channels_of_units(contribution_AH, z_AC, weight_CH)
    np.testing.assert_allclose(found_AC.sum(1), contribution_AH.sum(1))
    share_CH = np.abs(z_AC[7, :, None] * weight_CH)
    np.testing.assert_allclose(found_AC[7], (share_CH / share_CH.sum(0)) @ contribution_AH[7])
    alone = channels_of_units(contribution_AH[7:8], z_AC[7:8], weight_CH)
    np.testing.assert_array_equal(found_AC[7:8], alone)
