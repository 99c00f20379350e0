"""Reconstruction error per image and as a map, against plain torch in float64."""

import pytest
import torch
from helpers import DEVICES
from torch import Tensor

from entropix.ops import reconstruction_error

DTYPES = [torch.float16, torch.bfloat16, torch.float32, torch.float64]
SHAPES = [(1,), (7,), (16,), (17,), (3, 5, 17), (1, 64, 64), (1031,)]


def plain(x: Tensor, x_hat: Tensor, weight: Tensor | None, mask: Tensor | None) -> tuple[Tensor, Tensor]:
    keep = torch.ones(x.shape, dtype=torch.float64) if mask is None else mask.expand(x.shape).double()
    energy = (x.double() - x_hat.double()).square() * keep * (1 if weight is None else weight.double())
    return energy.flatten(1).sum(1) / keep.flatten(1).sum(1), energy


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_agrees_with_plain_torch(shape: tuple[int, ...], dtype: torch.dtype, device: str) -> None:
    x, x_hat = torch.randn(2, 4, *shape).to(dtype)
    rtol = 1e-12 if dtype == torch.float64 else 2e-6
    shared_mask = torch.rand(shape) > 0.4
    for weight in (None, torch.rand(shape).double(), torch.rand(4, *shape).double()):
        weight = weight.float() if weight is not None and dtype != torch.float64 else weight
        for mask in (None, shared_mask, torch.rand(4, *shape) > 0.4):
            inputs = [t if t is None else t.to(device) for t in (x, x_hat, weight, mask)]
            error, energy = reconstruction_error(*inputs, map=True)
            expected_error, expected_energy = plain(x, x_hat, weight, mask)
            torch.testing.assert_close(energy.double().cpu(), expected_energy, rtol=rtol, atol=0)
            torch.testing.assert_close(error.double().cpu(), expected_error, rtol=rtol, atol=0, equal_nan=True)
            assert torch.equal(reconstruction_error(*inputs).nan_to_num(), error.nan_to_num())


@pytest.mark.parametrize("device", DEVICES)
def test_is_the_mean_squared_error(device: str) -> None:
    x, x_hat = torch.randn(2, 300, 1, 32, 32, device=device)
    expected = torch.nn.functional.mse_loss(x, x_hat, reduction="none").flatten(1).mean(1)
    torch.testing.assert_close(reconstruction_error(x, x_hat), expected, rtol=1e-6, atol=0)


@pytest.mark.parametrize("device", DEVICES)
def test_every_half_is_read_right(device: str) -> None:
    for dtype in (torch.float16, torch.bfloat16):
        x = torch.arange(2**16).to(torch.int16).view(dtype)[:, None].to(device)
        _, energy = reconstruction_error(x, torch.zeros_like(x), map=True)
        torch.testing.assert_close(energy, x.float().square(), rtol=0, atol=0, equal_nan=True)


@pytest.mark.parametrize("device", DEVICES)
def test_edges(device: str) -> None:
    x = torch.rand(3, 40, device=device)
    nothing = torch.zeros(40, dtype=torch.bool, device=device)
    assert reconstruction_error(x, x, mask=nothing).isnan().all()
    assert reconstruction_error(x[:0], x[:0]).shape == (0,)
    broken = x.clone()
    broken[1, 5] = torch.nan
    assert reconstruction_error(x, broken).isnan().tolist() == [False, True, False]
    hidden = torch.ones(40, dtype=torch.bool, device=device)
    hidden[5] = False
    assert not reconstruction_error(x, broken, mask=hidden).isnan().any()
    transposed = torch.rand(40, 3, device=device).T
    assert torch.equal(reconstruction_error(x, transposed), reconstruction_error(x, transposed.contiguous()))


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("per_image", [False, True])
def test_gradients(per_image: bool, device: str) -> None:
    options = {"dtype": torch.float64, "device": device}
    x, x_hat = (torch.randn(3, 2, 4, **options, requires_grad=True) for _ in range(2))
    shape = (3, 2, 4) if per_image else (2, 4)
    weight = torch.rand(shape, **options, requires_grad=True)
    mask = torch.rand(shape, device=device) > 0.3
    mask[..., 0] = True
    inputs = (x, x_hat, weight)
    assert torch.autograd.gradcheck(reconstruction_error, inputs[:2])
    assert torch.autograd.gradcheck(lambda *i: reconstruction_error(*i, mask, map=True), inputs)
    assert torch.autograd.gradgradcheck(lambda *i: reconstruction_error(*i, mask), inputs)
    half = torch.randn(3, 8, device=device, dtype=torch.bfloat16, requires_grad=True)
    reconstruction_error(half, half.detach() + 1).sum().backward()
    assert half.grad.dtype == torch.bfloat16
    torch.testing.assert_close(half.grad, torch.full_like(half, -2 / 8))


@pytest.mark.parametrize("device", DEVICES)
def test_opcheck_and_compile(device: str) -> None:
    x, x_hat = (torch.randn(3, 6, device=device, requires_grad=True) for _ in range(2))
    op = torch.ops.entropix.reconstruction_error
    torch.library.opcheck(op, (x, x_hat, None, None, False))
    torch.library.opcheck(op, (x, x_hat, torch.rand(6, device=device), torch.ones(6, device=device) > 0, True))
    compiled = torch.compile(lambda a, b: reconstruction_error(a, b).sum(), fullgraph=True, backend="aot_eager")
    torch.testing.assert_close(compiled(x, x_hat), reconstruction_error(x, x_hat).sum())


@pytest.mark.gpu
def test_few_large_images_on_cuda() -> None:
    x, x_hat = torch.randn(2, 3, 1_000_003, device="cuda")
    expected = (x.double() - x_hat.double()).square().mean(1)
    torch.testing.assert_close(reconstruction_error(x, x_hat).double(), expected, rtol=1e-6, atol=0)


@pytest.mark.slow
@pytest.mark.parametrize("device", DEVICES)
def test_offsets_beyond_32_bits(device: str) -> None:
    p = 2**31 + 5
    x = torch.zeros(1, p, dtype=torch.float16, device=device)
    x[0, -1] = 4
    error = reconstruction_error(x, torch.zeros(1, p, dtype=torch.float16, device=device))
    torch.testing.assert_close(error.cpu(), torch.tensor([16 / p]))


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda x: reconstruction_error(x, None), TypeError, "x_hat must be a torch.Tensor, got NoneType"),
        (lambda x: reconstruction_error(x, x.double()), TypeError, "got torch.float32 and torch.float64"),
        (lambda x: reconstruction_error(x, x[:1]), ValueError, r"got \(3, 4\) and \(1, 4\)"),
        (
            lambda x: reconstruction_error(x, x, x[0, :2]),
            ValueError,
            r"weight must have the shape of one image, \(4,\)",
        ),
        (lambda x: reconstruction_error(x, x, mask=x), TypeError, "mask must be bool, got torch.float32"),
        (lambda x: reconstruction_error(x, x, (x > 0)), TypeError, "weight must be floating point, got torch.bool"),
        (lambda x: reconstruction_error(x, x.to("meta")), ValueError, "device of x, cpu, got meta"),
    ],
)
def test_errors(call, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        call(torch.ones(3, 4))
