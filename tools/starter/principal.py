"""An encoder that needs no training: principal components of 8x8 patches, written into AutoencoderTiny.

Without residual blocks the encoder is a chain of linear convolutions: the first copies the colours, two
strided ones move 2x2 pixels into channels (3 -> 12 -> 48), the third projects on components and the last
scales them. A linear encoder keeps edits local, makes latent previews nearly exact, and leaves all
training time to the decoder and the UNet.
"""

import numpy as np
import torch

POWER = 0.4  # latent std of a component grows as its pixel std to this power (1 none, 0 full whitening)
SPREAD = 0.8  # root mean square of the latent std over channels


def components(images: torch.Tensor, channels: int):
    """Mean [192], components [192, C] and their std [C] of 8x8 patches, pixels in [0, 1], order (row, column, RGB)."""
    x = images[:: max(1, len(images) // 1500)].float().numpy() / 255.0
    n, c, h, w = x.shape
    patches = x.reshape(n, c, h // 8, 8, w // 8, 8).transpose(0, 2, 4, 3, 5, 1).reshape(-1, 192)
    mean = patches.mean(0)
    values, vectors = np.linalg.eigh(np.cov((patches - mean).T))
    vectors, values = vectors[:, ::-1][:, :channels], values[::-1][:channels]
    vectors = vectors * np.sign(vectors.sum(0) + 1e-9)
    return mean, vectors, np.sqrt(values)


@torch.no_grad()
def set_encoder(vae: torch.nn.Module, images: torch.Tensor) -> None:
    """Write the components of uint8 images [N, 3, S, S] into the encoder's five convolutions."""
    first, down1, down2, down3, last = [m for m in vae.encoder.layers if isinstance(m, torch.nn.Conv2d)]
    mean, vectors, std = components(images, last.out_channels)
    for layer in (first, down1, down2, down3, last):
        layer.weight.zero_()
        if layer.bias is not None:
            layer.bias.zero_()
    for colour in range(3):
        first.weight[colour, colour, 1, 1] = 1.0
    # Padding is 1, so output (i, j) of a strided layer sees input rows 2i - 1 .. 2i + 1; taps 1 and 2 are the pair.
    for layer, width in ((down1, 3), (down2, 12)):
        for dy in range(2):
            for dx in range(2):
                for k in range(width):
                    layer.weight[(dy * 2 + dx) * width + k, k, 1 + dy, 1 + dx] = 1.0
    target = std**POWER
    scale = target / np.sqrt((target**2).mean()) * SPREAD / std
    for y in range(8):
        for x in range(8):
            for colour in range(3):
                inner = (y % 2 * 2 + x % 2) * 3 + colour  # position after the first layer
                channel = ((y // 2 % 2) * 2 + x // 2 % 2) * 12 + inner
                for c in range(last.out_channels):
                    down3.weight[c, channel, 1 + y // 4, 1 + x // 4] = float(vectors[(y * 8 + x) * 3 + colour, c])
    for c in range(last.out_channels):
        last.weight[c, c, 1, 1] = float(scale[c])
        last.bias[c] = -float(scale[c] * (mean @ vectors[:, c]))
