// RemoteChannel: a Channel over connections, one towards each memory server.
//
// Posted transfers stand in their lane's list until they are reported. From there they go to the
// wire, a smaller lane first: demand as soon as the provider takes it, all other lanes only while
// fewer than `batch` of them are on their way to that server, so that demand is never behind more
// than that. A write goes out when every earlier write to the same place is done (invariant 3);
// completions are reported in the lane's order, whatever order the provider has (invariant 2).
//
// Cancellation. A buffer that is given back may be used again at once, so nothing may be written
// into it any more, and nothing of it be sent that would arrive after a later write. Providers
// cannot take one transfer back; what they can is close an endpoint, which discards all that is in
// flight. So a transfer that is on the wire is cancelled by closing its connection, and the others
// that were on it go out again over the next one: reads and writes of pages can be repeated. That
// nothing comes late rests on this:
//   1. Only calls of ours on that connection's endpoint, queues and domain write into our memory:
//      tcp receives and shm-ofi copies in the thread that polls; there is no progress thread
//      (manual progress, no wait objects), and CMA is off, with which the far side would write by
//      itself. A device that does (verbs) stops when closing the endpoint destroys its queue pair.
//      The endpoint is closed before Cancel returns. (Where memory is mapped, shm, this thread
//      copies.)
//   2. What was sent before and has not been served, in socket buffers for instance, must not
//      change far memory later: a new write could be overtaken. Connections of a channel carry a
//      generation. The server closes the former endpoint before it accepts a newer one, and refuses
//      older ones; on a closed endpoint it receives nothing. As no transfer is posted before the
//      newer connection is accepted, all that the old one did is done by then.
//   3. Completions of the old connection cannot be taken for new ones: they are in its own
//      completion queue, which is closed with it and never read again.
// This costs a new connection for each time-out, and repeats up to `batch` transfers and what
// demand was on its way. Time-outs are rare; see Fabric::TimeoutNs.
//
// Post, Poll and Cancel take no lock of ours and allocate nothing; libfabric's providers allocate
// when their own pools must grow, and free what Cancel closes.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <memory>
#include <span>

#include "rdma/channel.h"
#include "rdma/remote/ofi.h"
#include "rdma/remote/wire.h"
#include "rdma/slot_lists.h"

namespace tandem::rdma {

class RemoteFabric;

class RemoteChannel final : public Channel {
 public:
  // `number`: with the generation that the last channel of that number has reached.
  static StatusOr<std::unique_ptr<Channel>> Open(RemoteFabric& fabric, RoadNumber number);
  ~RemoteChannel() override;

  size_t Post(std::span<const Transfer> transfers) override;
  size_t Poll(std::span<Completion> done) override;
  bool Cancel(uint64_t cookie) override;
  size_t depth() const override { return slots_.size(); }
  size_t in_flight() const override { return in_flight_; }

 private:
  static constexpr uint8_t kFree = kLaneCount;  // the list of free slots
  enum class Stage : uint8_t { kWaiting, kOnWire, kDone };

  struct Slot {
    // The provider's while the transfer is on the wire; must come first.
    fi_context2 context;
    Transfer transfer;
    Extent extent;
    uint64_t sequence = 0;  // counts the transfers of the channel
    uint32_t road = 0;      // index into roads_
    Stage stage = Stage::kWaiting;
    Outcome outcome = Outcome::kDone;
    SlotLinks links;
  };
  struct Road {
    Road(RemoteServer& server, RoadNumber number) : wire(server, number) {}
    Wire wire;
    std::unique_ptr<Connection> connection;  // null while there is none
    uint32_t demand_on_wire = 0;
    uint32_t others_on_wire = 0;
    uint64_t refused_in = 0;  // the last issue_round_ in which nothing more could go
  };

  RemoteChannel(RemoteFabric& fabric, RoadNumber number);
  void Release(uint32_t index);
  void Finish(Slot& slot, Outcome outcome);
  // Takes what has completed off the wire: as many transfers as are wanted, if there are so many.
  void Reap(uint32_t road, size_t wanted);
  // Sends what may go.
  void Issue();
  bool TryIssue(Slot& slot);
  bool MustWaitForWrite(const Slot& slot) const;
  uint32_t& OnWireOf(const Slot& slot);
  // The connection's transfers wait again.
  void Disconnect(uint32_t road);
  void TellLoss(uint32_t road);

  RemoteFabric& fabric_;
  RoadNumber number_;
  SlotLists<Slot, kLaneCount + 1> slots_;
  std::deque<Road> roads_;                      // one for each server; a wire has a fixed address
  uint64_t issue_round_ = 0;                    // of Issue, through one lane
  std::array<uint32_t, kLaneCount> waiting_{};  // transfers of a lane that are to be sent
  size_t in_flight_ = 0;
  uint64_t posted_ = 0;
};

}  // namespace tandem::rdma
