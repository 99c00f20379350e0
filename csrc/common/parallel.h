// Threads for the CPU kernels: dynamic shares of a range, exceptions carried back to the caller, fewer
// threads where the system gives no more.
#pragma once
#include <algorithm>
#include <atomic>
#include <cstdint>
#include <exception>
#include <mutex>
#include <new>
#include <system_error>
#include <thread>
#include <vector>

namespace entropix {

// A new thread, or none where the system gives no more of them.
template <class Work>
std::thread try_thread(const Work& work) {
    try {
        return std::thread(work);
    } catch (const std::system_error&) {
    } catch (const std::bad_alloc&) {
    }
    return {};
}

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
    std::vector<std::thread> others(workers > 0 ? workers - 1 : 0);
    for (auto& thread : others)
        if (!(thread = try_thread(work)).joinable()) break;
    work();
    for (auto& thread : others)
        if (thread.joinable()) thread.join();
    if (error) std::rethrow_exception(error);
}

// Calls both, the first on a thread of its own.
template <class First, class Second>
void parallel_pair(const First& first, const Second& second) {
    std::exception_ptr errors[2];
    const auto guarded = [](const auto& function, std::exception_ptr& error) {
        try {
            function();
        } catch (...) {
            error = std::current_exception();
        }
    };
    std::thread other = try_thread([&] { guarded(first, errors[0]); });
    guarded(second, errors[1]);
    if (other.joinable())
        other.join();
    else if (!errors[1])
        guarded(first, errors[0]);
    for (const auto& error : errors)
        if (error) std::rethrow_exception(error);
}

}  // namespace entropix
