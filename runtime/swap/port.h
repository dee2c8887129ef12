// Port: one thread's gate from the pager to the fabric.
//
// Every thread that may fetch owns one: a channel of its own, so that a miss takes no lock. A
// port is used by one thread at a time and never while that thread already uses it.
#pragma once

#include <cstdint>
#include <memory>
#include <span>

#include "rdma/fabric.h"
#include "runtime/base/backoff.h"
#include "runtime/base/clock.h"

namespace tandem::swap {

class Port {
 public:
  Port(std::unique_ptr<rdma::Channel> channel, uint64_t timeout_ns)
      : channel_(std::move(channel)), timeout_ns_(timeout_ns) {}

  // Runs up to kMaxTransfers transfers to their end, posting again what is lost. Cookies must be
  // 0, 1, 2, ...; calls `done(cookie)` as each completes. False if the far side is lost: then no
  // transfer of the call is in flight any more. `retries` counts transfers posted again.
  static constexpr size_t kMaxTransfers = 64;
  // A far side that lets this many time-outs in a row pass is taken for lost.
  static constexpr uint32_t kMaxTimeouts = 20;
  template <typename Done>
  bool Run(std::span<rdma::Transfer> transfers, uint64_t& retries, Done&& done);

  bool busy() const { return busy_; }

  // Marks the port in use for a scope; a fault handler that interrupts it uses another port.
  class InUse {
   public:
    explicit InUse(Port& port) : port_(port) { port_.busy_ = true; }
    ~InUse() { port_.busy_ = false; }
    InUse(const InUse&) = delete;
    InUse& operator=(const InUse&) = delete;

   private:
    Port& port_;
  };

 private:
  std::unique_ptr<rdma::Channel> channel_;
  const uint64_t timeout_ns_;
  volatile bool busy_ = false;  // volatile: read by a signal handler of the same thread
};

template <typename Done>
bool Port::Run(std::span<rdma::Transfer> transfers, uint64_t& retries, Done&& done) {
  uint64_t pending = 0;  // bit i: transfer i is in flight
  size_t posted = 0;
  uint32_t timeouts = 0;
  bool lost = false;
  uint64_t deadline = 0;  // found out only when the first poll comes back with nothing
  base::Backoff backoff;
  while ((posted < transfers.size() && !lost) || pending != 0) {
    if (posted < transfers.size() && !lost) {
      const size_t n = channel_->Post(transfers.subspan(posted));
      for (size_t i = posted; i < posted + n; ++i) pending |= uint64_t{1} << i;
      posted += n;
    }
    rdma::Completion completions[16];
    const size_t n = channel_->Poll(completions);
    for (size_t i = 0; i < n; ++i) {
      const auto& c = completions[i];
      pending &= ~(uint64_t{1} << c.cookie);
      if (c.outcome == rdma::Outcome::kDone) {
        done(c.cookie);
      } else {
        lost = true;
      }
    }
    if (n > 0) {
      deadline = 0;
      timeouts = 0;
      backoff = {};
      continue;
    }
    backoff.Pause();
    const uint64_t now = base::NowNs();
    if (deadline == 0) deadline = now + timeout_ns_;
    if (now < deadline) continue;
    // Time-out: post again what is overdue, or give all of it up.
    lost = lost || ++timeouts > kMaxTimeouts;
    deadline = 0;
    for (uint64_t bits = pending; bits != 0; bits &= bits - 1) {
      const auto i = static_cast<size_t>(__builtin_ctzll(bits));
      if (!channel_->Cancel(i)) continue;  // it completed just now: the next Poll has it
      pending &= ~(uint64_t{1} << i);
      if (lost) continue;
      ++retries;
      while (channel_->Post(transfers.subspan(i, 1)) == 0) {
        // The queue was full before the cancellation, so there is room now.
      }
      pending |= uint64_t{1} << i;
    }
  }
  return !lost;
}

}  // namespace tandem::swap
