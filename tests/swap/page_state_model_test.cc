// The page-state machine, checked in every interleaving of a small model.
//
// The model has the real steps, one atomic action each, of pager.cc and evictor.cc, but pages of
// one small number, one to three slots, and two mutators with programs of a few accesses. Beside
// what the runtime knows it keeps ghosts: what was last stored to each page, and whether the
// page is dead. After every step all bytes that count must be where the state says they are.
//
// Steps of the model, with the letters of page_state.h and the place in the code:
//
//   mutator   kLookup .. kGiveBack    Pager::MakeLocal, FetchPage, Populate, Rescue: take a frame,
//                                     (FAR) take a slot, a or g; read and verify, or copy from
//                                     the slot of the write; map; publish. b when a read fails
//             kAccess                 the access itself: it traps if the page has left since
//             kPin .. kUnpin          Pager::Pin, a system call on the page, Pager::Unpin
//             kMarkDead .. kDiscard   Pager::MarkDead; c', a'
//             kRevive                 Pager::Revive
//             kPostLock .. kPostUnlock Arrivals::Post of one page: a, then goes on
//             kLand .. kLandUnlock    Arrivals::Land of one page, by whoever finds FETCHING or no
//                                     frame; b when its read fails
//   evictor   kIdle                   the replacement's choice: c, or marks a page untouched
//             kCheckPins .. kPutBack  Evictor::EvictVictims; f
//             kTakeSlot .. kReturnFrame Unmapper::TakeOut, by MOVE or by COPY
//             kReadHash .. kPost      Evictor::Leave; d, e
//             kWriteDone .. kRecycle  Evictor::WriteCompleted; h
//   wire      a write takes effect: it reads its slot as late as possible
//
// What the model allows beyond the runtime, so that it covers it whatever the timing:
//   - The evictor steps each page by itself: every order within a batch is covered. It is not
//     told which thread holds the eviction lock: a mutator that evicts waits for nothing that
//     the evictor's thread would not wait for as well; what it may hold meanwhile, a page in
//     FETCHING and its slot, the evictor never waits for.
//   - It may choose any local page at any time, touched or not, short of frames or not.
//   - Writes complete in any order. (One page's are never in flight together: an invariant.)
//   - So do the reads of arrivals, as late as anybody likes; and nobody lands them on his rounds:
//     the evictor's thread does, but those who wait must not depend on it. All frames may be on
//     their way.
//   - Who has revived a page may store to it without a look at its state.
// What it demands of the callers: a dead page is revived only after MarkDead has returned, and the
// pinned pages are fewer than the budget.
// Interleavings are sequentially consistent. A liveness error is a state from which no schedule
// leads to the end; starvation under an unfair schedule is none.
//
// A checker that finds nothing proves nothing, so each rule of the protocol is also broken on
// purpose (enum class Bug), and the explorer must then find what goes wrong.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdlib>
#include <iterator>
#include <ostream>
#include <string>
#include <utility>
#include <vector>

#include "runtime/swap/page_state.h"
#include "runtime/swap/page_table.h"
#include "tests/base/interleaving.h"

namespace tandem::swap {
namespace {

using tandem::testing::Exploration;
using tandem::testing::ExploreInterleavings;
using ::testing::HasSubstr;

// --- What is run ---

enum class Road : uint8_t { kMove, kCopy };

enum class Bug : uint8_t {
  kNone,
  // Fetch
  kClaimsWithoutCas,
  kTakesFrameAfterClaim,
  kReadsSlotBeforeClaim,
  kRescueMovesTheBytes,
  kRescuerFreesSlotAtOnce,
  // Evict
  kIgnoresPins,
  kChecksPinsBeforeLeaving,
  kEvictsDuringWrite,
  kReadsHashBeforeLeaving,
  kReadsHashBeforeUnmapping,
  kCopiesBeforeProtecting,
  kReturnsFrameBeforeUnmapping,
  kPublishesWritingBeforeSlot,
  kIgnoresRescue,
  kStoresFarAfterWrite,
  kPollsOnlyWhenIdle,
  // Sweep and allocate
  kMarksDeadWithoutClaim,
  kRevivesAfterStoring,
  // Arrivals
  kLandsWithoutLock,
  kLandsWithoutMapping,
  kWaitsForPageWithoutLanding,
  kWaitsForFrameWithoutLanding,
  kPosterWaitsForFrame,
  kPostsWithoutCas,
  kForgetsFrameOfFailedRead,
};

enum class Do : uint8_t {
  kLoad,
  kStore,
  kPinnedStore,
  kBringIn,           // as the collector does: no access
  kPost,              // as a prefetcher does: without waiting
  kMarkDead,          // the sweeper, of a page that nobody will access before it is allocated
  kReviveAndStore,    // without a look at the state: the MMU will tell
  kAllocateAndStore,  // the same, by way of Pager::MakeLocal
};

struct Op {
  Do what;
  uint8_t page;
  uint8_t value = 0;
};

Op Load(uint8_t page) { return {Do::kLoad, page}; }
Op Store(uint8_t page, uint8_t value) { return {Do::kStore, page, value}; }
Op PinnedStore(uint8_t page, uint8_t value) { return {Do::kPinnedStore, page, value}; }
Op BringIn(uint8_t page) { return {Do::kBringIn, page}; }
Op Post(uint8_t page) { return {Do::kPost, page}; }
Op Die(uint8_t page) { return {Do::kMarkDead, page}; }
Op ReviveAndStore(uint8_t page, uint8_t value) { return {Do::kReviveAndStore, page, value}; }
Op AllocateAndStore(uint8_t page, uint8_t value) { return {Do::kAllocateAndStore, page, value}; }

using Program = std::vector<Op>;

struct Scenario {
  std::array<Program, 2> programs;
  uint8_t pages = 1;
  uint8_t budget = 1;
  uint8_t slots = 2;
  uint8_t failing_reads = 0;
  Bug bug = Bug::kNone;
  Road road = Road::kMove;
};

// --- The model ---

class PageStateModel {
 public:
  static constexpr size_t kMutators = 2;
  static constexpr size_t kMaxPages = 2;
  static constexpr size_t kMaxSlots = 3;

  // Where a mutator stands.
  enum Pc : uint8_t {
    kDone,
    kLookup,
    kTouch,
    kTakeFrame,
    kTakeReadSlot,
    kEarlyLook,  // only with kReadsSlotBeforeClaim
    kClaim,
    kGiveBack,
    // The page is FETCHING, claimed by this mutator:
    kRead,
    kVerify,
    kFindSlot,
    kMap,
    kFreeReadSlot,
    kPublish,
    kGiveUp,
    kMarkNoFarCopy,
    kMarkFresh,
    // Not any more.
    kRescued,
    kRescuerClears,
    kRescuerRecycles,
    kAccess,
    kPin,
    kKernelAccess,
    kUnpin,
    kMarkDead,
    kClaimLocalDead,
    kMarkLocalDead,
    kPutDeadBack,
    kClaimDead,
    kDiscard,
    kRevive,
    // With the lock of the arrivals.
    kPostLock,
    kPostLook,
    kPostTakeSlot,
    kPostTakeFrame,
    kPostClaim,
    kPostUnlock,
    kLand,
    kLandVerify,
    kLandMap,
    kLandFreeSlot,
    kLandPublish,
    kLandGiveUp,
    kLandReturnFrame,
    kLandUnlock,
  };

