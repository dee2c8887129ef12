// Pager: keeps a heap's pages within a budget of local memory; the rest lives on the far side.
//
// Owns the address range of one heap, its page table and its evictor. page_state.h draws the
// state machine that all of this obeys. Methods that take a Port are called by the thread that
// owns the port. All of them are async-signal-safe unless they return a Status: the SIGBUS
// handler runs the same fetch as the barriers do.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "rdma/fabric.h"
#include "rdma/slab_map.h"
#include "runtime/base/metrics.h"
#include "runtime/base/os_memory.h"
#include "runtime/swap/arrivals.h"
#include "runtime/swap/budget.h"
#include "runtime/swap/evictor.h"
#include "runtime/swap/footprint.h"
#include "runtime/swap/mapper.h"
#include "runtime/swap/observers.h"
#include "runtime/swap/page_table.h"
#include "runtime/swap/pager_metrics.h"
#include "runtime/swap/port.h"
#include "runtime/swap/road_choice.h"
#include "runtime/swap/staging.h"
#include "runtime/swap/unmapper.h"
#include "runtime/swap/userfault.h"
#include "tandem/status.h"

namespace tandem::swap {

// On whose behalf a page is brought in.
enum class Cause : uint8_t { kMutator, kCollector };

// Called on the thread that needs what is lost; `address` is the page, or null; `reason` is one
// line, good until this thread loses another page. Async-signal-safe. The thread holds no lock and
// no page, so it may end the process or jump out (siglongjmp); out of Pin, the pins taken so far
// stay. If it returns, the process aborts.
using LostHandler = std::function<void(const void* address, const char* reason)>;

struct PagerOptions {
  size_t heap_bytes = 0;   // a multiple of the page size
  size_t local_pages = 0;  // budget; at least kMinLocalPages
  std::string replacement = "clock";
  bool use_move = true;
  bool protect_dead = false;
  bool show_every_access = false;  // always: see ShowEveryAccess
  LostHandler on_lost;
  // Told of the pages of Purpose::kPrefetch; outlives the pager. Null: nobody wants to know.
  EarlyObserver* prefetched = nullptr;
};

class Pager {
 public:
  static constexpr size_t kMinLocalPages = 64;

  // `fabric` and `registry` outlive the pager.
  static StatusOr<std::unique_ptr<Pager>> Create(PagerOptions options, rdma::Fabric& fabric,
                                                 base::Registry& registry);
  ~Pager();
  Pager(const Pager&) = delete;
  Pager& operator=(const Pager&) = delete;

  PageTable& table() { return *table_; }
  const Budget& budget() const { return *budget_; }
  const Footprint& footprint() const { return footprint_; }
  PagerMetrics& metrics() { return metrics_; }
  bool moves_pages() const { return move_; }
  size_t staging_bytes() const { return staging_->memory().size(); }

  // `observer` is told of the accesses of the port's thread; null: nobody is.
  StatusOr<std::unique_ptr<Port>> OpenPort(std::unique_ptr<AccessObserver> observer = nullptr);

  // Makes pages [table().used(), end) usable: they read as zeroes. One thread at a time.
  Status Extend(PageIndex end);

  // All methods on pages want pages below table().used().
  bool IsLocal(PageIndex page) {
    // Relaxed: the answer may be stale by the time it is used, whatever the order.
    return Residency(table_->state(page).load(std::memory_order_relaxed)) == kLocal;
  }

  // Returns when the page is local; for a mutator it is marked touched. It may leave again.
  void MakeLocal(PageIndex page, Port& port, Cause cause);
  // The same for `count` pages and a mutator, with many reads in flight.
  void MakeRangeLocal(PageIndex first, size_t count, Port& port);
  // Pages to be brought in without anybody waiting, and those of them that have come.
  Arrivals& arrivals() { return *arrivals_; }
  Evictor& evictor() { return *evictor_; }
  // Posts those of a range that need a read, for the application (Purpose::kHint), as far as there
  // is room just now. Pages at and beyond table().used() are left out.
  void FetchRangeEarly(PageIndex first, size_t count);
  // True if an access to the page would read it over the fabric now. Of any number, also of one
  // that is no page of this heap.
  bool NeedsRead(PageIndex page);
  // Makes fresh pages beginning with `first` local, up to `max` (not 0); returns how many were
  // fresh and now hold zeroes. 0 if the first is not fresh.
  size_t Populate(PageIndex first, size_t max);

