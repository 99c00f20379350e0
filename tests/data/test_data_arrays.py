"""Arrays, archives, lists, torch datasets and ImageSet itself."""

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image

from entropix.data import DataError, ImageSet, read

REAL = hnp.boolean_dtypes() | hnp.integer_dtypes() | hnp.unsigned_integer_dtypes() | hnp.floating_dtypes()
SHAPES = st.tuples(*[st.integers(1, 4)] + [st.integers(2, 9)] * 2)


@given(array=st.tuples(REAL, SHAPES).flatmap(lambda pair: hnp.arrays(*pair)), size=st.integers(2, 12))
def test_any_real_array(array: np.ndarray, size: int) -> None:
    with np.errstate(over="ignore"):
        finite = np.isfinite(array.astype(np.float32))
    if not finite.all():
        with pytest.raises(DataError, match="values are NaN or infinite"):
            read(array, image_size=size)
        return
    images = read(array, image_size=size)
    assert images.pixels.shape == (len(array), 1, size, size)
    assert images.pixels.dtype == torch.float32
    assert torch.isfinite(images.pixels).all()
    assert images.names == [str(i) for i in range(len(array))]
    assert (images.labels == -1).all()
    scaled = images.scaled(images.value_range())
    assert scaled.min() >= 0
    assert scaled.max() <= 1
    natural = array.dtype in (bool, np.uint8) or (array.dtype.kind == "f" and array.min() >= 0 and array.max() <= 1)
    assert images.natural_scale == natural
    assert images.inferred_scale == (natural and array.dtype.kind == "f")


@pytest.mark.parametrize(
    ("shape", "channels"),
    [
        ((5, 9, 8), 1),
        ((5, 1, 9, 8), 1),
        ((5, 3, 9, 8), 3),
        ((5, 9, 8, 3), 3),
        ((5, 9, 8, 1), 1),
        ((5, 4, 9, 8), 4),
    ],
)
def test_axes(rng: np.random.Generator, shape: tuple[int, ...], channels: int) -> None:
    array = rng.random(shape)
    images = read(array, image_size=8)
    assert images.pixels.shape == (5, channels, 8, 8)
    assert images.sizes.tolist() == [[9, 8]] * 5
    first = array[0].transpose(2, 0, 1) if shape[-1] in (1, 3) else array[0].reshape(channels, 9, 8)
    np.testing.assert_allclose(images.pixels[0].mean((1, 2)), first.mean((1, 2)), atol=0.05)


@pytest.mark.parametrize("shape", [(9, 8), (9, 8, 3), (64,), (2, 2, 2, 9, 8), (2, 20, 9, 8), ()])
def test_wrong_axes(shape: tuple[int, ...]) -> None:
    with pytest.raises(DataError, match=r"of shape .*expected \(n, h, w\), \(n, c, h, w\) or \(n, h, w, 3\)"):
        read(np.zeros(shape))


@pytest.mark.parametrize("shape", [(0, 8, 8), (3, 1, 8), (3, 0, 8, 8), (3, 8, 0)])
def test_nothing_in_it(shape: tuple[int, ...]) -> None:
    with pytest.raises(DataError, match=r"holds no images|at least 2 x 2|expected"):
        read(np.zeros(shape))


@pytest.mark.parametrize("dtype", [complex, object, "U3", "datetime64[s]"])
def test_wrong_dtype(dtype: Any) -> None:
    with pytest.raises(DataError, match=r"dtype .*expected real numbers"):
        read(np.zeros((2, 4, 4), dtype=dtype))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64, torch.uint8, torch.bool, torch.int64])
def test_tensors(dtype: torch.dtype) -> None:
    tensor = torch.tensor([0, 1]).repeat(3, 5, 4).to(dtype)
    images = read(tensor.requires_grad_() if dtype.is_floating_point else tensor, image_size=8)
    factor = 255 if dtype == torch.uint8 else 1
    assert images.pixels.max() == pytest.approx(1 / factor)
    assert not images.pixels.requires_grad
    assert images.natural_scale == (dtype != torch.int64)
    with pytest.raises(DataError, match="complex64; expected real numbers"):
        read(tensor.detach().to(torch.complex64))


def test_batches_do_not_matter(rng: np.random.Generator) -> None:
    array = rng.integers(0, 256, (600, 9, 7), dtype=np.uint8)
    together = read(array, image_size=12).pixels
    apart = torch.cat([read(array[i : i + 1], image_size=12).pixels for i in range(0, 600, 37)])
    torch.testing.assert_close(together[::37], apart, rtol=0, atol=1e-6)


