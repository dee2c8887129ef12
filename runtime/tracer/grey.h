// Grey: a reference on its way to being traced, with what its order wants to remember of it.
//
// User space ends below bit 48, so the upper 16 bits are the order's: its *tag*. What a tag means
// is each order's own business, but for kMarked.
#pragma once

#include <cstdint>

namespace tandem::tracer {

using Tag = uint16_t;

class Grey {
 public:
  // Set by the tracer and kept by orders: the object is marked already, only to be traced.
  static constexpr Tag kMarked = 0x8000;

  Grey() = default;
  explicit Grey(uintptr_t reference, Tag tag = 0)
      : bits_(reference | static_cast<uint64_t>(tag) << kAddressBits) {}

  uintptr_t reference() const { return bits_ & ((uint64_t{1} << kAddressBits) - 1); }
  Tag tag() const { return static_cast<Tag>(bits_ >> kAddressBits); }
  bool marked() const { return (tag() & kMarked) != 0; }

  friend bool operator==(Grey, Grey) = default;

 private:
  static constexpr int kAddressBits = 48;
  uint64_t bits_ = 0;
};

}  // namespace tandem::tracer