  // The next access of a mutator to any page takes the barrier's slow path, which is a safepoint.
  // The accessed bits stay as they are.
  void ArmAllPages();
  // While set, a page that a mutator touches stays armed, so that each access takes the slow path.
  void ShowEveryAccess(bool show) {
    // Relaxed: pages touched a moment before or after may go either way.
    touched_.store(show || options_.show_every_access ? kLocal | kArmed : kLocal,
                   std::memory_order_relaxed);
  }

  // The content of these pages is worthless from now on. Far copies are dropped without being
  // fetched; local pages will be dropped instead of written when they leave. Pages in motion are
  // left as they are.
  void MarkDead(PageIndex first, size_t count);
  // The content of the page matters again (if it was dead, it is garbage or zeroes). Must come
  // before what is to be kept is written.
  void Revive(PageIndex page);
  // True if the page is fresh, or was marked dead and not revived: nothing in it needs a fetch.
  bool IsWorthless(PageIndex page);

  // Keeps pages local until unpinned. At most half of the budget may be pinned.
  void Pin(PageIndex first, size_t count, Port& port);
  void Unpin(PageIndex first, size_t count);

  // Lets the fault handler find this thread's port, and takes that back. SIGBUS is unblocked. A
  // thread that is bound to eight pagers already is served over the spare port.
  void BindThread(Port& port, Cause cause = Cause::kMutator);
  void UnbindThread();

  // The pager and port of this thread's binding whose heap holds `address`; null if none.
  struct Binding {
    Pager* pager = nullptr;
    Port* port = nullptr;
    Cause cause = Cause::kMutator;
  };
  static Binding* FindBinding(uintptr_t address);

  // Serves a fault or a barrier of any thread, bound or not.
  void ServeAccess(uintptr_t address);

  // Tells the lost-page handler that this thread cannot go on without the fabric: what it wanted,
  // and why it does not get it.
  [[noreturn]] void LostFabric(const char* what, const char* why);

 private:
  Pager(PagerOptions options, rdma::Fabric& fabric, base::Registry& registry);

  size_t TakeFrames(size_t want);
  void Touch(PageIndex page, PageState seen, Port& port, bool waited);
  void FetchPage(PageIndex page, Port& port, Cause cause);
  bool ReadPage(PageIndex page, uint32_t slot, Port& port, AccessObserver* observer, bool& lost);
  void Rescue(PageIndex page);
  void WaitForSpan(PageIndex page);
  void ReleaseSpare();
  // Why a page could not be had, and which server has it.
  const char* ReasonOf(PageIndex page, bool damaged) const;
  [[noreturn]] void Lost(const void* address, const char* reason);

  const PagerOptions options_;
  rdma::Fabric& fabric_;
  PagerMetrics metrics_;
  Footprint footprint_;
  bool move_ = false;
  base::OsMemory memory_;
  std::unique_ptr<Userfault> uffd_;
  std::unique_ptr<PageTable> table_;
  std::unique_ptr<Budget> budget_;
  std::unique_ptr<Staging> staging_;
  std::unique_ptr<RoadChoice> roads_;
  std::unique_ptr<Mapper> mapper_;
  std::unique_ptr<Unmapper> unmapper_;
  std::unique_ptr<rdma::SlabMap> slabs_;
  std::unique_ptr<Arrivals> arrivals_;
  std::unique_ptr<Evictor> evictor_;
  std::atomic<size_t> pinned_{0};
  std::atomic<PageState> touched_{kLocal};  // what the byte of a touched page is

  // For threads that are not bound, and for faults that interrupt a thread's own fetch.
  std::unique_ptr<Port> spare_port_;
  std::atomic<bool> spare_locked_{false};
};

}  // namespace tandem::swap
