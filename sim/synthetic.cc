#include "sim/synthetic.h"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>
#include <utility>

#include "runtime/base/options.h"
#include "runtime/base/os_memory.h"

namespace tandem::sim {
namespace {

using record::Event;
using record::Kind;

constexpr base::OptionKey<SyntheticOptions> kKeys[] = {
    {"objects", &SyntheticOptions::objects, 2, 1e8},
    {"bytes", &SyntheticOptions::bytes, 16, 2048},
    {"degree", &SyntheticOptions::degree, 1, 100},
    {"accesses", &SyntheticOptions::accesses, 0, 1e12},
    {"cycles", &SyntheticOptions::cycles, 0, 1000},
    {"wait", &SyntheticOptions::wait, 0, 1},
    {"exponent", &SyntheticOptions::exponent, 0, 10},
    {"heap_gib", &SyntheticOptions::heap_gib, 0, 16384},
    {"seed", &SyntheticOptions::seed, 0, 0x1p64},
};
constexpr std::string_view kShapes[] = {"graph", "list", "zipf"};
constexpr uint64_t kPageGranules = base::kPageSize / 16;
constexpr size_t kBlockBytes = 64 * 1024;

// What the objects need, and where they lie.
struct Layout {
  uint64_t granules;
  uint64_t per_page;
  uint64_t pages;
};
Layout LayOut(const SyntheticOptions& options) {
  const uint64_t granules = (options.bytes + 15) / 16;
  const uint64_t per_page = kPageGranules / granules;
  return {granules, per_page, (options.objects + per_page - 1) / per_page};
}

}  // namespace

StatusOr<std::unique_ptr<Synthetic>> Synthetic::Create(std::string_view spec) {
  const std::string_view name = spec.substr(0, spec.find(','));
  const auto* shape = std::find(std::begin(kShapes), std::end(kShapes), name);
  if (shape == std::end(kShapes)) {
    return Status::InvalidArgument(
        fmt::format("unknown synthetic events '{}'; valid are graph, list, zipf", name));
  }
  SyntheticOptions options;
  for (spec.remove_prefix(name.size()); !spec.empty();) {
    spec.remove_prefix(1);
    const std::string_view item = spec.substr(0, spec.find(','));
    spec.remove_prefix(item.size());
    const size_t equals = std::min(item.find('='), item.size());
    std::string valid;
    bool set = false;
    for (const auto& key : kKeys) {
      valid += fmt::format("{}{}", valid.empty() ? "" : ", ", key.name);
      if (item.substr(0, equals) != key.name) continue;
      set = base::SetOption(options, key, item.substr(std::min(equals + 1, item.size())));
      if (!set) {
        return Status::InvalidArgument(fmt::format("'{}' makes no sense: {} must be from {} to {}",
                                                   item, key.name, key.min, key.max));
      }
    }
    if (!set) {
      return Status::InvalidArgument(
          fmt::format("unknown '{}' of synthetic events; valid are {}", item, valid));
    }
  }
  const auto which = static_cast<Shape>(shape - std::begin(kShapes));
  const uint64_t need = LayOut(options).pages * base::kPageSize + IndexBytes(which, options);
  if (options.heap_gib != 0 && options.heap_gib << 30 < need) {
    return Status::InvalidArgument(
        fmt::format("the objects need {} bytes; heap_gib must be larger", need));
  }
  return std::unique_ptr<Synthetic>(new Synthetic(which, options));
}

uint64_t Synthetic::IndexBytes(Shape shape, const SyntheticOptions& options) {
  return shape == Shape::kZipf ? base::RoundUp((options.objects + 1) * 8, base::kPageSize) : 0;
}

Synthetic::Synthetic(Shape shape, const SyntheticOptions& options)
    : shape_(shape), options_(options), random_(options.seed) {
  const Layout layout = LayOut(options);
  granules_ = layout.granules;
  index_granules_ = IndexBytes(shape, options) / 16;
  if (shape == Shape::kGraph) {
    successor_ = workloads::RandomCycle(static_cast<uint32_t>(options.objects), options.seed);
  }
  if (shape == Shape::kZipf) {
    zipf_.emplace(options.objects, options.exponent);
    record_of_rank_.resize(options.objects);
    std::iota(record_of_rank_.begin(), record_of_rank_.end(), 0);
    for (uint64_t i = options.objects; i > 1; --i) {
      std::swap(record_of_rank_[i - 1], record_of_rank_[random_.Below(i)]);
    }
  }
  const uint64_t need = layout.pages * base::kPageSize + index_granules_ * 16;
  heap_bytes_ =
      options.heap_gib == 0 ? base::RoundUp(2 * need, kBlockBytes) : options.heap_gib << 30;
  if (heap_bytes_ > need && options.heap_gib != 0) {
    page_step_ = (heap_bytes_ - index_granules_ * 16) / base::kPageSize / layout.pages;
  }
}

StatusOr<bool> Synthetic::Next(Event& event) {
  while (ready_.empty() && !ended_) Fill();
  if (ready_.empty()) return false;
  event = std::move(ready_.front());
  ready_.pop_front();
  return true;
}

uint64_t Synthetic::PlaceOf(uint64_t object) const {
  const uint64_t per_page = kPageGranules / granules_;
  return index_granules_ + object / per_page * page_step_ * kPageGranules +
         object % per_page * granules_;
}

void Synthetic::Add(Kind kind, uint64_t object, uint64_t index, uint64_t count) {
  Event event;
  event.kind = kind;
  event.object = object;
  event.index = index;
  event.count = count;
  ready_.push_back(std::move(event));
}

void Synthetic::AddStore(uint64_t object, uint64_t index, uint64_t target) {
  // The reference's own page is used to get at it.
  Add(Kind::kAccess, object,
      (2 * object + 1 + index) / (2 * kPageGranules) - object / kPageGranules, 0);
  Add(Kind::kStore, object, index, 0);
  ready_.back().target = target;
}

void Synthetic::Fill() {
  if (born_ < options_.objects) {
    if (born_ == 0 && index_granules_ > 0) Add(Kind::kBirth, 0, 0, index_granules_);
    Add(Kind::kBirth, PlaceOf(born_++), 0, granules_);
  } else if (linked_ < options_.objects) {
    const uint64_t object = linked_++;
    const uint64_t most = 2 * granules_ - 1;  // words behind the header
    switch (shape_) {
      case Shape::kGraph:
        for (uint64_t i = 0; i < std::min(options_.degree, most); ++i) {
          const uint64_t target = i == 0 ? successor_[object] : random_.Below(options_.objects);
          AddStore(PlaceOf(object), i, PlaceOf(target));
        }
        break;
      case Shape::kList:
        if (linked_ < options_.objects) AddStore(PlaceOf(object), 0, PlaceOf(linked_));
        break;
      case Shape::kZipf:
        AddStore(0, object, PlaceOf(object));
        break;
    }
  } else {
    Use();
  }
}

void Synthetic::Use() {
  // The n-th of c cycles begins after n/c of the accesses.
  if (cycles_ < options_.cycles && used_ >= options_.accesses / options_.cycles * cycles_) {
    ++cycles_;
    Add(Kind::kCycle, 0, 0, 1);
    ready_.back().roots = {0};
    if (options_.wait != 0) Add(Kind::kWait, 0, 0, 0);
    return;
  }
  if (used_ == options_.accesses) {
    Add(Kind::kWait, 0, 0, 0);
    ended_ = true;
    return;
  }
  const uint64_t n = used_++;
  switch (shape_) {
    case Shape::kGraph:
      Add(Kind::kAccess, PlaceOf(random_.Below(options_.objects)), 0, 0);
      break;
    case Shape::kList:
      Add(Kind::kAccess, PlaceOf(n % options_.objects), 0, 0);
      break;
    case Shape::kZipf: {
      const uint64_t record = record_of_rank_[zipf_->Draw(random_)];
      Add(Kind::kAccess, 0, (1 + record) / (2 * kPageGranules), 0);
      Add(Kind::kAccess, PlaceOf(record), 0, 0);
      break;
    }
  }
}

}  // namespace tandem::sim
