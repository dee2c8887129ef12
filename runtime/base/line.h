// Line: one line of text, put together where nothing may be allocated.
//
// Holds what fits and leaves out the rest. Plain data, so it can be a thread's; not synchronised.
// Async-signal-safe.
#pragma once

#include <cstddef>
#include <cstdint>

namespace tandem::base {

class Line {
 public:
  static constexpr size_t kMaxLength = 511;

  void Clear() { length_ = 0; }

  Line& Add(const char* text) {
    while (*text != 0) Put(*text++);
    return *this;
  }
  Line& Add(uint64_t number) { return AddDigits(number, 10); }
  Line& AddHex(uint64_t number) { return Add("0x").AddDigits(number, 16); }

  // Until the next change.
  const char* text() {
    text_[length_] = 0;
    return text_;
  }

 private:
  void Put(char c) {
    if (length_ < kMaxLength) text_[length_++] = c;
  }
  Line& AddDigits(uint64_t number, unsigned base) {
    char digits[20];
    size_t count = 0;
    do {
      digits[count++] = "0123456789abcdef"[number % base];
      number /= base;
    } while (number != 0);
    while (count > 0) Put(digits[--count]);
    return *this;
  }

  size_t length_ = 0;
  char text_[kMaxLength + 1] = {};
};

}  // namespace tandem::base
