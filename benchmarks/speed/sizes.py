"""The sizes of networks and statistics, as they follow from the configuration."""

from __future__ import annotations

from dataclasses import dataclass

from streamssl.config.root import Config

LEAKY_UNITS = 96


@dataclass(frozen=True, slots=True)
class Sizes:
    """The sizes that follow from the configuration."""

    channels: int
    window: int
    summary: int
    mixed: int
    hidden: int
    embedding: int
    features: tuple[int, ...]
    residuals: int

    @property
    def encoder(self) -> int:
        """Multiply-adds of one window's embedding."""
        flat = self.summary * self.mixed
        mixing = self.summary * self.channels * self.mixed if self.mixed < self.channels else 0
        layers = flat * self.hidden + self.hidden * self.embedding + flat * self.embedding
        return mixing + layers

    @property
    def decoder(self) -> int:
        """Multiply-adds of the whole decoder, which only training needs."""
        return self.embedding * self.summary * self.channels

    @property
    def values(self) -> int:
        """Values of one window."""
        return self.window * self.channels


def sizes_of(config: Config, num_channels: int) -> Sizes:
    """Sizes of the networks and of the statistics' vectors."""
    # Here, because the rooms below load torch.
    from streamssl.modalities.sensor.encoder import MAX_CHANNELS, block_sizes
    from streamssl.modalities.sensor.vectors import AVERAGED_VALUES, num_lags

    most = config.scorers.gaussian.max_features
    averaged = min(most, (2 + max(1, AVERAGED_VALUES // num_channels)) * num_channels)
    lagged = min(most, num_lags(num_channels) * num_channels)
    return Sizes(
        channels=num_channels,
        window=config.modality.window,
        summary=len(block_sizes(config.modality.window, num_channels)),
        mixed=min(num_channels, MAX_CHANNELS),
        hidden=config.learner.hidden,
        embedding=config.learner.embedding,
        features=(averaged, lagged, LEAKY_UNITS, lagged),
        residuals=(3 if config.scorers.residual.next_step else 2) * num_channels,
    )
