#include "rdma/emulated_fabric.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <optional>
#include <thread>
#include <variant>

#include "rdma/saved_preset.h"
#include "rdma/slot_lists.h"
#include "runtime/base/check.h"
#include "runtime/base/clock.h"
#include "runtime/base/options.h"

namespace tandem::rdma {

namespace {

// --- Options ---

using O = EmulatedOptions;
using Key = base::OptionKey<EmulatedOptions>;
constexpr Key kKeys[] = {
    {"read_latency_ns", &O::read_latency_ns, 0, 10e9},
    {"write_latency_ns", &O::write_latency_ns, 0, 10e9},
    {"operation_ns", &O::operation_ns, 0, 10e9},
    {"bandwidth_mb_s", &O::bandwidth_mb_s, 0, 1e9},
    {"cores", &O::cores, 1, 4096},
    {"depth", &O::depth, 1, 32768},
    {"timeout_ms", &O::timeout_ms, 1, 3.6e6},
    {"pins", &O::pins, 0, 1},
    {"loss", &O::loss, 0, 1},
    {"delay", &O::delay, 0, 1},
    {"delay_ns", &O::delay_ns, 0, 10e9},
    {"damage", &O::damage, 0, 1},
    {"seed", &O::seed, 0, 0x1p64},
    {"die_after", &O::die_after, 1, 0x1p63},
};

Status SetKey(EmulatedOptions& options, std::string_view name, std::string_view value) {
  if (name == "latency_ns") {
    Status status = SetKey(options, "read_latency_ns", value);
    return status.ok() ? SetKey(options, "write_latency_ns", value) : status;
  }
  const auto key = std::find_if(std::begin(kKeys), std::end(kKeys),
                                [&](const Key& k) { return name == k.name; });
  if (key == std::end(kKeys)) {
    std::string valid = "latency_ns";
    for (const Key& k : kKeys) valid += fmt::format(", {}", k.name);
    return Status::InvalidArgument(
        fmt::format("emulated fabric: unknown key '{}'; valid are {}", OneLine(name), valid));
  }
  if (base::SetOption(options, *key, value)) return Status::Ok();
  const bool whole = std::holds_alternative<uint64_t O::*>(key->field);
  return Status::InvalidArgument(
      fmt::format("emulated fabric: {}='{}' makes no sense; valid are {}numbers from {} to {}",
                  key->name, OneLine(value), whole ? "whole " : "", key->min, key->max));
}

StatusOr<EmulatedOptions> PresetOptions(std::string_view name) {
  std::string valid;
  for (const LinkPreset& preset : LinkPresets()) {
    if (name == preset.name) {
      EmulatedOptions options;
      options.preset = name;
      options.read_latency_ns = preset.read_latency_ns;
      options.write_latency_ns = preset.write_latency_ns;
      options.bandwidth_mb_s = preset.bandwidth_mb_s;
      if (preset.shared) options.cores = std::max(1u, std::thread::hardware_concurrency());
      return options;
    }
    valid += fmt::format("{}{}", valid.empty() ? "" : ", ", preset.name);
  }
  if (const std::optional<SavedPreset> saved = SavedPreset::Find(name); saved.has_value()) {
    StatusOr<EmulatedOptions> options = EmulatedOptions::Parse("none," + saved->options);
    if (options.ok()) return options;
    return Status::InvalidArgument(fmt::format(
        "the file {} is no preset: {}", SavedPreset::FileOf(name), options.status().message()));
  }
  for (const SavedPreset& saved : SavedPreset::List()) valid += ", " + saved.name;
  return Status::InvalidArgument(
      fmt::format("emulated fabric: unknown preset '{}'; valid are {}", OneLine(name), valid));
}

}  // namespace

std::string OneLine(std::string_view text) {
  static constexpr size_t kLongest = 80;
  std::string line(text.substr(0, kLongest));
  for (char& c : line) {
    if (static_cast<unsigned char>(c) < ' ' || c == 0x7f) c = '?';
  }
  return text.size() > kLongest ? line + "..." : line;
}

StatusOr<EmulatedOptions> EmulatedOptions::Parse(std::string_view text) {
  size_t comma = text.find(',');
  StatusOr<EmulatedOptions> options =
      PresetOptions(text.empty() ? std::string_view("rdma40") : text.substr(0, comma));
  if (!options.ok()) return options;
  const bool shared = options->cores != 0;
  while (comma != text.npos) {
    text.remove_prefix(comma + 1);
    comma = text.find(',');
    const std::string_view item = text.substr(0, comma);
    const size_t equals = std::min(item.find('='), item.size());
    Status status =
        SetKey(*options, item.substr(0, equals), item.substr(std::min(equals + 1, item.size())));
    if (!status.ok()) return status;
  }
  if (!shared && options->cores != 0) {
    return Status::InvalidArgument(fmt::format(
        "emulated fabric: key 'cores' is valid with preset rdma40-share only, not with {}",
        options->preset));
  }
  return options;
}

std::string EmulatedOptions::Name() const {
  const EmulatedOptions usual = PresetOptions(preset).value();
  std::string name = fmt::format("emulated:{}", preset);
  for (const Key& key : kKeys) {
    std::visit(
        [&](auto field) {
          // The number of cores is the machine's, so it is always told.
          const bool tell =
              this->*field != usual.*field || (std::string_view(key.name) == "cores" && cores != 0);
          if (tell) name += fmt::format(",{}={}", key.name, this->*field);
        },
        key.field);
  }
  return name;
}

LinkParameters EmulatedOptions::Link() const {
  double bytes_per_second = bandwidth_mb_s * 1e6;
  if (cores != 0) bytes_per_second *= static_cast<double>(cores) / 16;
  LinkParameters link{.read_latency_ns = read_latency_ns,
                      .write_latency_ns = write_latency_ns,
                      .operation_ns = operation_ns};
  // Very slow is not unlimited.
  if (bandwidth_mb_s > 0) {
    link.bytes_per_second = static_cast<uint64_t>(std::max(1.0, bytes_per_second));
  }
  return link;
}

FaultPlan EmulatedOptions::Faults() const {
  return {.loss = loss, .delay = delay, .delay_ns = delay_ns, .damage = damage, .seed = seed};
}

// --- Channel ---

// A channel's transfers stand in one list each: a lane's, in the order posted; that of the
// delayed, when their turn in the lane has come; or that of the lost, which only Cancel leaves.
// Free slots are a list too. All memory is allocated when the channel opens.
class EmulatedChannel final : public Channel {
 public:
  EmulatedChannel(EmulatedFabric& fabric, uint64_t number)
      : fabric_(fabric),
        faults_(fabric.options_.Faults(), number),
        needs_clock_(fabric.link_.TakesTime() || fabric.options_.delay > 0),
        slots_(fabric.options_.depth, kFree) {}