  // Where the evictor stands with a page.
  enum EvictorPc : uint8_t {
    kIdle,
    kLeave,  // only with bugs that look at something before LEAVING
    kCheckPins,
    kCheckSlot,
    kPutBack,
    kTakeSlot,
    kUnmap,
    kProtect,
    kCopy,
    kDrop,
    kReturnFrame,
    kReadHash,
    kJudge,
    kDropWorthless,
    kPublishFresh,
    kDropClean,
    kPublishClean,
    kNameSlot,
    kPublishWriting,
    kPost,
    kWriteDone,
    kClearSlot,
    kRecycle,
  };

  enum Wire : uint8_t { kNotPosted, kInFlight, kDelivered };

  enum Broken : uint8_t {
    kRight,
    kStaleLoad,
    kMappedTwice,
    kPinnedPageMissing,
    kFalseDamage,
    kSlotFreedEarly,
    kNoSlotNamed,
    kForbiddenTransition,
  };

  struct Page {
    uint8_t state, hash, slot, pins;  // as in PageTable
    uint8_t mapped, read_only, content;
    uint8_t far_copy;
    uint8_t ghost, dead;  // what was stored last; whether that does not matter any more
  };
  struct Slot {
    uint8_t user;  // 0: free; 1 + page: a write; kReadUser: a fetch
    uint8_t bytes, flags, wire;
  };
  struct Mutator {
    uint8_t pc, op;
    uint8_t seen;   // the state byte it acts upon; kPutDeadBack: there was a far copy
    uint8_t slot;   // 1 + the slot it reads into, copies from or lands
    uint8_t frame;  // holds one for a page that is not mapped yet
    uint8_t back;   // where it goes on when it has landed a page
    uint8_t lands;  // which
  };
  // A page among the arrivals.
  struct Arrival {
    uint8_t slot;   // 1 + the slot that it is read into; 0: the page is not among them
    uint8_t frame;  // holds one: the page is not mapped yet
  };
  struct Leaving {
    uint8_t pc, slot, known;
  };
  struct State {
    Page pages[kMaxPages];
    Slot slots[kMaxSlots];
    Mutator mutators[kMutators];
    Leaving evictor[kMaxPages];
    Arrival arrivals[kMaxPages];
    uint8_t locked;  // the lock of the arrivals
    uint8_t free_frames, failing_reads, broken;
  };

  struct Step {
    char actor;
    uint8_t page;
    const char* what;
  };

  explicit PageStateModel(Scenario scenario) : scenario_(std::move(scenario)) {}

  State Initial() const;
  template <typename Visit>
  void ForEachStep(const State& s, Visit visit) const;
  const char* Violation(const State& s) const;
  bool IsEnd(const State& s) const;
  std::string Describe(const Step& step) const;

  // The letters of page_state.h whose transitions were seen so far; i: FETCHING -> LOCAL.
  const std::string& transitions() const { return transitions_; }

 private:
  static constexpr uint8_t kReadUser = 0x80;
  // As in Evictor.
  static constexpr uint8_t kWriteDoneFlag = 1;
  static constexpr uint8_t kRescueDoneFlag = 2;

  static uint8_t Hash(uint8_t content) { return content + 2; }
  static Pc AfterClaim(const Mutator& m) {
    return m.seen == kWriting ? kFindSlot : m.seen == kFar ? kRead : kMap;
  }
  bool Has(Bug bug) const { return scenario_.bug == bug; }
  const Op& OpOf(const State& s, size_t m) const { return scenario_.programs[m][s.mutators[m].op]; }

  template <typename Emit>
  void StepMutator(const State& s, size_t m, Emit emit) const;
  template <typename Emit>
  void StepPoster(const State& s, size_t m, Emit emit) const;
  template <typename Emit>
  void TryToLand(const State& s, size_t m, Emit emit) const;
  template <typename Emit>
  void StepLander(const State& s, size_t m, Emit emit) const;
  template <typename Emit>
  void StepEvictor(const State& s, uint8_t p, Emit emit) const;
  void StartOp(State& n, size_t m) const;
  void FinishOp(State& n, size_t m) const;
  void Arrive(State& n, size_t m) const;
  void Access(State& n, const Op& op) const;
  void FreeSlot(State& n, uint8_t slot) const;
  int TakeFreeSlot(State& n, uint8_t user) const;
  void CheckTransition(State& n, uint8_t from, uint8_t to) const;

