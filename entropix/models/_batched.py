"""Several autoencoders that differ in the size of their codes, computed as one network."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.func import functional_call, vmap

from entropix._utils import seeded
from entropix.models._base import ImageAutoencoder


class BatchedAutoencoders(nn.Module):
    """Several autoencoders as one network, for which a GPU takes little longer than for one of them.

    Codes are padded to the longest by latents whose weights are zero. Such a latent is zero, so the gradients of its
    weights are zero, and Adam leaves them there: each autoencoder trains as it would alone, up to rounding.

    Args:
        models: autoencoders of one architecture, number of channels and image size.
    """

    def __init__(self, models: Sequence[ImageAutoencoder]) -> None:
        super().__init__()
        self.latent_dims = [model.latent_dim for model in models]
        # it gives the shapes, its weights are never used; in a tuple it does not become a part of this module
        self.template = (_like(models[0], max(self.latent_dims)),)
        shapes = {name: tensor.shape for name, tensor in self.template[0].state_dict().items()}
        states = [model.state_dict() for model in models]
        trainable = dict(self.template[0].named_parameters())
        for name, shape in shapes.items():
            stacked = torch.stack([_padded(state[name], shape) for state in states])
            if name in trainable:
                self.register_parameter(_flat(name), nn.Parameter(stacked))
            else:
                self.register_buffer(_flat(name), stacked)
        self.names = list(shapes)

    def forward(self, x: Tensor) -> Tensor:
        """Return the reconstructions (models, n, c, s, s) of images x (n, c, s, s)."""
        template = self.template[0].train(self.training)
        state = {name: getattr(self, _flat(name)) for name in self.names}
        return vmap(lambda state: functional_call(template, state, (x,)))(state)

    def models(self) -> list[ImageAutoencoder]:
        """Return the autoencoders as they are now, each by itself (weights copied)."""
        cut = []
        for i, d in enumerate(self.latent_dims):
            state = {name: getattr(self, _flat(name))[i].detach() for name in self.names}
            model = _like(self.template[0], d)
            own = model.to(state["to_code.weight"]).state_dict()
            model.load_state_dict({name: _cut(tensor, own[name].shape) for name, tensor in state.items()})
            cut.append(model.train(self.training))
        return cut


def _like(model: ImageAutoencoder, latent_dim: int) -> ImageAutoencoder:
    """A new autoencoder that differs in the size of the code."""
    with seeded(0):  # the caller's random numbers stay as they are
        return type(model)(**model.config | {"latent_dim": latent_dim})


def _flat(name: str) -> str:
    """A name that a parameter may have: without dots."""
    return name.replace(".", "/")


def _padded(tensor: Tensor, shape: torch.Size) -> Tensor:
    padded = tensor.new_zeros(shape)
    _cut(padded, tensor.shape).copy_(tensor)
    return padded


def _cut(tensor: Tensor, shape: torch.Size) -> Tensor:
    return tensor[tuple(slice(size) for size in shape)]
