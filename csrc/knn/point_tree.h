// Points in the order of a balanced k-d tree, with the bounding box of every node.
//
// Neighbours in space become neighbours in memory, which gives tight thresholds early, and whole boxes can be
// left out. The tree is implicit: node 0 holds all panels, a node of panels [begin, end) splits at their
// middle, and its 2 (end - begin) - 1 nodes are numbered in preorder.
#pragma once
#include <cstdint>
#include <vector>

#include "common/aligned.h"
#include "knn/knn.h"
#include "knn/screen.h"

namespace entropix {

template <class T>
struct PointTree {
    int64_t n, d, panels;
    std::vector<int64_t> order;  // [n]: order[i] is the row of x at position i
    std::vector<T> rows;         // [n, padded to kQueryRows, d], in that order
    AlignedVector<T> packed;     // [panels, d, kPanel], the same; missing points are NaN
    std::vector<T> boxes;        // [2 panels - 1, 2, d]: lower and upper corner of every node

    PointTree(const T* x, int64_t n, int64_t d, int threads);

    static int64_t middle(int64_t begin, int64_t end) { return begin + (end - begin) / 2; }
    static int64_t left(int64_t node) { return node + 1; }
    static int64_t right(int64_t node, int64_t begin, int64_t end) {
        return node + 2 * (middle(begin, end) - begin);
    }
    const T* box(int64_t node) const { return boxes.data() + node * 2 * d; }
    void bound_rows(int64_t first, int64_t count, T* box) const;  // box [2, d] of the rows at these positions
};

// Smallest and largest distance (squared for euclidean) between points of two boxes, each [2, d].
template <class T>
T box_distance(const T* a, const T* b, int64_t d, Metric metric);
template <class T>
T farthest_distance(const T* a, const T* b, int64_t d, Metric metric);

}  // namespace entropix