  const Scenario scenario_;
  mutable std::string transitions_;
};

PageStateModel::State PageStateModel::Initial() const {
  State s{};
  for (Page& page : s.pages) page.state = kFar | kFresh;
  s.free_frames = scenario_.budget;
  s.failing_reads = scenario_.failing_reads;
  for (size_t m = 0; m < kMutators; ++m) StartOp(s, m);
  return s;
}

template <typename Visit>
void PageStateModel::ForEachStep(const State& s, Visit visit) const {
  const auto checked = [&](State& n, Step step) {
    for (uint8_t p = 0; p < scenario_.pages; ++p) {
      CheckTransition(n, s.pages[p].state, n.pages[p].state);
    }
    visit(static_cast<const State&>(n), step);
  };
  for (size_t m = 0; m < kMutators; ++m) {
    const uint8_t pc = s.mutators[m].pc;
    if (pc >= kLand) {
      StepLander(s, m, checked);
    } else if (pc >= kPostLock) {
      StepPoster(s, m, checked);
    } else if (pc != kDone) {
      StepMutator(s, m, checked);
    }
  }
  for (uint8_t p = 0; p < scenario_.pages; ++p) StepEvictor(s, p, checked);
  for (size_t i = 0; i < scenario_.slots; ++i) {
    if (s.slots[i].wire != kInFlight) continue;
    State n = s;
    const auto page = static_cast<uint8_t>(s.slots[i].user - 1);
    n.pages[page].far_copy = n.slots[i].bytes;
    n.slots[i].wire = kDelivered;
    checked(n, {'w', page, "the write arrives"});
  }
}

// --- Mutators ---

void PageStateModel::StartOp(State& n, size_t m) const {
  Mutator& me = n.mutators[m];
  if (me.op >= scenario_.programs[m].size()) {
    me.pc = kDone;
    return;
  }
  switch (OpOf(n, m).what) {
    case Do::kLoad:
    case Do::kStore:
    case Do::kBringIn:
      me.pc = kLookup;
      break;
    case Do::kPost:
      me.pc = kPostLock;
      break;
    case Do::kPinnedStore:
      me.pc = kPin;
      break;
    case Do::kMarkDead:
      me.pc = kMarkDead;
      break;
    case Do::kReviveAndStore:
    case Do::kAllocateAndStore:
      me.pc = Has(Bug::kRevivesAfterStoring) ? kAccess : kRevive;
      break;
  }
}

void PageStateModel::FinishOp(State& n, size_t m) const {
  const auto next = static_cast<uint8_t>(n.mutators[m].op + 1);
  n.mutators[m] = {};
  n.mutators[m].op = next;
  StartOp(n, m);
}

// The page is local, or was a moment ago.
void PageStateModel::Arrive(State& n, size_t m) const {
  n.mutators[m].seen = 0;
  switch (OpOf(n, m).what) {
    case Do::kBringIn:
      FinishOp(n, m);
      break;
    case Do::kPinnedStore:
      n.mutators[m].pc = kKernelAccess;
      break;
    default:
      n.mutators[m].pc = kAccess;
  }
}

void PageStateModel::Access(State& n, const Op& op) const {
  Page& page = n.pages[op.page];
  if (op.what == Do::kLoad) {
    if (page.content != page.ghost) n.broken = kStaleLoad;
    return;
  }
  page.content = page.ghost = op.value;
  page.dead = 0;
}

void PageStateModel::FreeSlot(State& n, uint8_t slot) const {
  if (n.slots[slot].wire == kInFlight) n.broken = kSlotFreedEarly;
  for (const Mutator& other : n.mutators) {
    // In use by a rescuer until it has said so; a reader frees its own.
    if (other.slot == slot + 1 && other.pc >= kRead && other.pc <= kRescued) {
      n.broken = kSlotFreedEarly;
    }
  }
  n.slots[slot] = {};
}

int PageStateModel::TakeFreeSlot(State& n, uint8_t user) const {
  for (size_t i = 0; i < scenario_.slots; ++i) {
    if (n.slots[i].user != 0) continue;
    n.slots[i].user = user;
    return static_cast<int>(i);
  }
  return -1;
}

template <typename Emit>
void PageStateModel::StepMutator(const State& s, size_t m, Emit emit) const {
  State n = s;
  const Op& op = OpOf(s, m);
  Mutator& me = n.mutators[m];
  Page& page = n.pages[op.page];
  const auto step = [&](const char* what) {
    emit(n, Step{static_cast<char>('A' + m), op.page, what});
  };

  switch (s.mutators[m].pc) {
    // The fetch.
    case kLookup:
      me.seen = page.state;
      switch (Residency(page.state)) {
        case kLocal:
          if (page.state == kLocal || op.what == Do::kBringIn) {
            Arrive(n, m);
          } else {
            me.pc = kTouch;
          }
          return step("sees LOCAL");
        case kFar:
        case kWriting:
          me.pc = Has(Bug::kTakesFrameAfterClaim)                             ? kClaim
                  : page.state == kWriting && Has(Bug::kReadsSlotBeforeClaim) ? kEarlyLook
                                                                              : kTakeFrame;
          return step(page.state == kWriting ? "sees WRITING" : "sees FAR");
        default:  // waits for the fetcher or the evictor, or for what it lands itself
          if (!Has(Bug::kWaitsForPageWithoutLanding)) TryToLand(s, m, emit);
          return;
      }
    case kTouch:
      if (page.state == me.seen) page.state = kLocal;
      Arrive(n, m);
      return step("clears untouched");
    case kEarlyLook:
      me.slot = page.slot;
      me.pc = kTakeFrame;
      return step("reads the slot's number, too early");
    case kTakeFrame:
      if (n.free_frames == 0) {  // waits for the evictor, and for what it lands itself
        if (!Has(Bug::kWaitsForFrameWithoutLanding)) TryToLand(s, m, emit);
        return;
      }
      --n.free_frames;
      me.frame = 1;
      if (Has(Bug::kTakesFrameAfterClaim)) {
        me.pc = AfterClaim(me);
      } else {
        me.pc = me.seen == kFar ? kTakeReadSlot : kClaim;
      }
      return step("takes a frame");
    case kTakeReadSlot: {
      const int slot = TakeFreeSlot(n, kReadUser);
      if (slot < 0) return;  // waits for other fetchers and for writes
      me.slot = static_cast<uint8_t>(slot + 1);
      me.pc = Has(Bug::kTakesFrameAfterClaim) ? kTakeFrame : kClaim;
      return step("takes a slot to read into");
    }
    case kClaim:
      if (page.state != me.seen && !Has(Bug::kClaimsWithoutCas)) {
        me.pc = me.frame != 0 ? kGiveBack : kLookup;
        return step("finds that the page's state has changed");
      }
      page.state = kFetching;
      if (Has(Bug::kTakesFrameAfterClaim)) {
        me.pc = me.seen == kFar ? kTakeReadSlot : kTakeFrame;
      } else {
        me.pc = AfterClaim(me);
      }
      return step(me.seen == kWriting ? "g: WRITING -> FETCHING" : "a: FAR -> FETCHING");
    case kGiveBack:  // two actions in one step: nobody looks at both counts
      ++n.free_frames;
      me.frame = 0;
      if (me.seen == kFar) FreeSlot(n, me.slot - 1);
      me.slot = me.seen = 0;
      me.pc = kLookup;
      return step("gives frame and slot back");
    case kRead:
      if (n.failing_reads > 0) {
        --n.failing_reads;
        me.pc = kGiveUp;
        step("the read fails for good");
        ++n.failing_reads;
      }
      n.slots[me.slot - 1].bytes = page.far_copy;
      me.pc = kVerify;
      return step("the read arrives");
    case kVerify:
      if (page.hash != Hash(n.slots[me.slot - 1].bytes)) {
        n.broken = kFalseDamage;
      }
      me.pc = kMap;
      return step("verifies the far copy's hash");
    case kFindSlot:
      if (!Has(Bug::kReadsSlotBeforeClaim)) me.slot = page.slot;
      if (me.slot == 0) {
        n.broken = kNoSlotNamed;
        me.slot = 1;
      }
      me.pc = kMap;
      return step("reads the slot's number");
    case kMap:
      if (page.mapped != 0) n.broken = kMappedTwice;
      page.content = me.slot == 0 ? 0 : n.slots[me.slot - 1].bytes;
      if (me.seen == kWriting && Has(Bug::kRescueMovesTheBytes)) n.slots[me.slot - 1].bytes = 0;
      page.mapped = 1;
      me.frame = 0;
      me.pc = me.seen == kFar ? kFreeReadSlot : kPublish;
      return step("maps the page");
    case kFreeReadSlot:
      n.slots[me.slot - 1] = {};
      me.slot = 0;
      me.pc = kPublish;
      return step("frees the slot it read into");
    case kPublish:
      page.state = op.what == Do::kBringIn && me.seen == kFar ? kLocal | kUntouched : kLocal;
      me.pc = me.seen == kWriting ? kRescued : kLookup;
      me.seen = 0;
      return step("FETCHING -> LOCAL");
    case kRescued: {
      const uint8_t old = n.slots[me.slot - 1].flags;
      n.slots[me.slot - 1].flags |= kRescueDoneFlag;
      const bool recycle = (old & kWriteDoneFlag) != 0 || Has(Bug::kRescuerFreesSlotAtOnce);
      me.pc = recycle ? kRescuerClears : kLookup;
      if (!recycle) me.slot = 0;
      return step("sets kRescueDone");
    }
    case kRescuerClears:
      page.slot = 0;
      me.pc = kRescuerRecycles;
      return step("clears the page's slot number");
    case kRescuerRecycles:
      FreeSlot(n, me.slot - 1);
      me.slot = 0;
      me.pc = kLookup;
      return step("recycles the write's slot");
    case kGiveUp:
      page.state = kFar;
      me.pc = kGiveBack;
      return step("b: FETCHING -> FAR");

    // What the page was wanted for.
    case kAccess:
      if (page.mapped == 0 || (page.read_only != 0 && op.what != Do::kLoad)) {
        me.pc = kLookup;
        return step("traps");
      }
      Access(n, op);
      if (op.what == Do::kReviveAndStore && Has(Bug::kRevivesAfterStoring)) {
        me.pc = kRevive;
      } else {
        FinishOp(n, m);
      }
      return step(op.what == Do::kLoad ? "loads" : "stores");
    case kPin:
      ++page.pins;
      me.pc = kLookup;
      return step("raises the pin count");
    case kKernelAccess:
      if (page.mapped == 0 || page.read_only != 0) n.broken = kPinnedPageMissing;
      Access(n, op);
      me.pc = kUnpin;
      return step("stores through the kernel");
    case kUnpin:
      --page.pins;
      FinishOp(n, m);
      return step("lowers the pin count");

    // Death and new life.
    case kMarkDead:
      page.dead = 1;
      me.seen = page.state;
      if (Residency(page.state) == kLocal) {
        me.pc = Has(Bug::kMarksDeadWithoutClaim) ? kMarkLocalDead : kClaimLocalDead;
      } else if (page.state == kFar) {
        me.pc = kClaimDead;
      } else {
        FinishOp(n, m);
      }
      return step("looks at the dead page's state");
    case kClaimLocalDead:
      if (page.state != me.seen) {
        FinishOp(n, m);
        return step("finds that the page's state has changed");
      }
      page.state = kLeaving;
      me.pc = kMarkLocalDead;
      return step("c': LOCAL -> LEAVING");
    case kMarkLocalDead:
      me.seen = page.hash > kDeadContent ? 1 : 0;
      page.hash = kDeadContent;
      me.pc = kPutDeadBack;
      return step("hash = dead");
    case kPutDeadBack:
      if (!Has(Bug::kMarksDeadWithoutClaim)) page.state = kLocal | kUntouched;
      if (me.seen != 0) {
        me.pc = kDiscard;
      } else {
        FinishOp(n, m);
      }
      return step("c': LEAVING -> LOCAL|untouched");
    case kClaimDead:
      if (page.state != kFar) {
        FinishOp(n, m);
        return step("finds that the page's state has changed");
      }
      page.state = kFetching;
      me.pc = kMarkNoFarCopy;
      return step("a': FAR -> FETCHING");
    case kMarkNoFarCopy:
      page.hash = kNoFarCopy;
      me.pc = kMarkFresh;
      return step("hash = none");
    case kMarkFresh:
      page.state = kFar | kFresh;
      me.pc = kDiscard;
      return step("a': FETCHING -> FAR|fresh");
    case kDiscard:
      page.far_copy = 0;
      FinishOp(n, m);
      return step("discards the far copy");
    case kRevive:
      if (page.hash == kDeadContent) page.hash = kNoFarCopy;
      if (Has(Bug::kRevivesAfterStoring)) {
        FinishOp(n, m);
      } else {
        me.pc = op.what == Do::kAllocateAndStore ? kLookup : kAccess;
      }
      return step("revives");
    default:
      std::abort();
  }
}

// --- Arrivals ---

template <typename Emit>
void PageStateModel::StepPoster(const State& s, size_t m, Emit emit) const {
  State n = s;
  const uint8_t p = OpOf(s, m).page;
  Mutator& me = n.mutators[m];
  Page& page = n.pages[p];
  const auto step = [&](const char* what) { emit(n, Step{static_cast<char>('A' + m), p, what}); };

  switch (s.mutators[m].pc) {
    case kPostLock:
      if (n.locked != 0) {
        FinishOp(n, m);
        return step("finds the lock of the arrivals taken, and goes on");
      }
      n.locked = 1;
      me.pc = kPostLook;
      return step("locks the arrivals to post");
    case kPostLook:
      me.pc = page.state == kFar ? kPostTakeSlot : kPostUnlock;
      return step("looks whether the page is far");
    case kPostTakeSlot: {
      const int slot = TakeFreeSlot(n, kReadUser);
      if (slot >= 0) me.slot = static_cast<uint8_t>(slot + 1);
      me.pc = slot >= 0 ? kPostTakeFrame : kPostUnlock;
      return step("takes a slot to read into, if there is one");
    }
    case kPostTakeFrame:
      if (n.free_frames == 0) {
        if (Has(Bug::kPosterWaitsForFrame)) return;
        FreeSlot(n, me.slot - 1);
        me.slot = 0;
        me.pc = kPostUnlock;
        return step("finds no frame");
      }
      --n.free_frames;
      me.frame = 1;
      me.pc = kPostClaim;
      return step("takes a frame");
    case kPostClaim:
      if (page.state != kFar && !Has(Bug::kPostsWithoutCas)) {
        FreeSlot(n, me.slot - 1);
        ++n.free_frames;
      } else {
        page.state = kFetching;
        n.arrivals[p] = {me.slot, 1};
      }
      me.slot = me.frame = 0;
      me.pc = kPostUnlock;
      return step(page.state == kFetching ? "a: FAR -> FETCHING, and posts the read"
                                          : "finds that the page's state has changed");
    case kPostUnlock:
      n.locked = 0;
      FinishOp(n, m);
      return step("unlocks the arrivals");
    default:
      std::abort();
  }
}

// For a mutator that holds no frame, no slot and no page, and waits.
template <typename Emit>
void PageStateModel::TryToLand(const State& s, size_t m, Emit emit) const {
  if (s.locked != 0 && !Has(Bug::kLandsWithoutLock)) return;
  for (uint8_t p = 0; p < scenario_.pages; ++p) {
    if (s.arrivals[p].slot == 0) continue;
    State n = s;
    Mutator& me = n.mutators[m];
    n.locked = 1;
    me.back = me.pc;
    me.lands = p;
    me.slot = s.arrivals[p].slot;
    me.pc = kLand;
    emit(n, Step{static_cast<char>('A' + m), p, "locks the arrivals to land"});
  }
}

template <typename Emit>
void PageStateModel::StepLander(const State& s, size_t m, Emit emit) const {
  State n = s;
  Mutator& me = n.mutators[m];
  const uint8_t p = me.lands;
  Page& page = n.pages[p];
  Arrival& arrival = n.arrivals[p];
  const auto step = [&](const char* what) { emit(n, Step{static_cast<char>('A' + m), p, what}); };

  switch (s.mutators[m].pc) {
    case kLand:
      me.pc = kLandUnlock;
      step("finds that nothing has arrived");
      if (n.failing_reads > 0) {
        --n.failing_reads;
        me.pc = kLandGiveUp;
        step("finds that the read failed for good");
        ++n.failing_reads;
      }
      n.slots[me.slot - 1].bytes = page.far_copy;
      me.pc = kLandVerify;
      return step("finds that the read arrived");
    case kLandVerify:
      if (page.hash != Hash(n.slots[me.slot - 1].bytes)) n.broken = kFalseDamage;
      me.pc = Has(Bug::kLandsWithoutMapping) ? kLandPublish : kLandMap;
      return step("verifies the far copy's hash");
    case kLandMap:
      if (page.mapped != 0) {
        n.broken = kMappedTwice;
        return step("maps the page");
      }
      page.content = n.slots[me.slot - 1].bytes;
      page.mapped = 1;
      arrival.frame = 0;
      me.pc = kLandFreeSlot;
      return step("maps the page");
    case kLandFreeSlot:
      FreeSlot(n, me.slot - 1);
      arrival = {};
      me.pc = kLandPublish;
      return step("frees the slot and the entry");
    case kLandPublish:
      page.state = kLocal | kUntouched;
      me.pc = kLandUnlock;
      return step("FETCHING -> LOCAL");
    case kLandGiveUp:
      FreeSlot(n, me.slot - 1);
      arrival = {};
      page.state = kFar;
      me.frame = Has(Bug::kForgetsFrameOfFailedRead) ? 0 : 1;
      me.pc = kLandReturnFrame;
      return step("b: FETCHING -> FAR");
    case kLandReturnFrame:
      n.free_frames += me.frame;
      me.frame = 0;
      me.pc = kLandUnlock;
      return step("gives the frame back");
    case kLandUnlock:
      n.locked = 0;
      me.pc = me.back;
      me.back = me.lands = me.slot = 0;
      return step("unlocks the arrivals");
    default:
      std::abort();
  }
}

// --- The evictor ---

template <typename Emit>
void PageStateModel::StepEvictor(const State& s, uint8_t p, Emit emit) const {
  State n = s;
  Leaving& me = n.evictor[p];
  Page& page = n.pages[p];
  const auto step = [&](const char* what) { emit(n, Step{'e', p, what}); };
  const auto idle = [&] { me = {}; };

  switch (s.evictor[p].pc) {
    case kIdle: {
      if (Residency(page.state) == kLocal) {
        if (Has(Bug::kReadsHashBeforeLeaving)) {
          me.known = page.hash;
          me.pc = kLeave;
          step("reads the hash, too early");
        } else if (Has(Bug::kChecksPinsBeforeLeaving)) {
          if (page.pins != 0) return;
          me.pc = kLeave;
          step("checks the pins, too early");
        } else {
          page.state = kLeaving;
          me.pc = kCheckPins;
          step("c: LOCAL -> LEAVING");
        }
        n = s;
        if (page.state == kLocal) {
          page.state |= kUntouched;
          step("marks the page untouched");
          n = s;
        }
      }
      if (Has(Bug::kPollsOnlyWhenIdle)) {
        for (uint8_t q = 0; q < scenario_.pages; ++q) {
          if (s.evictor[q].pc != kIdle && s.evictor[q].pc < kWriteDone) return;
        }
      }
      for (uint8_t i = 0; i < scenario_.slots; ++i) {
        if (s.slots[i].user != p + 1 || s.slots[i].wire != kDelivered ||
            (s.slots[i].flags & kWriteDoneFlag) != 0) {
          continue;
        }
        n = s;
        me.slot = i;
        if (page.state == kWriting || Has(Bug::kStoresFarAfterWrite)) {
          page.state = kFar;
          me.pc = kClearSlot;
          step("h: WRITING -> FAR");
        } else {
          me.pc = Has(Bug::kIgnoresRescue) ? kClearSlot : kWriteDone;
          step("finds that the page was taken back");
        }
      }
      return;
    }
    case kLeave:
      if (Residency(page.state) != kLocal) {
        idle();
        return step("finds that the page's state has changed");
      }
      page.state = kLeaving;
      me.pc = kCheckPins;
      return step("c: LOCAL -> LEAVING");
    case kCheckPins:
      me.pc = kCheckSlot;
      if (page.pins != 0 && !Has(Bug::kIgnoresPins) && !Has(Bug::kChecksPinsBeforeLeaving)) {
        me.pc = kPutBack;
      }
      return step("checks the pins");
    case kCheckSlot:
      me.pc = page.slot != 0 && !Has(Bug::kEvictsDuringWrite) ? kPutBack : kTakeSlot;
      return step("checks for a write in flight");
    case kPutBack:
      page.state = kLocal;
      idle();
      return step("f: LEAVING -> LOCAL");
    case kTakeSlot: {
      if (Has(Bug::kReadsHashBeforeUnmapping)) me.known = page.hash;
      const int slot = TakeFreeSlot(n, p + 1);
      if (slot < 0) return;  // waits for fetchers and for writes
      me.slot = static_cast<uint8_t>(slot);
      me.pc = scenario_.road == Road::kMove       ? kUnmap
              : Has(Bug::kCopiesBeforeProtecting) ? kCopy
                                                  : kProtect;
      if (Has(Bug::kReturnsFrameBeforeUnmapping)) ++n.free_frames;
      return step("takes a slot");
    }
    case kUnmap:
      n.slots[me.slot].bytes = page.content;
      page.mapped = page.content = 0;
      me.pc = kReturnFrame;
      return step("moves the page out");
    case kProtect:
      page.read_only = 1;
      me.pc = Has(Bug::kCopiesBeforeProtecting) ? kDrop : kCopy;
      return step("write-protects the page");
    case kCopy:
      n.slots[me.slot].bytes = page.content;
      me.pc = Has(Bug::kCopiesBeforeProtecting) ? kProtect : kDrop;
      return step("copies the page");
    case kDrop:
      page.mapped = page.content = page.read_only = 0;
      me.pc = kReturnFrame;
      return step("unmaps the page");
    case kReturnFrame:
      if (!Has(Bug::kReturnsFrameBeforeUnmapping)) ++n.free_frames;
      me.pc = kReadHash;
      return step("gives the frame back");
    case kReadHash:
      if (!Has(Bug::kReadsHashBeforeLeaving) && !Has(Bug::kReadsHashBeforeUnmapping)) {
        me.known = page.hash;
      }
      me.pc = kJudge;
      return step("reads the hash");
    case kJudge: {
      const uint8_t content = n.slots[me.slot].bytes;
      if (me.known == Hash(content)) {
        me.pc = kDropClean;
        return step("finds the page clean");
      }
      if (me.known == kDeadContent || content == 0) {
        page.hash = kNoFarCopy;
        me.pc = kDropWorthless;
        return step("finds the page dead or zero; hash = none");
      }
      page.hash = Hash(content);
      me.pc = Has(Bug::kPublishesWritingBeforeSlot) ? kPublishWriting : kNameSlot;
      return step("finds the page dirty; hash = its hash");
    }
    case kDropWorthless:
      FreeSlot(n, me.slot);
      me.pc = kPublishFresh;
      return step("frees the slot");
    case kPublishFresh:
      page.state = kFar | kFresh;
      idle();
      return step("d: LEAVING -> FAR|fresh");
    case kDropClean:
      FreeSlot(n, me.slot);
      me.pc = kPublishClean;
      return step("frees the slot");
    case kPublishClean:
      page.state = kFar;
      idle();
      return step("d: LEAVING -> FAR");
    case kNameSlot:
      page.slot = me.slot + 1;
      me.pc = Has(Bug::kPublishesWritingBeforeSlot) ? kPost : kPublishWriting;
      return step("names the slot");
    case kPublishWriting:
      page.state = kWriting;
      me.pc = Has(Bug::kPublishesWritingBeforeSlot) ? kNameSlot : kPost;
      return step("e: LEAVING -> WRITING");
    case kPost:
      n.slots[me.slot].wire = kInFlight;
      idle();
      return step("posts the write");
    case kWriteDone: {
      const uint8_t old = n.slots[me.slot].flags;
      n.slots[me.slot].flags |= kWriteDoneFlag;
      if ((old & kRescueDoneFlag) != 0) {
        me.pc = kClearSlot;
      } else {
        idle();
      }
      return step("sets kWriteDone");
    }
    case kClearSlot:
      page.slot = 0;
      me.pc = kRecycle;
      return step("clears the page's slot number");
    case kRecycle: {
      const uint8_t slot = me.slot;
      idle();
      FreeSlot(n, slot);
      return step("recycles the write's slot");
    }
    default:
      std::abort();
  }
}

// --- Invariants ---

void PageStateModel::CheckTransition(State& n, uint8_t from, uint8_t to) const {
  const uint8_t a = Residency(from), b = Residency(to);
  if (a == b) return;
  static constexpr struct {
    uint8_t from, to;
    char letter;
  } kAllowed[] = {{kFar, kFetching, 'a'},     {kFetching, kFar, 'b'},    {kLocal, kLeaving, 'c'},
                  {kLeaving, kFar, 'd'},      {kLeaving, kWriting, 'e'}, {kLeaving, kLocal, 'f'},
                  {kWriting, kFetching, 'g'}, {kWriting, kFar, 'h'},     {kFetching, kLocal, 'i'}};
  for (const auto& allowed : kAllowed) {
    if (allowed.from != a || allowed.to != b) continue;
    if (transitions_.find(allowed.letter) == std::string::npos) transitions_ += allowed.letter;
    return;
  }
  if (n.broken == kRight) n.broken = kForbiddenTransition;
}

const char* PageStateModel::Violation(const State& s) const {
  switch (s.broken) {
    case kStaleLoad:
      return "a load returns what was overwritten";
    case kMappedTwice:
      return "a page is mapped twice";
    case kPinnedPageMissing:
      return "the kernel finds a pinned page missing";
    case kFalseDamage:
      return "a page that is intact is taken for damaged";
    case kSlotFreedEarly:
      return "a slot is freed while it is in use";
    case kNoSlotNamed:
      return "a page is WRITING and its slot is not named";
    case kForbiddenTransition:
      return "a transition that page_state.h does not have";
  }
  int frames = s.free_frames;
  for (const Mutator& mutator : s.mutators) frames += mutator.frame;
  for (uint8_t p = 0; p < scenario_.pages; ++p) {
    const Page& page = s.pages[p];
    const Leaving& leaving = s.evictor[p];
    frames += page.mapped + (leaving.pc == kReturnFrame ? 1 : 0);

    frames += s.arrivals[p].frame;
    int fetchers = s.arrivals[p].slot != 0 ? 1 : 0;
    for (size_t m = 0; m < kMutators; ++m) {
      const uint8_t pc = s.mutators[m].pc;
      fetchers += pc >= kRead && pc <= kMarkFresh && OpOf(s, m).page == p ? 1 : 0;
    }
    if (fetchers > 1) return "two threads fetch one page";

    int writes = 0;
    for (const Slot& slot : s.slots) writes += slot.user == p + 1 && slot.wire == kInFlight;
    if (writes > 1) return "two writes of one page are in flight";

    bool may_be_mapped = true;
    bool kept = page.dead != 0;  // the bytes are where the state says, or do not matter
    switch (Residency(page.state)) {
      case kFar:
        may_be_mapped = false;
        kept |= (page.state & kFresh) != 0
                    ? page.ghost == 0
                    : page.far_copy == page.ghost && page.hash == Hash(page.ghost);
        break;
      case kFetching:
        kept |= page.mapped == 0 || page.content == page.ghost;
        break;
      case kLocal:
        if (page.mapped == 0 || page.read_only != 0) return "a LOCAL page is not accessible";
        kept |= page.content == page.ghost;
        break;
      case kLeaving:
        // When the slot is free again, the far copy must do; FAR will tell.
        kept |= leaving.pc == kPublishClean || leaving.pc == kPublishFresh ||
                (page.mapped != 0 ? page.content : s.slots[leaving.slot].bytes) == page.ghost;
        break;
      case kWriting:
        may_be_mapped = false;
        kept |= page.slot == 0 || s.slots[page.slot - 1].bytes == page.ghost;
        break;
    }
    if (page.mapped != 0 && !may_be_mapped) return "a page is mapped and its state denies it";
    if (!kept) return "the last store to a page is lost";
  }
  if (frames != scenario_.budget) return "resident pages and free frames are not the budget";
  return nullptr;
}

bool PageStateModel::IsEnd(const State& s) const {
  for (const Mutator& mutator : s.mutators) {
    if (mutator.pc != kDone) return false;
  }
  int arriving = 0;  // what nobody wanted any more may stay on its way
  for (uint8_t p = 0; p < scenario_.pages; ++p) {
    const uint8_t residency = Residency(s.pages[p].state);
    if (s.pages[p].slot != 0 || s.evictor[p].pc != kIdle) return false;
    if (s.arrivals[p].slot != 0) {
      ++arriving;
    } else if (residency != kLocal && residency != kFar) {
      return false;
    }
  }
  const auto taken = std::count_if(std::begin(s.slots), std::end(s.slots),
                                   [](const Slot& slot) { return slot.user != 0; });
  return taken == arriving && s.locked == 0;
}

std::string PageStateModel::Describe(const Step& step) const {
  const char* actor = step.actor == 'e' ? "evictor" : step.actor == 'w' ? "wire" : nullptr;
  return (actor != nullptr ? std::string(actor) : std::string(1, step.actor)) + ", page " +
         std::to_string(step.page) + ": " + step.what;
}

// --- Scenarios ---

// Both write and read the page.
Scenario OnePage() {
  return {.programs = {{{Store(0, 1), Load(0), Store(0, 2)}, {Store(0, 3), Load(0)}}}};
}

// Contents that come back: the far copy is good again, or the page is zero again.
Scenario OldContents() {
  return {.programs = {{{Store(0, 1), Store(0, 0), Store(0, 1)}, {Store(0, 1), Load(0)}}}};
}

// Each writes one page and reads the other's.
Scenario TwoPages(uint8_t budget, uint8_t slots) {
  return {.programs = {{{Store(0, 1), Load(1)}, {Store(1, 2), Load(0)}}},
          .pages = 2,
          .budget = budget,
          .slots = slots};
}

// Reads fail now and then.
Scenario FailingReads() {
  return {.programs = {{{Store(0, 1), Load(0)}, {Store(0, 2), Load(0)}}}, .failing_reads = 2};
}

// More frames than pinned pages: Pager::Pin sees to that.
Scenario OnePinnedPage() {
  return {.programs = {{{Store(0, 1), PinnedStore(0, 2)}, {PinnedStore(0, 3), Load(0)}}},
          .budget = 2};
}
Scenario PinnedAndOther() {
  return {.programs = {{{PinnedStore(0, 1), Load(1)}, {Store(0, 2), Store(1, 3)}}},
          .pages = 2,
          .budget = 2};
}

// A page dies and lives again while somebody else brings it in.
Scenario Revived() {
  return {.programs = {
              {{Store(0, 1), Die(0), ReviveAndStore(0, 2), Load(0)}, {BringIn(0), BringIn(0)}}}};
}
Scenario Allocated() {
  return {.programs = {
              {{Store(0, 1), Die(0), AllocateAndStore(0, 2), Load(0)}, {BringIn(0), BringIn(0)}}}};
}
// It is dead while zero, or while its far copy is an older one.
Scenario DeadWhileZero() {
  return {.programs = {{{Load(0), Die(0), AllocateAndStore(0, 2), Load(0)}, {BringIn(0)}}}};
}
Scenario DeadWhileDirty() {
  return {.programs = {
              {{Store(0, 1), Store(0, 2), Die(0), AllocateAndStore(0, 3), Load(0)}, {BringIn(0)}}}};
}
Scenario DeadTwice() {
  return {.programs = {
              {{Store(0, 1), Die(0), AllocateAndStore(0, 2), Die(0), ReviveAndStore(0, 3), Load(0)},
               {BringIn(0)}}}};
}

// Pages are posted by those who want them later, and by those who do not.
Scenario OnePosted() {
  return {.programs = {{{Store(0, 1), Post(0), Load(0)}, {Post(0), Store(0, 2), Load(0)}}}};
}
Scenario TwoPosted(uint8_t budget, uint8_t slots) {
  return {.programs = {{{Store(0, 1), Post(0), Load(1)}, {Store(1, 2), Post(1), Load(0)}}},
          .pages = 2,
          .budget = budget,
          .slots = slots};
}
Scenario FailingPosted() {
  Scenario scenario = OnePosted();
  scenario.failing_reads = 2;
  return scenario;
}
Scenario PostedAndPinned() {
  return {.programs = {{{Store(0, 1), Post(0), PinnedStore(0, 2)}, {Store(0, 3), Post(0)}}},
          .budget = 2};
}
Scenario PostedAndRevived() {
  return {.programs = {
              {{Store(0, 1), Die(0), ReviveAndStore(0, 2), Post(0), Load(0)}, {Post(0), Post(0)}}}};
}

Exploration Explore(Scenario scenario, Road road, Bug bug, std::string& transitions) {
  scenario.road = road;
  scenario.bug = bug;
  const PageStateModel model(scenario);
  const Exploration result = ExploreInterleavings(model);
  transitions += model.transitions();
  return result;
}

class PageStateModelTest : public ::testing::TestWithParam<Road> {
 protected:
  void ExpectRight(const Scenario& scenario) {
    const Exploration result = Explore(scenario, GetParam(), Bug::kNone, transitions_);
    EXPECT_TRUE(result.complete);
    EXPECT_TRUE(result.violation.empty()) << result.Report();
    states_ += result.states;
    RecordProperty("states", std::to_string(states_));
  }

