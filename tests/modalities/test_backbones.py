"""Promises of the backbones, and each against an independent computation of its recurrence.

B = events, T = steps, C = channels.
"""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from streamssl.modalities.sensor.backbones import BACKBONES, Backbone
from streamssl.modalities.sensor.backbones.gru import Gru
from streamssl.modalities.sensor.backbones.linear_recurrent import LinearRecurrent
from streamssl.modalities.sensor.backbones.mlp import Mlp
from streamssl.modalities.sensor.backbones.tcn import Tcn
from streamssl.modalities.sensor.backbones.transformer import PATCH, Transformer

HIDDEN, EMBEDDING = 16, 8
every_backbone = pytest.mark.parametrize("name", BACKBONES)


def make(name: str, num_channels: int = 3, window: int = 16) -> Backbone:
    torch.manual_seed(0)
    return BACKBONES[name](
        num_channels=num_channels, window=window, hidden=HIDDEN, embedding=EMBEDDING
    )


def windows(num_windows: int = 5, window: int = 16, num_channels: int = 3) -> Tensor:
    generator = torch.Generator().manual_seed(1)
    return torch.randn(num_windows, window, num_channels, generator=generator)


def embed(backbone: Backbone, x_BTC: Tensor) -> Tensor:
    embedding_BD: Tensor = backbone(backbone.summarise(x_BTC))
    return embedding_BD


@every_backbone
@pytest.mark.parametrize("window", [4, 5, 32, 50])
@pytest.mark.parametrize("num_channels", [1, 70])
def test_any_window_and_channels(name: str, window: int, num_channels: int) -> None:
    """Any size gives a finite embedding, an empty batch an empty one."""
    backbone = make(name, num_channels, window)
    for count in (0, 3):
        x_BTC = 5.0 * windows(count, window, num_channels).sign()
        given = embed(backbone, x_BTC)
        assert given.shape == (count, EMBEDDING)
        assert given.isfinite().all()


@every_backbone
def test_the_stem_is_what_it_says(name: str) -> None:
    """As many rows as `blocks` tells, the newest alone; shares rebuild the window's mean."""
    backbone, x_BTC = make(name), windows()
    stem_BSC = backbone.summarise(x_BTC)
    assert backbone.sizes == BACKBONES[name].blocks(16, 3)
    assert stem_BSC.shape[1] == len(backbone.sizes)
    assert torch.equal(stem_BSC[:, -1], x_BTC[:, -1])
    torch.testing.assert_close(backbone.share_S @ stem_BSC, x_BTC.mean(1))


@every_backbone
def test_every_row_and_channel_counts(name: str) -> None:
    """A change of any value of the window moves the embedding."""
    x_BTC = windows(1).requires_grad_()
    embed(make(name), x_BTC).square().sum().backward()  # type: ignore[no-untyped-call]
    assert x_BTC.grad is not None
    assert (x_BTC.grad.abs() > 0).all()


@every_backbone
def test_no_statistic_goes_across_the_batch(name: str) -> None:
    """An embedding is the same beside other windows, in training mode too."""
    backbone, x_BTC = make(name).train(), windows(6)
    changed_BTC = torch.cat([x_BTC[:3], 5 * windows(3)])
    assert torch.equal(embed(backbone, x_BTC)[:3], embed(backbone, changed_BTC)[:3])


@pytest.mark.parametrize("name", ["gru", "linear_recurrent", "transformer"])
def test_states_are_causal(name: str) -> None:
    """What comes later moves no state before it, and moves those from there on."""
    backbone, x_BTC = make(name), windows()
    assert isinstance(backbone, (Gru, LinearRecurrent, Transformer))
    changed_BTC = x_BTC.clone()
    changed_BTC[:, 9:] += 1.0
    before, after = backbone.states(x_BTC), backbone.states(changed_BTC)
    first = 9 // PATCH if name == "transformer" else 9
    torch.testing.assert_close(before[:, :first], after[:, :first])
    assert ((before - after)[:, first:].abs().amax((0, 2)) > 0).all()


def test_tcn_is_a_causal_dilated_convolution() -> None:
    """The newest step of torch's convolutions, padded before the window only."""
    backbone, x_BTC = make("tcn"), windows()
    assert isinstance(backbone, Tcn)
    h_BHT = backbone.input(x_BTC).transpose(1, 2)
    for number, level in enumerate(backbone.levels):
        assert isinstance(level, nn.Linear)
        taps = level.weight.reshape(HIDDEN, 2, HIDDEN).transpose(1, 2)
        padded = nn.functional.pad(h_BHT, (2**number, 0))
        mixed = nn.functional.conv1d(padded, taps, level.bias, dilation=2**number)
        h_BHT = h_BHT + nn.functional.gelu(mixed)
    torch.testing.assert_close(backbone(x_BTC), backbone.output(h_BHT[:, :, -1]))


