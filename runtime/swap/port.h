// Port: one thread's gate from the pager to the fabric.
//
// Every thread that may fetch owns one: a channel of its own, so that a miss takes no lock. A
// port is used by one thread at a time and never while that thread already uses it.
#pragma once

#include <cstdint>
#include <memory>
#include <utility>

#include "rdma/fabric.h"
#include "runtime/base/backoff.h"
#include "runtime/base/clock.h"
#include "runtime/swap/observers.h"

namespace tandem::swap {

class Port {
 public:
  // `observer` is told of the thread's accesses; null: nobody is.
  Port(std::unique_ptr<rdma::Channel> channel, uint64_t timeout_ns,
       std::unique_ptr<AccessObserver> observer = nullptr)
      : channel_(std::move(channel)), timeout_ns_(timeout_ns), observer_(std::move(observer)) {}

  // A far side that lets this many time-outs in a row pass is taken for lost.
  static constexpr uint32_t kMaxTimeouts = 20;

  // Posts a transfer, the only one in flight. Finish must follow.
  void Start(const rdma::Transfer& transfer) {
    transfer_ = transfer;
    transfer_.cookie = 0;
    PostIt();
  }

  // Waits for the transfer's end, posting it again if it is lost; calls `idle()`, which should be
  // short, as long as there is nothing to do. False if the far side is lost: nothing is in flight
  // then. Adds to `retries` how often the transfer was posted again.
  template <typename Idle>
  bool Finish(uint64_t& retries, Idle&& idle);

  // How long transfers have taken of late. What is done meanwhile is part of it, so the mean leans
  // to what was short.
  uint64_t usual_wait_ns() const { return usual_wait_ns_; }

  bool busy() const { return busy_; }
  AccessObserver* observer() const { return observer_.get(); }

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
  // The queue is empty, so there is room.
  void PostIt() {
    while (channel_->Post({&transfer_, 1}) == 0) base::CpuRelax();
    posted_ns_ = base::NowNs();
  }

  void NoteWait() {
    const uint64_t wait = base::NowNs() - posted_ns_;
    usual_wait_ns_ = wait < usual_wait_ns_ ? wait : usual_wait_ns_ + (wait - usual_wait_ns_) / 16;
  }

  std::unique_ptr<rdma::Channel> channel_;
  const uint64_t timeout_ns_;
  const std::unique_ptr<AccessObserver> observer_;
  rdma::Transfer transfer_;
  uint64_t posted_ns_ = 0;
  uint64_t usual_wait_ns_ = 0;
  volatile bool busy_ = false;  // volatile: read by a signal handler of the same thread
};

template <typename Idle>
bool Port::Finish(uint64_t& retries, Idle&& idle) {
  uint32_t timeouts = 0;
  uint64_t deadline = 0;  // found out only when the first poll comes back with nothing
  for (base::Backoff backoff;; backoff.Pause()) {
    rdma::Completion completion;
    if (channel_->Poll({&completion, 1}) == 1) {
      NoteWait();
      return completion.outcome == rdma::Outcome::kDone;
    }
    idle();
    const uint64_t now = base::NowNs();
    if (deadline == 0) deadline = now + timeout_ns_;
    if (now < deadline) continue;
    deadline = 0;
    if (!channel_->Cancel(0)) continue;  // it completed just now: the next Poll has it
    if (++timeouts > kMaxTimeouts) return false;
    ++retries;
    PostIt();
  }
}

}  // namespace tandem::swap
