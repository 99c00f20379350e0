// Threads for the CPU kernels: dynamic shares of a range, exceptions carried back to the caller.
#pragma once
#include <algorithm>
#include <atomic>
#include <cstdint>
#include <exception>
#include <mutex>
#include <thread>
#include <vector>

namespace entropix {

// Calls body(begin, end) over [0, count) in pieces of `grain`, on at most `threads` threads, this one among
// them.
template <class Body>
void parallel_for(int64_t count, int64_t grain, int threads, const Body& body) {
    const int64_t pieces = (count + grain - 1) / grain;
    const int64_t workers = std::min<int64_t>(std::max(threads, 1), pieces);
    std::atomic<int64_t> next{0};
    std::exception_ptr error;
    std::mutex error_mutex;
    auto work = [&] {
        try {
            for (int64_t piece; (piece = next.fetch_add(1)) < pieces;)
                body(piece * grain, std::min(count, (piece + 1) * grain));
        } catch (...) {
            std::lock_guard<std::mutex> lock(error_mutex);
            error = std::current_exception();
            next = pieces;
        }
    };
    std::vector<std::thread> others;
    others.reserve(workers > 0 ? workers - 1 : 0);
    for (int64_t i = 1; i < workers; ++i) others.emplace_back(work);
    work();
    for (auto& thread : others) thread.join();
    if (error) std::rethrow_exception(error);
}

}  // namespace entropix