  size_t Post(std::span<const Transfer> transfers) override;
  size_t Poll(std::span<Completion> done) override;
  bool Cancel(uint64_t cookie) override;
  size_t depth() const override { return slots_.size(); }
  size_t in_flight() const override { return in_flight_; }

 private:
  enum ListName : uint8_t { kDelayed = kLaneCount, kLost, kFree, kListCount };

  struct Slot {
    SlotLinks links;
    Transfer transfer;
    Passage passage;
    Fault fault;
    uint64_t sequence = 0;  // counts the transfers of the channel
    Outcome outcome = Outcome::kDone;
    bool moved = false;  // its bytes have moved and `outcome` is known
  };

  void Take(uint32_t index, uint8_t list);
  void Release(uint32_t index);
  uint32_t NextDue(uint64_t now_ns);
  bool MustWaitForWrite(const Slot& slot) const;
  void Move(Slot& slot);
  uint64_t NowNs() const { return needs_clock_ ? base::NowNs() : 0; }
  bool HasCookie(uint64_t cookie) const;

  EmulatedFabric& fabric_;
  FaultInjector faults_;
  const bool needs_clock_;
  SlotLists<Slot, kListCount> slots_;
  size_t in_flight_ = 0;
  size_t writes_waiting_[kLaneCount] = {};  // in the lanes' lists
  uint64_t posted_ = 0;
};

// Into that list, with the counts that hang on it.
void EmulatedChannel::Take(uint32_t index, uint8_t list) {
  Slot& slot = slots_[index];
  const size_t writes = slot.transfer.direction == Direction::kWrite ? 1 : 0;
  if (slot.links.list < kLaneCount) writes_waiting_[slot.links.list] -= writes;
  if (list < kLaneCount) writes_waiting_[list] += writes;
  slots_.Move(index, list);
}

void EmulatedChannel::Release(uint32_t index) {
  Take(index, kFree);
  --in_flight_;
}

bool EmulatedChannel::HasCookie(uint64_t cookie) const {
  return std::any_of(slots_.begin(), slots_.end(), [&](const Slot& slot) {
    return slot.links.list != kFree && slot.transfer.cookie == cookie;
  });
}

size_t EmulatedChannel::Post(std::span<const Transfer> transfers) {
  const uint64_t now_ns = NowNs();
  size_t accepted = 0;
  for (const Transfer& transfer : transfers) {
    const uint32_t index = slots_.First(kFree);
    if (index == kNoSlot) break;
    TANDEM_DCHECK(fabric_.IsRegistered(transfer.local, transfer.bytes),
                  "a transfer's buffer must be registered");
    TANDEM_DCHECK(!HasCookie(transfer.cookie), "a cookie in flight must be unique");
    Slot& slot = slots_[index];
    slot.transfer = transfer;
    slot.passage = fabric_.link_.Send(transfer.direction, transfer.lane, transfer.bytes, now_ns);
    slot.fault = faults_.Draw(transfer.direction);
    slot.sequence = ++posted_;
    slot.moved = false;
    // Relaxed: a statistic.
    if (slot.fault) fabric_.faults_injected_.fetch_add(1, std::memory_order_relaxed);
    Take(index, slot.fault.lost ? uint8_t{kLost} : static_cast<uint8_t>(transfer.lane));
    ++in_flight_;
    ++accepted;
  }
  return accepted;
}

size_t EmulatedChannel::Poll(std::span<Completion> done) {
  if (in_flight_ == 0) return 0;
  const uint64_t now_ns = NowNs();
  size_t count = 0;
  while (count < done.size()) {
    const uint32_t index = NextDue(now_ns);
    if (index == kNoSlot) break;
    Slot& slot = slots_[index];
    if (fabric_.Dead()) {
      slot.outcome = Outcome::kServerLost;
    } else if (slot.fault.delayed && slot.links.list != kDelayed) {
      // A write takes effect when its turn comes, else later writes would overtake it; only the
      // word of it is late. A read delivers late.
      if (slot.transfer.direction == Direction::kWrite) Move(slot);
      slot.passage.rest_ns += fabric_.options_.delay_ns;
      Take(index, kDelayed);
      continue;
    } else if (!slot.moved) {
      Move(slot);
    }
    done[count++] = {slot.transfer.cookie, slot.outcome};
    Release(index);
  }
  return count;
}

// The transfer whose completion is next among those due. With the far side dead, all are.
uint32_t EmulatedChannel::NextDue(uint64_t now_ns) {
  const bool dead = fabric_.Dead();
  uint32_t best = kNoSlot;
  const auto consider = [&](uint32_t index) {
    if (best == kNoSlot || slots_[index].passage.due_ns() < slots_[best].passage.due_ns()) {
      best = index;
    }
  };
  for (size_t lane = 0; lane < kLaneCount; ++lane) {
    const uint32_t first = slots_.First(lane);
    if (first == kNoSlot) continue;
    Slot& slot = slots_[first];
    const Transfer& transfer = slot.transfer;
    if (dead || (fabric_.link_.Arrived(transfer.direction, transfer.lane, slot.passage, now_ns) &&
                 !MustWaitForWrite(slot))) {
      consider(first);
    }
  }
  for (uint32_t i = slots_.First(kDelayed); i != kNoSlot; i = slots_.Next(i)) {
    if (dead || slots_[i].passage.due_ns() <= now_ns) consider(i);
  }
  return best;
}

// Whether an earlier write to the same place still waits in another lane. Writes share a lane as
// a rule, so there is seldom anything to look through.
bool EmulatedChannel::MustWaitForWrite(const Slot& slot) const {
  const Transfer& mine = slot.transfer;
  if (mine.direction != Direction::kWrite) return false;
  for (size_t lane = 0; lane < kLaneCount; ++lane) {
    if (lane == slot.links.list || writes_waiting_[lane] == 0) continue;
    for (uint32_t i = slots_.First(lane); i != kNoSlot; i = slots_.Next(i)) {
      const Transfer& other = slots_[i].transfer;
      if (slots_[i].sequence > slot.sequence) break;
      if (other.direction == Direction::kWrite && Overlap(mine, other)) return true;
    }
  }
  return false;
}

void EmulatedChannel::Move(Slot& slot) {
  const Transfer& transfer = slot.transfer;
  slot.moved = true;
  if (!fabric_.Serve()) {
    slot.outcome = Outcome::kServerLost;
    return;
  }
  std::byte* const far = fabric_.store_.Find(transfer.far, transfer.bytes);
  if (far == nullptr) {
    slot.outcome = Outcome::kRefused;
    return;
  }
  if (transfer.direction == Direction::kRead) {
    std::memcpy(transfer.local, far, transfer.bytes);
    FaultInjector::Damage(slot.fault, transfer.local, transfer.bytes);
  } else {
    std::memcpy(far, transfer.local, transfer.bytes);
  }
  fabric_.traffic_.Count(transfer);
  slot.outcome = Outcome::kDone;
}

bool EmulatedChannel::Cancel(uint64_t cookie) {
  // Bytes move in Poll and nowhere else, so whatever Poll has not reported can still be stopped.
  for (uint32_t i = 0; i < slots_.size(); ++i) {
    if (slots_.ListOf(i) == kFree || slots_[i].transfer.cookie != cookie) continue;
    Release(i);
    return true;
  }
  return false;
}

// --- Fabric ---

StatusOr<uint32_t> EmulatedFabric::LendSlab(uint64_t bytes) {
  if (Dead()) {
    return Status::Unavailable(
        fmt::format("the emulated memory server died after {} transfers", options_.die_after));
  }
  return store_.Lend(bytes);
}

Status EmulatedFabric::RegisterBuffer(void* start, size_t bytes) {
  if (start == nullptr || bytes == 0) {
    return Status::InvalidArgument("a registered buffer must not be empty");
  }
  std::lock_guard lock(buffers_mutex_);
  if (buffers_.full()) {
    return Status::ResourceExhausted(fmt::format(
        "all {} buffers are registered: register larger ones", BufferTable::kMaxBuffers));
  }
  buffers_.Add({reinterpret_cast<uintptr_t>(start), bytes});
  return Status::Ok();
}

[[maybe_unused]] bool EmulatedFabric::IsRegistered(const void* start, size_t bytes) const {
  return buffers_.Find(start, bytes) != nullptr;
}

StatusOr<std::unique_ptr<Channel>> EmulatedFabric::OpenChannel() {
  // Relaxed: only the number has to be unique.
  const uint64_t number = channels_opened_.fetch_add(1, std::memory_order_relaxed);
  return std::unique_ptr<Channel>(std::make_unique<EmulatedChannel>(*this, number));
}

bool EmulatedFabric::Dead() const {
  // Relaxed: tells of the death and of nothing else; a transfer that runs at the same moment may
  // come before or after it.
  return options_.die_after != EmulatedOptions::kNever &&
         served_.load(std::memory_order_relaxed) >= options_.die_after;
}

bool EmulatedFabric::Serve() {
  if (options_.die_after == EmulatedOptions::kNever) return true;
  // Relaxed: the count alone decides who is served.
  return served_.fetch_add(1, std::memory_order_relaxed) < options_.die_after;
}

FabricStats EmulatedFabric::Stats() const {
  FabricStats stats;
  traffic_.Tell(stats);
  stats.lent_bytes = Dead() ? 0 : store_.lent_bytes();
  stats.discarded_bytes = store_.discarded_bytes();
  // Relaxed: a statistic.
  stats.faults_injected = faults_injected_.load(std::memory_order_relaxed) + (Dead() ? 1 : 0);
  return stats;
}

}  // namespace tandem::rdma
