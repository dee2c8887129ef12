// Input: what a MapReduce job reads, in splits that are mapped independently of one another.
//
// Read by several attached threads at once, each a split of its own; must not change meanwhile.
#pragma once

#include <algorithm>
#include <cstddef>
#include <functional>
#include <string_view>
#include <vector>

#include "tandem/persistent.h"
#include "workloads/mapreduce/records.h"

namespace tandem::workloads::mapreduce {

struct Record {
  std::string_view bytes;      // of a line; empty for objects
  AnyValue* object = nullptr;  // of an array; null for lines
  uint64_t number = 0;         // from 0, in the whole input
};

class Input {
 public:
  virtual ~Input() = default;
  virtual size_t splits() const = 0;

  // Calls `each` for the records of the split, in order.
  virtual void Read(size_t split, const std::function<void(const Record&)>& each) const = 0;
};

// The lines of a native text, without their newlines. A last line without one counts.
class LineInput final : public Input {
 public:
  // Cuts into about `splits` pieces of equal size, between lines; an empty text has none.
  LineInput(std::string_view text, size_t splits) {
    const size_t piece = std::max<size_t>(1, text.size() / std::max<size_t>(splits, 1));
    uint64_t lines = 0;
    for (size_t start = 0; start < text.size();) {
      size_t end = text.find('\n', std::min(start + piece, text.size()) - 1);
      end = end == text.npos ? text.size() : end + 1;
      const std::string_view split = text.substr(start, end - start);
      splits_.push_back({split, lines});
      lines += static_cast<uint64_t>(std::count(split.begin(), split.end(), '\n'));
      start = end;
    }
  }

  size_t splits() const override { return splits_.size(); }
  std::string_view split(size_t i) const { return splits_[i].text; }

  void Read(size_t split, const std::function<void(const Record&)>& each) const override {
    std::string_view rest = splits_[split].text;
    for (uint64_t number = splits_[split].first_line; !rest.empty(); ++number) {
      const size_t end = std::min(rest.find('\n'), rest.size());
      each({rest.substr(0, end), nullptr, number});
      rest.remove_prefix(std::min(end + 1, rest.size()));
    }
  }

 private:
  struct Split {
    std::string_view text;
    uint64_t first_line;
  };
  std::vector<Split> splits_;
};

// The elements of a managed array, which stay in the heap from one job to the next.
template <typename T>
class ArrayInput final : public Input {
 public:
  // `array` must outlive the input.
  ArrayInput(const Persistent<Array<Member<T>>>& array, size_t splits)
      : array_(array), splits_(std::min(std::max<size_t>(splits, 1), array->length())) {}

  size_t splits() const override { return splits_; }

  void Read(size_t split, const std::function<void(const Record&)>& each) const override {
    Array<Member<T>>& array = *array_;
    const size_t end = (split + 1) * array.length() / splits_;
    for (size_t i = split * array.length() / splits_; i < end; ++i) {
      each({{}, Forget<T>(array[i]), i});
    }
  }

 private:
  const Persistent<Array<Member<T>>>& array_;
  const size_t splits_;
};

}  // namespace tandem::workloads::mapreduce