def test_nan_is_counted_and_named(rng: np.random.Generator) -> None:
    array = rng.random((300, 4, 4))
    array[7, 0, :3] = np.nan
    array[280, 1, 1] = np.inf
    with pytest.raises(DataError, match=r"2 unreadable: 7: 3 of its 16 values are NaN .*; 280: 1 of its 16"):
        read(array)
    images = read(array, skip_unreadable=True, image_size=4)
    assert len(images) == 298
    assert images.names[7] == "8"
    assert [name for name, _ in images.unreadable] == ["7", "280"]


def test_colour_array_of_equal_channels_is_grey(rng: np.random.Generator) -> None:
    grey = rng.integers(0, 60_000, (4, 8, 8))
    images = read(np.stack([grey] * 3, 1), image_size=8)
    assert images.pixels.shape == (4, 1, 8, 8)
    assert np.array_equal(images.pixels[:, 0].numpy(), grey.astype(np.float32))


def test_raw_values_are_scaled_by_the_training_set() -> None:
    train = read(np.array([[[0, 50], [100, 200]]]), image_size=2)
    test = read(np.array([[[-100, 0], [100, 400]]]), image_size=2)
    assert train.value_range() == (0, 200)
    assert test.scaled(train.value_range()).flatten().tolist() == [0, 0, 0.5, 1]
    assert [read(np.array([[[low, 1.0]] * 2])).natural_scale for low in (0.0, -0.5)] == [True, False]
    # raw test images under a model of natural ones: no scale can be known
    with pytest.raises(DataError, match="raw values from -100 to 400, but training images on"):
        test.scaled(None)
    # floats that happen to lie on [0, 1] follow the unit of the training images
    assert read(np.full((1, 4, 4), 0.5)).scaled((0.0, 2.0)).max() == 0.25
    with pytest.raises(DataError, match=r"8-bit, binary or windowed images, .* raw values from 0 to 2; give both in"):
        read(np.full((1, 4, 4), 255, np.uint8)).scaled((0.0, 2.0))
    assert read(np.full((1, 4, 4), 7)).scaled((7.0, 7.0)).max() == 0


def test_npy_and_npz(tmp_path: Path, rng: np.random.Generator) -> None:
    array = rng.integers(0, 256, (6, 8, 8), dtype=np.uint8)
    labels = np.array([[0], [1], [0], [1], [0], [0]])
    expected = read(array).pixels
    np.save(tmp_path / "a.npy", array)
    np.savez(tmp_path / "one.npz", anything=array)
    np.savez(tmp_path / "labels.npz", images=array, labels=labels)
    medmnist = {
        "train_images": array,
        "train_labels": labels,
        "test_images": array[:3],
        "test_labels": labels[:3],
    }
    np.savez(tmp_path / "medmnist.npz", **medmnist, val_images=array, val_labels=labels)
    for name in ("a.npy", "one.npz"):
        for split in ("train", "test"):
            images = read(tmp_path / name, split=split)
            assert torch.equal(images.pixels, expected)
            assert (images.labels == -1).all()
    for name, n_test in (("labels.npz", 6), ("medmnist.npz", 3)):
        train = read(tmp_path / name)
        assert train.names == ["0", "2", "4", "5"]
        assert torch.equal(train.pixels, expected[[0, 2, 4, 5]])
        test = read(tmp_path / name, split="test")
        assert test.labels.tolist() == labels[:n_test, 0].tolist()


@pytest.mark.parametrize("labels", [[0, 1, 2, 3], [5, 5, 5, 6], [0.5, 0, 0, 0], ["a", "b", "c", "d"]])
def test_more_than_two_classes(tmp_path: Path, labels: list[Any]) -> None:
    np.savez(tmp_path / "a.npz", images=np.zeros((4, 8, 8)), labels=np.array(labels))
    with pytest.raises(DataError, match=r"expected 0 = normal and 1 = abnormal.*labels = \(labels != normal"):
        read(tmp_path / "a.npz")


def test_bad_archives(tmp_path: Path) -> None:
    np.savez(tmp_path / "keys.npz", first=np.zeros((2, 8, 8)), second=np.zeros(2))
    with pytest.raises(DataError, match="holds the arrays first, second; expected one array, images"):
        read(tmp_path / "keys.npz")
    np.savez(tmp_path / "n.npz", images=np.zeros((2, 8, 8)), labels=np.zeros(3))
    with pytest.raises(DataError, match=r"labels of shape \(3,\) for 2 images"):
        read(tmp_path / "n.npz")
    np.savez(tmp_path / "sick.npz", images=np.zeros((2, 8, 8)), labels=np.ones(2))
    with pytest.raises(DataError, match="holds no images for split 'train'"):
        read(tmp_path / "sick.npz")
    (tmp_path / "text.npz").write_text("not an archive")
    (tmp_path / "empty.npy").write_bytes(b"")
    for name in ("text.npz", "empty.npy"):
        with pytest.raises(DataError, match="not an archive of arrays that can be read"):
            read(tmp_path / name)


