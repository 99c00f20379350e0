// The neighbours of all points among themselves where boxes leave out little: every two blocks meet once, and
// what is screened and evaluated counts for both sides.
//
// Threads meet in the lists: a mutex per block of rows guards them, and is held for one look or one entry at
// a time. As lists depend on no order, neither do results.
#pragma once
#include <algorithm>
#include <mutex>
#include <vector>

#include "common/parallel.h"
#include "knn/block_search.h"

namespace entropix {

constexpr int64_t kPairsFromDim = 8;  // below, boxes leave out nearly everything
constexpr int64_t kLeastBlocks = 5, kSampledBlocks = 4;

template <class T>
class PairSearch {
  public:
    PairSearch(const KnnProblem<T>& problem, const PointTree<T>& points, const CentredPanels<T>& centred)
        : p_(problem),
          points_(points),
          centred_(centred),
          rows_(block_rows(problem.d)),
          blocks_((points.n + rows_ - 1) / rows_),
          nearest_(blocks_ * rows_, problem.k, problem.d),
          guards_(blocks_) {}

    // Whether some blocks would have to see more than half of the panels anyway.
    static bool pays(const KnnProblem<T>& p, const PointTree<T>& points, const CentredPanels<T>& centred) {
        const int64_t blocks = (points.n + block_rows(p.d) - 1) / block_rows(p.d);
        if (p.d < kPairsFromDim || blocks < kLeastBlocks) return false;
        const int64_t stride = std::min(blocks, std::max<int64_t>(8, blocks / kSampledBlocks));
        BlockSearch<T> search(p, points, centred, points, true);
        int64_t sampled = 0, seen = 0;
        for (int64_t block = 0; block < blocks; block += stride, ++sampled) {
            search.begin(block);
            seen += search.within_reach();
        }
        return seen > 0.6 * double(sampled * points.panels);
    }

    void run(int threads, T* distances, int64_t* indices) {
        parallel_for(blocks_, 1, threads, [&](int64_t begin, int64_t end) {
            BlockSearch<T> search(p_, points_, centred_, points_, true);
            for (int64_t block = begin; block < end; ++block)
                nearest_.copy(search.begin(block), block * rows_);
        });
        parallel_for(blocks_, 1, threads, [&](int64_t begin, int64_t end) {
            Block own(*this);
            for (int64_t block = begin; block < end; ++block) own.meet_later_ones(block);
        });
        for (int64_t row = 0; row < points_.n; ++row) {
            const int64_t to = points_.order[row] * p_.k;
            write(nearest_.list(row), p_.k, p_.metric, distances + to, indices + to);
        }
    }

  private:
    // One side of the meetings, on one thread.
    class Block {
      public:
        explicit Block(PairSearch& all)
            : all_(all), thresholds_(all.rows_), hits_(all.rows_), products_(all.centred_, all.rows_) {}

        void meet_later_ones(int64_t block) {
            first_ = block * all_.rows_;
            if (first_ + all_.rows_ >= all_.points_.n) return;  // the last one
            all_.look(first_, all_.rows_, thresholds_.data());
            products_.begin(rows(), all_.rows_, true);
            products_.set_thresholds(thresholds_.data());
            for (int64_t panel = (first_ + all_.rows_) / kPanel; panel < all_.points_.panels; ++panel)
                meet(panel);
        }

      private:
        const T* rows() const { return all_.points_.rows.data() + first_ * all_.p_.d; }

        void meet(int64_t panel) {
            all_.look(panel * kPanel, kPanel, columns_);
            const int64_t found = products_.pay()
                                      ? products_.screen(panel, all_.rows_, hits_.data(), columns_)
                                      : differences(panel);
            for (int64_t i = 0; i < found; ++i)
                for (uint32_t lanes = hits_[i].lanes; lanes; lanes &= lanes - 1)
                    consider(hits_[i].row, panel, __builtin_ctz(lanes));
        }

        int64_t differences(int64_t panel) {
            return screen_kernels<T>().screen[int(all_.p_.metric)](
                {rows(), all_.rows_, all_.points_.packed.data() + panel * all_.p_.d * kPanel, all_.p_.d,
                 thresholds_.data(), columns_},
                hits_.data());
        }

        void consider(int64_t row, int64_t panel, int lane) {
            const int64_t position = panel * kPanel + lane, d = all_.p_.d;
            const double distance = screen_kernels<T>().exact[int(all_.p_.metric)](
                rows() + row * d, all_.points_.rows.data() + position * d, d);
            if (distance > thresholds_[row] && distance > columns_[lane])
                products_.charge();  // differences would have left it out
            if (distance <= thresholds_[row]) {
                thresholds_[row] = all_.offer(first_ + row, distance, position);
                products_.set_threshold(row, thresholds_[row]);
            }
            if (distance <= columns_[lane]) columns_[lane] = all_.offer(position, distance, first_ + row);
        }

        PairSearch& all_;
        std::vector<T> thresholds_;  // [rows], as last seen
        T columns_[kPanel];          // those of the panel
        std::vector<Hit> hits_;      // [rows]
        ProductScreen<T> products_;
        int64_t first_ = 0;
    };

    void look(int64_t first, int64_t count, T* thresholds) {
        std::lock_guard<std::mutex> lock(guards_[first / rows_]);
        std::copy_n(nearest_.thresholds.data() + first, count, thresholds);
    }

    // Returns the row's threshold.
    T offer(int64_t row, double distance, int64_t position) {
        std::lock_guard<std::mutex> lock(guards_[row / rows_]);
        nearest_.offer(row, distance, points_.order[position]);
        return nearest_.thresholds[row];
    }

    const KnnProblem<T>& p_;
    const PointTree<T>& points_;
    const CentredPanels<T>& centred_;
    const int64_t rows_, blocks_;
    NearestRows<T> nearest_;          // [blocks * rows]
    std::vector<std::mutex> guards_;  // [blocks]
};

}  // namespace entropix
