"""Several autoencoders that differ in the size of their codes, computed as one network."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.func import functional_call, vmap

from entropix.models._autoencoder import Autoencoder


class Stack(nn.Module):
    """Autoencoders of one number of channels and image size. A GPU takes little longer for them than for one.

    Codes are padded to the longest by latents whose weights are zero. Such a latent is zero, so the gradients of its
    weights are, and Adam leaves them at zero: each autoencoder trains as it would alone, up to rounding.
    """

    def __init__(self, models: Sequence[Autoencoder]) -> None:
        super().__init__()
        self.latent_dims = [model.latent_dim for model in models]
        # the shape of all; its own weights are never used, and it is in a tuple to be no part of this module
        self.template = (Autoencoder(max(self.latent_dims), models[0].channels, models[0].image_size),)
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
        """Reconstructions (models, n, c, s, s) of images (n, c, s, s)."""
        template = self.template[0].train(self.training)
        state = {name: getattr(self, _flat(name)) for name in self.names}
        return vmap(lambda state: functional_call(template, state, (x,)))(state)

    def models(self) -> list[Autoencoder]:
        """The autoencoders as they are now, each by itself (weights copied)."""
        cut = []
        for i, d in enumerate(self.latent_dims):
            state = {name: getattr(self, _flat(name))[i].detach() for name in self.names}
            model = Autoencoder(d, self.template[0].channels, self.template[0].image_size)
            own = model.to(state["to_code.weight"]).state_dict()
            model.load_state_dict({name: _cut(tensor, own[name].shape) for name, tensor in state.items()})
            cut.append(model.train(self.training))
        return cut


def _flat(name: str) -> str:
    """A name that may be registered."""
    return name.replace(".", "/")


def _padded(tensor: Tensor, shape: torch.Size) -> Tensor:
    padded = tensor.new_zeros(shape)
    _cut(padded, tensor.shape).copy_(tensor)
    return padded


def _cut(tensor: Tensor, shape: torch.Size) -> Tensor:
    return tensor[tuple(slice(size) for size in shape)]
