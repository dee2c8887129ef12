#include "rdma/remote/remote_channel.h"

#include <algorithm>
#include <cstddef>
#include <iterator>
#include <utility>

#include "rdma/remote/remote_fabric.h"
#include "runtime/base/check.h"

namespace tandem::rdma {

RemoteChannel::RemoteChannel(RemoteFabric& fabric, RoadNumber number)
    : fabric_(fabric), number_(number), slots_(fabric.options().depth, kFree) {}

StatusOr<std::unique_ptr<Channel>> RemoteChannel::Open(RemoteFabric& fabric, RoadNumber number) {
  std::unique_ptr<RemoteChannel> channel(new RemoteChannel(fabric, number));
  for (const auto& server : fabric.servers()) {
    Road& road = channel->roads_.emplace_back(*server, number);
    if (Status s = fabric.keeper().Add(road.wire); !s.ok()) return s;
    road.connection = road.wire.TakeOffer();
  }
  return std::unique_ptr<Channel>(std::move(channel));
}

RemoteChannel::~RemoteChannel() {
  for (Road& road : roads_) {
    fabric_.keeper().Remove(road.wire);
    number_.generation = std::max(number_.generation, road.wire.generation);
  }
  roads_.clear();  // before another channel takes their place
  fabric_.PutNumber(number_);
}

void RemoteChannel::Release(uint32_t index) {
  slots_.Move(index, kFree);
  --in_flight_;
}

uint32_t& RemoteChannel::OnWireOf(const Slot& slot) {
  Road& road = roads_[slot.road];
  return slot.transfer.lane == Lane::kDemand ? road.demand_on_wire : road.others_on_wire;
}

size_t RemoteChannel::Post(std::span<const Transfer> transfers) {
  size_t accepted = 0;
  for (const Transfer& transfer : transfers) {
    const uint32_t index = slots_.First(kFree);
    if (index == kNoSlot) break;
    TANDEM_DCHECK(fabric_.IsRegistered(transfer.local, transfer.bytes),
                  "a transfer's buffer must be registered");
    Slot& slot = slots_[index];
    slot.transfer = transfer;
    slot.sequence = ++posted_;
    slots_.Move(index, static_cast<uint8_t>(transfer.lane));
    ++in_flight_;
    ++accepted;
    if (fabric_.Find(transfer.far, transfer.bytes, slot.extent, slot.road)) {
      slot.stage = Stage::kWaiting;
      ++waiting_[slot.links.list];
    } else {
      slot.stage = Stage::kDone;
      slot.outcome = Outcome::kRefused;
    }
  }
  Issue();
  return accepted;
}

size_t RemoteChannel::Poll(std::span<Completion> done) {
  if (in_flight_ == 0) return 0;
  for (uint32_t i = 0; i < roads_.size(); ++i) Reap(i, done.size());
  Issue();
  size_t count = 0;
  for (uint8_t lane = 0; lane < kLaneCount; ++lane) {
    while (count < done.size()) {
      const uint32_t index = slots_.First(lane);
      if (index == kNoSlot || slots_[index].stage != Stage::kDone) break;
      done[count++] = {slots_[index].transfer.cookie, slots_[index].outcome};
      Release(index);
    }
  }
  return count;
}

bool RemoteChannel::Cancel(uint64_t cookie) {
  for (uint32_t i = 0; i < slots_.size(); ++i) {
    Slot& slot = slots_[i];
    if (slot.links.list == kFree || slot.transfer.cookie != cookie) continue;
    const Road& road = roads_[slot.road];
    // With nothing on its way either, the provider takes nothing any more: those without
    // connections have no other way to tell that the server is gone.
    const bool stuck =
        slot.stage == Stage::kWaiting && road.demand_on_wire + road.others_on_wire == 0;
    if (slot.stage == Stage::kOnWire || stuck) Disconnect(slot.road);
    if (slot.stage == Stage::kDone) return false;
    --waiting_[slot.links.list];
    Release(i);
    return true;
  }
  return false;
}

void RemoteChannel::Finish(Slot& slot, Outcome outcome) {
  if (slot.stage == Stage::kOnWire) {
    --OnWireOf(slot);
  } else {
    --waiting_[slot.links.list];
  }
  slot.stage = Stage::kDone;
  slot.outcome = outcome;
  if (outcome == Outcome::kDone) fabric_.traffic().Count(slot.transfer);
}

void RemoteChannel::Reap(uint32_t index, size_t wanted) {
  Road& road = roads_[index];
  if (road.wire.server.lost()) {
    TellLoss(index);
    return;
  }
  if (road.connection == nullptr) {
    road.connection = road.wire.TakeOffer();
    return;
  }
  void* done[16];
  for (size_t reaped = 0;;) {
    const Connection::Report report = road.connection->Poll(done);
    for (size_t i = 0; i < report.done; ++i) Finish(*static_cast<Slot*>(done[i]), Outcome::kDone);
    if (report.broken) {
      if (report.refused != nullptr) {
        Finish(*static_cast<Slot*>(report.refused), Outcome::kRefused);
      }
      Disconnect(index);
      return;
    }
    reaped += report.done;
    if (!report.more || reaped >= wanted) return;
  }
}

void RemoteChannel::Issue() {
  for (uint8_t lane = 0; lane < kLaneCount; ++lane) {
    if (waiting_[lane] == 0) continue;
    // A server that takes nothing holds up its own transfers only.
    ++issue_round_;
    size_t refusing = 0;
    for (uint32_t i = slots_.First(lane); i != kNoSlot && refusing < roads_.size();
         i = slots_.Next(i)) {
      Road& road = roads_[slots_[i].road];
      if (slots_[i].stage != Stage::kWaiting || road.refused_in == issue_round_) continue;
      if (TryIssue(slots_[i])) continue;
      road.refused_in = issue_round_;
      ++refusing;
    }
  }
  for (uint32_t i = 0; i < roads_.size(); ++i) {
    if (roads_[i].connection != nullptr && !roads_[i].connection->Flush()) Disconnect(i);
  }
}

bool RemoteChannel::TryIssue(Slot& slot) {
  Road& road = roads_[slot.road];
  if (road.connection == nullptr) return false;
  if (slot.transfer.lane != Lane::kDemand && road.others_on_wire >= fabric_.options().batch) {
    return false;
  }
  if (MustWaitForWrite(slot)) return false;
  const Connection::Posted posted = road.connection->Post(slot.transfer, slot.extent, &slot);
  if (posted == Connection::Posted::kYes) {
    slot.stage = Stage::kOnWire;
    --waiting_[slot.links.list];
    ++OnWireOf(slot);
    return true;
  }
  // Else the next Poll makes room and tries again.
  if (posted == Connection::Posted::kBroken) Disconnect(slot.road);
  return false;
}

// Whether an earlier write to the same place is not done yet. Few are ever in flight elsewhere, so
// this looks through the lists only for writes.
bool RemoteChannel::MustWaitForWrite(const Slot& slot) const {
  const Transfer& mine = slot.transfer;
  if (mine.direction != Direction::kWrite) return false;
  for (size_t lane = 0; lane < kLaneCount; ++lane) {
    for (uint32_t i = slots_.First(lane); i != kNoSlot; i = slots_.Next(i)) {
      const Transfer& other = slots_[i].transfer;
      if (slots_[i].sequence >= slot.sequence) break;
      if (slots_[i].stage != Stage::kDone && other.direction == Direction::kWrite &&
          Overlap(mine, other)) {
        return true;
      }
    }
  }
  return false;
}

void RemoteChannel::Disconnect(uint32_t index) {
  Road& road = roads_[index];
  if (road.connection == nullptr) return;
  road.wire.server.SetTrouble(road.connection->Trouble());
  road.wire.Retire(std::move(road.connection));
  for (Slot& slot : slots_) {
    if (slot.links.list == kFree || slot.road != index || slot.stage != Stage::kOnWire) continue;
    slot.stage = Stage::kWaiting;
    ++waiting_[slot.links.list];
  }
  road.demand_on_wire = 0;
  road.others_on_wire = 0;
  fabric_.keeper().Wake();
}

void RemoteChannel::TellLoss(uint32_t index) {
  Disconnect(index);
  for (Slot& slot : slots_) {
    if (slot.links.list != kFree && slot.road == index && slot.stage == Stage::kWaiting) {
      Finish(slot, Outcome::kServerLost);
    }
  }
}

}  // namespace tandem::rdma
