// Reader: the events of a recording, read from its file.
//
// The whole file is checked when it is opened: what is truncated, damaged, of another version or no
// recording at all is refused then, in one line. One thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "runtime/record/format.h"

namespace tandem::record {

class Reader final : public EventSource {
 public:
  static StatusOr<std::unique_ptr<Reader>> Open(const std::string& path);
  ~Reader() override;
  Reader(const Reader&) = delete;
  Reader& operator=(const Reader&) = delete;

  uint64_t heap_bytes() const override { return header_.heap_bytes; }
  StatusOr<bool> Next(Event& event) override;

  uint64_t events() const { return footer_.events; }
  uint64_t hash() const { return footer_.hash; }
  void Rewind();

 private:
  Reader() = default;

  Status Check();
  bool GetNumber(uint64_t& number);
  bool Get(Event& event);
  bool IsSound(const Event& event) const;

  std::string path_;
  const std::byte* data_ = nullptr;  // the file, mapped
  size_t bytes_ = 0;
  Header header_{};
  Footer footer_{};
  size_t at_ = 0;
  size_t end_ = 0;
  uint64_t read_ = 0;  // events
  Places places_;
};

}  // namespace tandem::record
