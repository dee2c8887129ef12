#include "sim/virtual_collector.h"

#include <algorithm>
#include <utility>

namespace tandem::sim {
namespace {

using tracer::Grey;
using tracer::Whereabouts;

constexpr size_t kLogCapacity = 512;
constexpr size_t kEdges = 256;
constexpr size_t kReadAhead = 32;  // pages of a large object
// Between two looks of a tracer that has nothing to do at present.
constexpr uint64_t kPollNs = 500;

}  // namespace

VirtualCollector::VirtualCollector(const Costs& costs, uint64_t heap_bytes, ObjectGraph& graph,
                                   VirtualPager& pager, base::Registry& registry,
                                   tracer::PageStamps stamps)
    : costs_(costs),
      heap_bytes_(heap_bytes),
      graph_(graph),
      pager_(pager),
      metrics_(registry),
      order_metrics_(registry),
      stamps_(std::move(stamps)) {}

StatusOr<std::unique_ptr<VirtualCollector>> VirtualCollector::Create(
    const std::string& order, const Costs& costs, uint64_t heap_bytes, ObjectGraph& graph,
    VirtualPager& pager, base::Registry& registry) {
  auto stamps = tracer::PageStamps::Create(pager.table().pages());
  if (!stamps.ok()) return stamps.status();
  std::unique_ptr<VirtualCollector> collector(
      new VirtualCollector(costs, heap_bytes, graph, pager, registry, std::move(*stamps)));
  auto made = tracer::MakeOrder(order, *collector, collector->order_metrics_);
  if (!made.ok()) return made.status();
  collector->order_ = std::move(*made);
  return collector;
}

// --- What orders ask for ---

Whereabouts VirtualCollector::Where(PageIndex page) {
  switch (swap::Residency(pager_.table().state(page).load(std::memory_order_relaxed))) {
    case swap::kLocal:
      return Whereabouts::kLocal;
    case swap::kFar:
      return Whereabouts::kFar;
    default:
      return Whereabouts::kOnItsWay;
  }
}

bool VirtualCollector::IsMarked(uintptr_t reference) {
  const Object* object = ObjectAt(GranuleOf(reference));
  return object == nullptr || object->marked_in == cycle_;
}

size_t VirtualCollector::Unmarked(PageIndex page) {
  size_t n = 0;
  for (Granule at = page * kPageGranules; at < (page + 1) * kPageGranules; ++at) {
    const Object* object = ObjectAt(at);
    n += object != nullptr && object->marked_in != cycle_;
  }
  return n;
}

double VirtualCollector::Turnover() {
  return static_cast<double>(pager_.metrics().evicted.Value()) /
         static_cast<double>(pager_.budget().limit());
}

double VirtualCollector::FreeShare() {
  const double used = static_cast<double>(graph_.bytes()) / static_cast<double>(heap_bytes_);
  return std::max(0.0, 1 - used);
}

bool VirtualCollector::LookAheadPays() {
  const swap::EarlyMetrics& early = pager_.metrics().lookahead;
  return look_ahead_.Pays(early.hits.Value(), early.unused.Value());
}

bool VirtualCollector::Shade(uintptr_t reference) {
  Object* object = ObjectAt(GranuleOf(reference));
  return object != nullptr && Mark(*object) && !object->leaf;
}

size_t VirtualCollector::Fetch(std::span<const PageIndex> pages, swap::Purpose purpose) {
  return pager_.Post(pages, purpose);
}

size_t VirtualCollector::Land() {
  return pager_.landed() - std::exchange(landed_seen_, pager_.landed());
}

Object* VirtualCollector::ObjectAt(Granule granule) {
  const ObjectId id = graph_.FindStart(granule);
  return id == kNoObject ? nullptr : &graph_.at(id);
}

bool VirtualCollector::Mark(Object& object) {
  if (object.marked_in == cycle_) return false;
  object.marked_in = cycle_;
  metrics_.marked.Add();
  return true;
}

// --- What the application does ---

void VirtualCollector::Begin(std::span<const Granule> roots, uint64_t now_ns) {
  running_ = true;
  ++cycle_;
  clock_ns_ = started_ns_ = std::max(clock_ns_, now_ns);
  access_log_ = order_->access_log();
  accesses_.Resize(order_->ring_entries());
  pager_.ShowEveryAccess(access_log_ == tracer::AccessLog::kObjects);
  if (access_log_ == tracer::AccessLog::kPages || access_log_ == tracer::AccessLog::kObjects) {
    pager_.ArmAllPages();
  }
  AddRoots(roots);
}

void VirtualCollector::AddRoots(std::span<const Granule> roots) {
  if (!running_ || roots.empty()) return;
  std::vector<uintptr_t> batch;
  batch.reserve(roots.size());
  for (const Granule root : roots) batch.push_back(ReferenceTo(root));
  pool_.push_back(std::move(batch));
}

void VirtualCollector::NoteAccess(Granule granule) {
  if (!running_ || access_log_ == tracer::AccessLog::kNone ||
      access_log_ == tracer::AccessLog::kStores) {
    return;
  }
  const ObjectId id = graph_.Find(granule);
  if (id == kNoObject) return;
  if (access_log_ == tracer::AccessLog::kObjects) stamps_.Use(granule / kPageGranules);
  const Object& object = graph_.at(id);
  if (access_log_ == tracer::AccessLog::kObjects && object.marked_in == cycle_) return;
  accesses_.Push(ReferenceTo(object.granule));
}

void VirtualCollector::NoteStore(Granule granule, Granule old_target, Granule new_target) {
  if (!running_) return;
  if (access_log_ == tracer::AccessLog::kObjects) {
    stamps_.Use(granule / kPageGranules);
    accesses_.Push(ReferenceTo(granule));
  }
  if (access_log_ == tracer::AccessLog::kStores && new_target != kNullGranule) {
    const Object* stored = ObjectAt(new_target);
    if (stored != nullptr && stored->marked_in != cycle_) accesses_.Push(ReferenceTo(new_target));
  }
  if (old_target == kNullGranule) return;
  const Object* object = ObjectAt(old_target);
  if (object == nullptr || object->marked_in == cycle_) return;
  log_.push_back(ReferenceTo(old_target));
  if (log_.size() == kLogCapacity) pool_.push_back(std::exchange(log_, {}));
}

// --- The tracer ---

void VirtualCollector::Step() {
  if (tracing_) return GoOnTracing();
  if (!marked_.empty()) {
    if (ahead_.size() == kAhead) {
      const Grey next = ahead_.front();
      ahead_.pop_front();
      return StartTracing(next);
    }
    ahead_.push_back(marked_.back());
    marked_.pop_back();
    return;
  }
  std::array<Grey, kBatch> batch;
  const size_t n = order_->Pop(batch);
  if (n > 0) {
    marked_.assign(batch.rend() - static_cast<ptrdiff_t>(n), batch.rend());
    MarkBatch();
  } else if (!ahead_.empty()) {
    const Grey next = ahead_.front();
    ahead_.pop_front();
    StartTracing(next);
  } else if (order_->size() > 0) {
    clock_ns_ += kPollNs;  // it would rather wait
  } else {
    EndRound();
  }
}

// In reverse, as marked_ is.
void VirtualCollector::MarkBatch() {
  std::vector<Grey> to_trace;
  for (auto grey = marked_.rbegin(); grey != marked_.rend(); ++grey) {
    clock_ns_ += costs_.mark_ns;
    if (!grey->marked()) {
      Object* object = ObjectAt(GranuleOf(grey->reference()));
      if (object == nullptr || !Mark(*object) || object->leaf) continue;
    }
    to_trace.push_back(*grey);
  }
  marked_.assign(to_trace.rbegin(), to_trace.rend());
}

void VirtualCollector::StartTracing(Grey grey) {
  const Granule granule = GranuleOf(grey.reference());
  const Object* object = ObjectAt(granule);
  if (object == nullptr) return;
  if (!pager_.IsLocal(object->first_page()) && order_->Defer(grey)) return;
  tracing_ = true;
  traced_ = granule;
  parent_ = grey.tag();
  next_page_ = read_ahead_ = object->first_page();
  wait_ = {};
  GoOnTracing();
}

// Page after page: its references are seen once it is local.
void VirtualCollector::GoOnTracing() {
  const Object* object = ObjectAt(traced_);
  if (object == nullptr) {
    tracing_ = false;
    return;
  }
  const uint64_t again = pager_.MakeLocal(next_page_, swap::Cause::kCollector, nullptr, wait_);
  if (again != 0) {
    clock_ns_ = again;
    return;
  }
  if (wait_.missed) clock_ns_ += costs_.fetch_ns;
  wait_ = {};
  clock_ns_ += costs_.mark_ns;
  if (object->last_page() > object->first_page()) ReadAhead(next_page_);
  // Word w of the object lies 8 (w + 1) bytes behind its start.
  const uint64_t start = object->granule * 2 + 1;
  const uint64_t page_start = next_page_ * kPageGranules * 2;
  const uint64_t first = page_start > start ? page_start - start : 0;
  const uint64_t end =
      std::min<uint64_t>(object->words.size(), page_start + 2 * kPageGranules - start);
  for (uint64_t word = first; word < end; ++word) {
    if (object->words[word] == kNullGranule) continue;
    if (edges_.size() == kEdges) PushEdges();
    edges_.push_back(ReferenceTo(object->words[word]));
  }
  if (next_page_++ < object->last_page()) return;
  PushEdges();
  tracing_ = false;
}

void VirtualCollector::PushEdges() {
  if (!edges_.empty()) order_->Push(edges_, parent_);
  edges_.clear();
}

void VirtualCollector::ReadAhead(PageIndex at) {
  const Object& object = *ObjectAt(traced_);
  read_ahead_ = std::max(read_ahead_, at + 1);
  const PageIndex end = object.last_page() + 1;
  const PageIndex goal = std::min<PageIndex>(end, at + kReadAhead);
  if (goal < read_ahead_ + kReadAhead / 2 && goal != end) return;
  std::array<PageIndex, kReadAhead> pages;
  size_t n = 0;
  for (PageIndex page = read_ahead_; page < goal; ++page) pages[n++] = page;
  if (n > 0) read_ahead_ += pager_.Post({pages.data(), n}, swap::Purpose::kTrace);
}

// The order is empty: the next batch, or the end once the application's log is empty as well.
void VirtualCollector::EndRound() {
  if (pool_.empty()) {
    metrics_.rounds.Add();
    if (log_.empty()) return EndCycle();
    pool_.push_back(std::exchange(log_, {}));
  }
  order_->Push(pool_.back(), 0);
  pool_.pop_back();
}

void VirtualCollector::EndCycle() {
  running_ = false;
  pager_.ShowEveryAccess(false);
  accesses_.Clear();
  access_log_ = tracer::AccessLog::kNone;
  const ObjectGraph::Swept swept =
      graph_.Sweep(cycle_, [this](PageIndex page) { pager_.MarkDead(page); });
  metrics_.cycles.Add();
  metrics_.freed_bytes.Add(swept.freed_bytes);
  metrics_.dead_pages.Add(swept.dead_pages);
  metrics_.live_bytes.Record(graph_.bytes());
  metrics_.mark_ns.Add(clock_ns_ - started_ns_);
  metrics_.cycle_ns.Record(clock_ns_ - started_ns_);
}

}  // namespace tandem::sim