class Bomb:
    def __reduce__(self) -> tuple[Any, ...]:
        return (pytest.fail, ("a pickle was loaded",))


@pytest.mark.parametrize("suffix", ["npy", "npz"])
def test_pickles_are_never_loaded(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a.{suffix}"
    objects = np.array([Bomb()], dtype=object)
    if suffix == "npy":
        np.save(path, objects, allow_pickle=True)
    else:
        np.savez(path, images=objects)
    with pytest.raises(DataError, match=r"not an archive of arrays that can be read \(ValueError"):
        read(path)


def test_list_of_images(rng: np.random.Generator) -> None:
    grey = rng.integers(0, 256, (9, 8), dtype=np.uint8)
    listed = [grey, torch.from_numpy(grey)[None], np.stack([grey] * 3, -1), Image.fromarray(grey), grey[:5]]
    images = read(listed, image_size=8)
    assert images.pixels.shape == (5, 1, 8, 8)
    assert images.sizes.tolist() == [[9, 8]] * 4 + [[5, 8]]
    for image in images.pixels[1:4]:
        torch.testing.assert_close(image, images.pixels[0])
    for wrong, message in (
        ([], "empty list"),
        ([grey, "a.png"], "item 1: str"),
        ([grey, grey[0]], "item 1: image"),
    ):
        with pytest.raises(DataError, match=message):
            read(wrong)
    with pytest.raises(DataError, match=r"item 0: .*dtype object"):
        read([np.array([[None, 1], [2, 3]])])


class Items(torch.utils.data.Dataset):
    def __init__(self, items: list[Any]) -> None:
        self.items = items

    def __len__(self) -> int:
        return len(self.items)

    def __getitem__(self, index: int) -> Any:
        return self.items[index]


def test_torch_dataset(rng: np.random.Generator) -> None:
    array = rng.random((4, 1, 8, 8), dtype=np.float32)
    labels = torch.tensor([0, 1, 0, 1])
    labelled = torch.utils.data.TensorDataset(torch.from_numpy(array), labels)
    assert read(labelled, image_size=8).names == ["0", "2"]
    test = read(labelled, split="test", image_size=8)
    assert test.labels.tolist() == [0, 1, 0, 1]
    assert np.array_equal(test.pixels.numpy(), array)
    assert len(read(Items(list(array)))) == 4
    assert read(Items([(Image.fromarray(np.zeros((8, 8), np.uint8)), 0)])).labels.tolist() == [0]
    with pytest.raises(DataError, match="item 1: labels with the classes 7"):
        read(Items([(array[0], 0), (array[1], 7)]))
    with pytest.raises(DataError, match="item 0: dict; expected an array"):
        read(Items([{"image": array[0]}]))
    with pytest.raises(DataError, match="no readable image"):
        read(Items([(array[0], 1)]))


@pytest.mark.parametrize("wrong", [3, None, {"images": 1}, io.BytesIO(b"")])
def test_other_types(wrong: Any) -> None:
    with pytest.raises(DataError, match="as data; expected a path, array, tensor"):
        read(wrong)


@pytest.mark.parametrize("wrong", [{"image_size": 1}, {"image_size": 64.0}, {"split": "val"}, {"channels": 0}])
def test_wrong_arguments(wrong: dict[str, Any]) -> None:
    (name,) = wrong
    with pytest.raises(DataError, match=f"{name}=.*expected"):
        read(np.zeros((2, 8, 8)), **wrong)
    assert issubclass(DataError, ValueError)


def test_image_set(tmp_path: Path, rng: np.random.Generator) -> None:
    array = rng.random((4, 8, 8))
    array[2] = 0.3
    np.savez(tmp_path / "a.npz", images=array, labels=np.array([0, 1, 0, 1]))
    images = read(tmp_path / "a.npz", split="test", image_size=8)
    assert images.constant().tolist() == [2]
    assert read(images, split="test", image_size=8) is images
    assert read(images, image_size=8).names == ["0", "2"]
    assert read(images, image_size=8, channels=3).pixels.shape == (2, 3, 8, 8)
    with pytest.raises(DataError, match="ImageSet of 8 x 8 pixels where image_size=64"):
        read(images)
    part = images.subset([3, 0])
    assert part.names == ["3", "0"]
    assert part.labels.tolist() == [1, 0]
    assert torch.equal(part.pixels, images.pixels[[3, 0]])
    assert images.subset(images.labels == 0).names == ["0", "2"]
    assert len(images.subset([])) == 0
    assert "4 images, 1 x 8 x 8, 2 normal, 2 abnormal" in repr(images)
    with pytest.raises(ValueError, match="n names"):
        ImageSet(images.pixels, ["a"], images.labels, ["a"], images.sizes, True)
