// Status: how every fallible call of Tandem reports what went wrong.
//
// A Status is either OK or a code and a message that says what was wrong and what to do about
// it. StatusOr<T> is a T or the Status that explains its absence. Both are values: they may be
// moved between threads, and are not synchronised. No Tandem call throws.
#pragma once

#include <cstdio>
#include <cstdlib>
#include <optional>
#include <string>
#include <utility>

namespace tandem {

enum class StatusCode {
  kOk,
  kInvalidArgument,    // the caller asked for something that makes no sense
  kNotPermitted,       // the system forbids it; the message names the remedy
  kUnavailable,        // the kernel or the far side cannot do it (now)
  kResourceExhausted,  // out of heap, memory, or some table is full
  kDataLoss,           // bytes that should exist are gone or damaged
  kIo,                 // reading or writing a file failed
  kInternal,
};

class [[nodiscard]] Status {
 public:
  Status() = default;
  Status(StatusCode code, std::string message) : code_(code), message_(std::move(message)) {}

  static Status Ok() { return {}; }
  static Status InvalidArgument(std::string m) {
    return {StatusCode::kInvalidArgument, std::move(m)};
  }
  static Status NotPermitted(std::string m) { return {StatusCode::kNotPermitted, std::move(m)}; }
  static Status Unavailable(std::string m) { return {StatusCode::kUnavailable, std::move(m)}; }
  static Status ResourceExhausted(std::string m) {
    return {StatusCode::kResourceExhausted, std::move(m)};
  }
  static Status DataLoss(std::string m) { return {StatusCode::kDataLoss, std::move(m)}; }
  static Status Io(std::string m) { return {StatusCode::kIo, std::move(m)}; }
  static Status Internal(std::string m) { return {StatusCode::kInternal, std::move(m)}; }

  bool ok() const { return code_ == StatusCode::kOk; }
  StatusCode code() const { return code_; }
  const std::string& message() const { return message_; }

 private:
  StatusCode code_ = StatusCode::kOk;
  std::string message_;
};

template <typename T>
class [[nodiscard]] StatusOr {
 public:
  StatusOr(Status status) : status_(std::move(status)) {}  // NOLINT: implicit, as in `return`
  StatusOr(T value) : value_(std::move(value)) {}          // NOLINT: implicit, as in `return`

  bool ok() const { return value_.has_value(); }
  const Status& status() const { return status_; }

  // The value. Aborts with the status' message when there is none.
  T& value() & {
    CheckOk();
    return *value_;
  }
  const T& value() const& {
    CheckOk();
    return *value_;
  }
  T&& value() && {
    CheckOk();
    return std::move(*value_);
  }
  T& operator*() & { return value(); }
  T* operator->() { return &value(); }

 private:
  void CheckOk() const {
    if (ok()) return;
    std::fprintf(stderr, "tandem: value() of a failed StatusOr: %s\n", status_.message().c_str());
    std::abort();
  }

  Status status_;
  std::optional<T> value_;
};

}  // namespace tandem
