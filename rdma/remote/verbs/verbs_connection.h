// VerbsConnection: a reliable queue pair towards a memory server, with a completion queue that is
// polled and never asked to interrupt.
//
// Posted transfers form a chain that Flush hands to the device with one doorbell. Signalled are
// demand transfers, the last of a chain, and every kSignalEvery-th between: a queue pair works off
// its transfers in order, so a completion tells of all before it. Reads beyond what both ends can
// have outstanding would stall everything behind them in the queue; they are not posted until there
// is room. Post, Flush and Poll make no system call of ours and allocate nothing; the device's
// library may take its own lock on a queue, which nobody else wants.
//
// Transfers are named by their number, counted from 0; the ring's entry is that modulo its size.
//
//     0 .. taken_ .. acknowledged_ .. posted_
//        told       done, to be told   in the chain or on the wire
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "rdma/remote/connection.h"
#include "rdma/remote/verbs/verbs_transport.h"

namespace tandem::rdma {

class VerbsConnection final : public Connection {
 public:
  static StatusOr<std::unique_ptr<Connection>> Start(VerbsTransport& transport, RoadNumber road);
  ~VerbsConnection() override;

  State Check() override;
  Posted Post(const Transfer& transfer, const Extent& extent, void* context) override;
  bool Flush() override;
  Report Poll(std::span<void*> done) override;
  // Destroys the queue pair: the device lets go of the buffers before that returns.
  void Close() override;

 private:
  static constexpr uint32_t kSignalEvery = 8;

  struct Entry {
    ibv_send_wr request;
    ibv_sge piece;
    void* context;
  };

  VerbsConnection(VerbsTransport& transport, RoadNumber road);
  State Fail(const char* why);
  // The way to the server is known: asks it to connect.
  State Connect();
  Entry& EntryOf(uint64_t number) { return ring_[number % ring_.size()]; }

  VerbsTransport& transport_;
  const RoadNumber road_;
  VerbsPtr<rdma_event_channel> events_;
  VerbsPtr<ibv_cq> queue_;
  VerbsPtr<rdma_cm_id> id_;

  std::vector<Entry> ring_;
  uint64_t posted_ = 0;
  uint64_t flushed_ = 0;  // the chain begins here
  uint64_t acknowledged_ = 0;
  uint64_t taken_ = 0;
  uint32_t unsignalled_ = 0;  // at the chain's end
  uint32_t reads_limit_ = 0;
  uint32_t reads_ = 0;  // in the chain or on the wire
  bool broken_ = false;
  void* refused_ = nullptr;
};

}  // namespace tandem::rdma