  size_t states_ = 0;
  std::string transitions_;
};

TEST_P(PageStateModelTest, NoStoreToASharedPageIsLost) {
  ExpectRight(OnePage());
  ExpectRight(OldContents());
}

TEST_P(PageStateModelTest, PagesThatShareOneFrameTakeTurns) {
  ExpectRight(TwoPages(/*budget=*/1, /*slots=*/2));
}

TEST_P(PageStateModelTest, OneStagingSlotIsEnough) {
  ExpectRight(TwoPages(/*budget=*/1, /*slots=*/1));
  ExpectRight(TwoPages(/*budget=*/2, /*slots=*/1));
}

TEST_P(PageStateModelTest, PagesLeaveAndComeBackInAnyOrder) {
  ExpectRight(TwoPages(/*budget=*/2, /*slots=*/2));
#ifndef TANDEM_SANITIZER  // one thread, so a sanitizer has little to see
  ExpectRight(TwoPages(/*budget=*/2, /*slots=*/3));
#endif
}

TEST_P(PageStateModelTest, AFetchThatGivesUpLeavesThePageFar) { ExpectRight(FailingReads()); }

TEST_P(PageStateModelTest, APinnedPageStaysMapped) {
  ExpectRight(OnePinnedPage());
  ExpectRight(PinnedAndOther());
}

TEST_P(PageStateModelTest, ARevivedPageKeepsWhatIsStoredNext) {
  ExpectRight(Revived());
  ExpectRight(Allocated());
  ExpectRight(DeadWhileZero());
  ExpectRight(DeadWhileDirty());
  ExpectRight(DeadTwice());
}

TEST_P(PageStateModelTest, WhatArrivesIsLandedByWhoeverNeedsIt) {
  ExpectRight(OnePosted());
  ExpectRight(PostedAndPinned());
  ExpectRight(PostedAndRevived());
}

TEST_P(PageStateModelTest, ArrivalsMayHoldAllFramesAndAllSlots) {
  ExpectRight(TwoPosted(/*budget=*/1, /*slots=*/1));
  ExpectRight(TwoPosted(/*budget=*/1, /*slots=*/2));
#ifndef TANDEM_SANITIZER
  ExpectRight(TwoPosted(/*budget=*/2, /*slots=*/2));
#endif
}

TEST_P(PageStateModelTest, AnArrivalThatGivesUpLeavesThePageFar) { ExpectRight(FailingPosted()); }

// Why Pager::Pin bounds the pinned pages: a thread that waits for a frame may be the one that
// pins the page in the last one.
TEST_P(PageStateModelTest, PinningAllOfTheBudgetWouldBeADeadlock) {
  Scenario scenario = OnePinnedPage();
  scenario.budget = 1;
  EXPECT_THAT(Explore(scenario, GetParam(), Bug::kNone, transitions_).violation,
              HasSubstr("the end cannot be reached"));
}

TEST_P(PageStateModelTest, EveryTransitionIsTaken) {
  Explore(FailingReads(), GetParam(), Bug::kNone, transitions_);
  EXPECT_THAT(transitions_, ::testing::UnorderedElementsAreArray("abcdefghi", 9));
}

std::string RoadName(Road road) { return road == Road::kMove ? "Move" : "Copy"; }

INSTANTIATE_TEST_SUITE_P(Roads, PageStateModelTest, ::testing::Values(Road::kMove, Road::kCopy),
                         [](const auto& param_info) { return RoadName(param_info.param); });

// --- The same with a rule broken ---

struct BrokenRule {
  const char* name;
  Bug bug;
  Scenario scenario;
  const char* violation;
  std::vector<Road> roads = {Road::kMove, Road::kCopy};
};

void PrintTo(const BrokenRule& rule, std::ostream* out) { *out << rule.name; }

std::vector<BrokenRule> BrokenRules() {
  return {
      {"ClaimsWithoutCas", Bug::kClaimsWithoutCas, OnePage(),
       "a transition that page_state.h does not have"},
      {"TakesFrameAfterClaim", Bug::kTakesFrameAfterClaim, TwoPages(1, 1),
       "the end cannot be reached"},
      {"ReadsSlotBeforeClaim", Bug::kReadsSlotBeforeClaim, OnePage(), "its slot is not named"},
      {"RescueMovesTheBytes", Bug::kRescueMovesTheBytes, OnePage(),
       "the last store to a page is lost"},
      {"RescuerFreesSlotAtOnce", Bug::kRescuerFreesSlotAtOnce, OnePage(),
       "a slot is freed while it is in use"},
      {"IgnoresPins", Bug::kIgnoresPins, OnePinnedPage(), "a pinned page missing"},
      {"ChecksPinsBeforeLeaving", Bug::kChecksPinsBeforeLeaving, OnePinnedPage(),
       "a pinned page missing"},
      {"EvictsDuringWrite", Bug::kEvictsDuringWrite, OnePage(), "the last store to a page is lost"},
      {"ReadsHashBeforeLeaving", Bug::kReadsHashBeforeLeaving, Revived(),
       "the last store to a page is lost"},
      {"ReadsHashBeforeUnmapping", Bug::kReadsHashBeforeUnmapping, Revived(),
       "the last store to a page is lost"},
      {"CopiesBeforeProtecting",
       Bug::kCopiesBeforeProtecting,
       OnePage(),
       "the last store to a page is lost",
       {Road::kCopy}},
      {"ReturnsFrameBeforeUnmapping", Bug::kReturnsFrameBeforeUnmapping, OnePage(),
       "are not the budget"},
      {"PublishesWritingBeforeSlot", Bug::kPublishesWritingBeforeSlot, OnePage(),
       "its slot is not named"},
      {"IgnoresRescue", Bug::kIgnoresRescue, OnePage(), "its slot is not named"},
      {"StoresFarAfterWrite", Bug::kStoresFarAfterWrite, OnePage(), "its state denies it"},
      {"PollsOnlyWhenIdle", Bug::kPollsOnlyWhenIdle, TwoPages(2, 1), "the end cannot be reached"},
      {"MarksDeadWithoutClaim", Bug::kMarksDeadWithoutClaim, DeadWhileDirty(), "taken for damaged"},
      {"RevivesAfterStoring", Bug::kRevivesAfterStoring, Revived(),
       "the last store to a page is lost"},
      // Two land one page: the second finds the slot as the first has left it.
      {"LandsWithoutLock", Bug::kLandsWithoutLock, OnePosted(), "taken for damaged"},
      {"LandsWithoutMapping", Bug::kLandsWithoutMapping, OnePosted(),
       "a LOCAL page is not accessible"},
      {"WaitsForPageWithoutLanding", Bug::kWaitsForPageWithoutLanding, OnePosted(),
       "the end cannot be reached"},
      {"WaitsForFrameWithoutLanding", Bug::kWaitsForFrameWithoutLanding, TwoPosted(1, 2),
       "the end cannot be reached"},
      {"PosterWaitsForFrame", Bug::kPosterWaitsForFrame, TwoPosted(1, 2),
       "the end cannot be reached"},
      {"PostsWithoutCas", Bug::kPostsWithoutCas, OnePosted(),
       "a transition that page_state.h does not have"},
      {"ForgetsFrameOfFailedRead", Bug::kForgetsFrameOfFailedRead, FailingPosted(),
       "are not the budget"},
  };
}

class BrokenRuleTest : public ::testing::TestWithParam<BrokenRule> {};

TEST_P(BrokenRuleTest, IsFound) {
  for (const Road road : GetParam().roads) {
    std::string transitions;
    const Exploration result = Explore(GetParam().scenario, road, GetParam().bug, transitions);
    EXPECT_THAT(result.violation, HasSubstr(GetParam().violation))
        << RoadName(road) << ": " << result.Report();
  }
}

INSTANTIATE_TEST_SUITE_P(Rules, BrokenRuleTest, ::testing::ValuesIn(BrokenRules()),
                         [](const auto& param_info) { return std::string(param_info.param.name); });

}  // namespace
}  // namespace tandem::swap
