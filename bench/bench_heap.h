// What the benchmarks that work on a whole heap share: opening one, and reading its counters.
#pragma once

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <memory>
#include <string>
#include <utility>

#include "tandem/heap.h"

namespace tandem::bench {

inline constexpr uint64_t kMiB = uint64_t{1} << 20;

// A benchmark without its heap measures nothing: says why, and ends the process.
inline std::unique_ptr<Heap> OpenHeap(const HeapOptions& options) {
  auto heap = Heap::Create(options);
  if (!heap.ok()) {
    std::fprintf(stderr, "%s\n", heap.status().message().c_str());
    std::exit(1);
  }
  return std::move(*heap);
}

// How much each counter of a heap has grown since this was made.
class CounterDelta {
 public:
  explicit CounterDelta(const Heap& heap) : heap_(heap), before_(heap.Counters()) {}

  // Takes the second snapshot; operator[] reads the difference.
  void Stop() { after_ = heap_.Counters(); }
  double operator[](const std::string& name) const {
    return static_cast<double>(Value(after_, name) - Value(before_, name));
  }

 private:
  using Counters = std::map<std::string, uint64_t>;
  static uint64_t Value(const Counters& counters, const std::string& name) {
    const auto it = counters.find(name);
    if (it == counters.end()) {
      std::fprintf(stderr, "no counter is called %s\n", name.c_str());
      std::exit(1);
    }
    return it->second;
  }

  const Heap& heap_;
  const Counters before_;
  Counters after_;
};

}  // namespace tandem::bench