def test_gru_is_torchs() -> None:
    """The states of `torch.nn.GRU` with the same weights."""
    backbone, x_BTC = make("gru"), windows()
    assert isinstance(backbone, Gru)
    theirs = nn.GRU(3, HIDDEN, batch_first=True)
    theirs.load_state_dict(
        {
            "weight_ih_l0": backbone.input.weight,
            "weight_hh_l0": backbone.recurrent.weight,
            "bias_ih_l0": backbone.input.bias,
            "bias_hh_l0": backbone.recurrent.bias,
        }
    )
    torch.testing.assert_close(backbone.states(x_BTC), theirs(x_BTC)[0])


def test_linear_recurrent_against_numpy() -> None:
    """s_T = Σ λ^(T-1-t) γ B x_t in complex numbers of NumPy, and the read-out of its parts."""
    backbone, x_BTC = make("linear_recurrent").double(), windows().double()
    assert isinstance(backbone, LinearRecurrent)
    weights = {name: p.detach().numpy() for name, p in backbone.named_parameters()}
    exponent = -np.exp(weights["log_decay_H"]) + 1j * np.exp(weights["log_phase_H"])
    drive = weights["input.weight"][:HIDDEN] + 1j * weights["input.weight"][HIDDEN:]
    drive = drive * np.sqrt(1 - np.abs(np.exp(exponent)) ** 2)[:, None]
    power_TH = np.exp(np.arange(15, -1, -1)[:, None] * exponent)
    state = np.einsum("th,hc,btc->bh", power_TH, drive, x_BTC.numpy())
    parts = torch.from_numpy(np.concatenate([state.real, state.imag], 1))
    torch.testing.assert_close(backbone.states(x_BTC)[:, -1], parts)
    hidden = nn.functional.gelu(backbone.mixed(parts) + backbone.skip(x_BTC[:, -1]))
    torch.testing.assert_close(backbone(x_BTC), backbone.output(hidden))


def test_transformer_is_torchs() -> None:
    """Torch's encoder layers with the same weights, masked, over the same patches."""
    backbone, x_BTC = make("transformer").double(), windows().double()
    assert isinstance(backbone, Transformer)
    x_BNH = backbone.input(x_BTC.reshape(5, 4, PATCH * 3)) + backbone.place_NH
    mask = nn.Transformer.generate_square_subsequent_mask(4, dtype=torch.float64)
    for block in backbone.blocks_of_attention:
        mine = {name: p.detach() for name, p in block.named_parameters()}
        state = {
            "self_attn.in_proj_weight": torch.cat([mine["query.weight"], mine["key_value.weight"]]),
            "self_attn.in_proj_bias": torch.cat([mine["query.bias"], mine["key_value.bias"]]),
        }
        for ours, theirs in {
            "attended": "self_attn.out_proj",
            "layers.0": "linear1",
            "layers.2": "linear2",
            "before_attention": "norm1",
            "before_layers": "norm2",
        }.items():
            state |= {f"{theirs}.{w}": mine[f"{ours}.{w}"] for w in ("weight", "bias")}
        layer = nn.TransformerEncoderLayer(
            HIDDEN, 1, 2 * HIDDEN, 0.0, "gelu", batch_first=True, norm_first=True
        ).double()
        layer.load_state_dict(state)
        x_BNH = layer(x_BNH, src_mask=mask)
    torch.testing.assert_close(backbone.states(x_BTC), x_BNH)
    torch.testing.assert_close(backbone(x_BTC), backbone.output(backbone.norm(x_BNH[:, -1])))


def test_mlp_against_numpy() -> None:
    """Three layers over every value of the window."""
    backbone, x_BTC = make("mlp").double(), windows().double()
    assert isinstance(backbone, Mlp)
    x = x_BTC.reshape(5, -1).numpy()
    for number in (0, 2, 4):
        layer = backbone.layers[number]
        assert isinstance(layer, nn.Linear)
        x = x @ layer.weight.detach().numpy().T + layer.bias.detach().numpy()
        if number < 4:
            x = x * torch.special.ndtr(torch.from_numpy(x)).numpy()
    np.testing.assert_allclose(backbone(x_BTC).detach().numpy(), x, rtol=1e-10)
