"""Small calls of every CUDA kernel and variant, for compute-sanitizer; results are compared with the CPU's."""

from concurrent.futures import ThreadPoolExecutor

import torch

from entropix.ops import count_within, knn, prefix_knn, reconstruction_error

torch.manual_seed(0)
for dtype in (torch.float32, torch.float64):
    for n, d, k in ((5, 1, 4), (33, 5, 32), (300, 3, 5), (600, 33, 20), (4200, 8, 3), (70, 300, 40)):
        x = torch.randn(n, d, dtype=dtype)
        for metric in ("euclidean", "chebyshev"):
            for query in (None, x[:7] + 0.1):
                found = knn(x.cuda(), k, None if query is None else query.cuda(), metric)
                expected = knn(x, k, query, metric)
                assert torch.equal(found.indices.cpu(), expected.indices), (n, d, k, metric)
                radii = expected.distances[:, -1].contiguous()
                on_device = [None if t is None else t.cuda() for t in (x, radii, query)]
                assert torch.equal(count_within(*on_device, metric).cpu(), count_within(x, radii, query, metric))
        for prefixes in (None, [d]):
            torch.testing.assert_close(prefix_knn(x.cuda(), k, prefixes).cpu(), prefix_knn(x, k, prefixes))
        prefix_knn(x.cuda(), k, mean_log=True)
for dtype in (torch.float16, torch.bfloat16, torch.float32, torch.float64):
    for shape in ((3, 17), (4, 64, 64), (2, 40_000)):
        x, x_hat = torch.randn(2, *shape).to(dtype)
        weight, mask = torch.rand(shape[1:]), torch.rand(shape) > 0.5
        for arguments in ((x, x_hat), (x, x_hat, weight, mask)):
            found = reconstruction_error(*(t.cuda() for t in arguments), map=True)
            torch.testing.assert_close(tuple(t.cpu() for t in found), reconstruction_error(*arguments, map=True))
# Two threads with other k, whose kernels need other amounts of shared memory; and a second device where there is one.
x = torch.randn(700, 5)
for device in range(torch.cuda.device_count()):
    on_device = x.to(f"cuda:{device}")
    with ThreadPoolExecutor(2) as pool:
        calls = [pool.submit(knn, on_device, k) for k in (3, 32, 3, 32, 40, 12)]
    for call, k in zip(calls, (3, 32, 3, 32, 40, 12), strict=True):
        assert torch.equal(call.result().indices.cpu(), knn(x, k).indices), k
torch.cuda.synchronize()
print("ok")
