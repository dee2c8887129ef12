// Concurrent marking, checked in every interleaving of a small model.
//
// Two mutators with programs of a few operations, one collector, five objects, of which
// object 0 is a root for good; two share a page that comes and goes. The model has the steps of
// collector.cc, tracer.cc and mutator_thread.h, one atomic action each: handshakes by thread, the
// write barrier's log before the store, the rings that orders listen to, groups of far pages, and
// how marking ends.
//
//   collector  log all .. scan      Collector::BeginMarking: three rounds, thread by thread
//              mark, trace          Tracer::MarkBatch, TraceObject: one reference field a step
//              defer, take, read    an order with groups: Order::Defer, PageGroups::Take, Arrivals
//              listen               Surroundings::TakeAccesses
//              hand in m            Collector::HandInLogs; then on, or the end
//   mutator    touch, log, store    the barriers of tandem/internal/barrier.h
//   page       leaves               the evictor, whenever it likes
//
// The order may pop any reference that it has, wait for a far page or defer it, and take groups
// whenever it likes: so what is found right holds for all orders that keep what they are given.
// Rings hold one entry, so that most are overwritten. Handshakes find threads between operations,
// as at a safepoint. An object's first references are not logged. Checked: once marking has ended,
// everything that a mutator can still reach is marked, and so is all that is logged after that; and
// the end can be reached from everywhere, whatever the mutators go on touching.
//
// Each rule is also broken on purpose (enum class Bug): the explorer must then find an object that
// is lost.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <cstdint>
#include <ostream>
#include <string>
#include <vector>

#include "tests/base/interleaving.h"

namespace tandem::tracer {
namespace {

using tandem::testing::Exploration;
using tandem::testing::ExploreInterleavings;
using ::testing::HasSubstr;

enum class Bug : uint8_t {
  kNone,
  kScansWithoutLoggingFirst,
  kScansAfterOneHandshake,
  kLogsOnlyOldWhileScanning,
  kBornUnmarked,
  kReadsOldAfterStoring,
  kTrustsTheRing,
  kEndsWithoutHandIn,
  kEndsWithGroups,
  kDropsDeferred,
  kDropsWhatLeftAgain,
  kMarksHeardOfWithoutTracing,
};

enum class Do : uint8_t { kLoad, kStore, kNew, kForget };

// a, b: registers. kLoad: a = b.field; kStore: a.field = b; kNew: a = new object whose field is b.
struct Op {
  Do what;
  uint8_t a = 0;
  uint8_t b = 0;
  uint8_t field = 0;
};
constexpr uint8_t kNull = 3;  // as register b: null

struct Scenario {
  std::array<std::vector<Op>, 2> programs;
  // References at the start: object, field, target.
  struct Edge {
    uint8_t from, field, to;
  };
  std::vector<Edge> edges;
  // What each mutator's registers hold: 1 + object, or 0.
  std::array<std::array<uint8_t, 3>, 2> registers{};
  bool forever = false;  // the first program begins again when it is over
  Bug bug = Bug::kNone;
};

class TracingModel {
 public:
  static constexpr uint8_t kObjects = 5;
  static constexpr uint8_t kFields = 2;
  static constexpr uint8_t kRegisters = 3;

  enum Phase : uint8_t { kIdle, kLogAll, kSettle, kScan, kTracing, kHandIn, kEnded };
  enum Logging : uint8_t { kNoLog, kOldAndNew, kOld };
  enum Residency : uint8_t { kFar, kOnItsWay, kLocal };

  struct Mutator {
    uint8_t op, pc;
    uint8_t registers[kRegisters];  // 1 + object
    uint8_t logging, log;           // log: a bit an object
    uint8_t ring;                   // 1 + object
    uint8_t asked;                  // has answered the present handshake
  };
  struct State {
    uint8_t fields[kObjects][kFields];  // 1 + object
    Mutator mutators[2];
    uint8_t born;  // bits of objects that have been allocated
    uint8_t marked, grey, groups, hand, pool;
    uint8_t tracing, field;  // 1 + the object being traced; the next field
    uint8_t page;
    uint8_t phase, any;
  };
  struct Step {
    const char* who;
    const char* what;
    uint8_t which;
  };

  explicit TracingModel(Scenario scenario) : scenario_(std::move(scenario)) {}

  State Initial() const {
    State s{};
    for (const auto& e : scenario_.edges) s.fields[e.from][e.field] = 1 + e.to;
    for (int m = 0; m < 2; ++m) {
      for (int r = 0; r < kRegisters; ++r) s.mutators[m].registers[r] = scenario_.registers[m][r];
    }
    s.born = 0xf;  // object 4 is what kNew makes
    return s;
  }

  bool IsEnd(const State& s) const { return s.phase == kEnded; }

  const char* Violation(const State& s) const {
    if (s.phase != kEnded) return nullptr;
    uint8_t reachable = 1;
    for (const Mutator& m : s.mutators) {
      for (const uint8_t r : m.registers) reachable |= Bit(r);
      if ((m.log & ~s.marked) != 0) return "an unmarked object is logged after the end";
    }
    for (uint8_t before = 0; before != reachable;) {
      before = reachable;
      for (uint8_t o = 0; o < kObjects; ++o) {
        if ((before >> o & 1) == 0) continue;
        for (const uint8_t f : s.fields[o]) reachable |= Bit(f);
      }
    }
    return (reachable & ~s.marked) != 0 ? "a reachable object is not marked" : nullptr;
  }

  std::string Describe(const Step& step) const {
    return std::string(step.who) + ": " + step.what + " " + std::to_string(step.which);
  }

  template <typename Visit>
  void ForEachStep(const State& s, Visit visit) const {
    StepMutator(s, 0, visit);
    StepMutator(s, 1, visit);
    if (s.phase == kTracing) {
      StepTracer(s, visit);
    } else if (s.phase != kEnded) {
      StepHandshake(s, visit);
    }
    State n = s;
    if (s.page == kLocal) {
      n.page = kFar;
      visit(n, Step{"page", "leaves", 0});
    } else if (s.page == kOnItsWay) {
      n.page = kFar;
      visit(n, Step{"page", "fails to come", 0});
      n.page = kLocal;
      visit(n, Step{"page", "comes", 0});
    }
  }

 private:
  static uint8_t Bit(uint8_t one_more) {
    return one_more == 0 ? uint8_t{0} : static_cast<uint8_t>(1u << (one_more - 1));
  }
  // Objects 2 and 3 are on the page that comes and goes.
  static bool IsFar(const State& s, uint8_t object) {
    return (object == 2 || object == 3) && s.page != kLocal;
  }
  bool Has(Bug bug) const { return scenario_.bug == bug; }

  // --- Mutators ---

  template <typename Visit>
  void StepMutator(const State& s, uint8_t m, Visit visit) const {
    const std::vector<Op>& program = scenario_.programs[m];
    if (s.mutators[m].op == program.size()) return;
    const Op op = program[s.mutators[m].op];
    State n = s;
    Mutator& self = n.mutators[m];
    const char* const who = m == 0 ? "mutator 0" : "mutator 1";
    const auto finish = [&] {
      self.pc = 0;
      ++self.op;
      if (m == 0 && scenario_.forever && self.op == program.size()) self.op = 0;
    };
    const uint8_t base = op.what == Do::kLoad ? self.registers[op.b] : self.registers[op.a];
    const uint8_t value = op.b == kNull ? uint8_t{0} : self.registers[op.b];
    switch (op.what) {
      case Do::kForget:
        self.registers[op.a] = 0;
        finish();
        visit(n, Step{who, "forgets", op.a});
        return;
      case Do::kNew: {
        const uint8_t object = kObjects - 1;
        n.born |= Bit(1 + object);
        if (self.logging == kOld && !Has(Bug::kBornUnmarked)) n.marked |= Bit(1 + object);
        n.fields[object][0] = value;
        self.registers[op.a] = 1 + object;
        finish();
        visit(n, Step{who, "allocates with a reference to", value});
        return;
      }
      case Do::kLoad:
      case Do::kStore:
        break;
    }
    if (base == 0) {  // what it loaded was null
      finish();
      visit(n, Step{who, "skips", self.op});
      return;
    }
    uint8_t& field = n.fields[base - 1][op.field];
    switch (self.pc) {
      case 0:  // the access barrier
        if (IsFar(n, base - 1)) n.page = kLocal;
        if (self.logging != kNoLog && (n.marked & Bit(base)) == 0) self.ring = base;
        self.pc = 1;
        visit(n, Step{who, "touches object", static_cast<uint8_t>(base - 1)});
        return;
      case 1:
        if (op.what == Do::kLoad) {
          self.registers[op.a] = field;
          finish();
          visit(n, Step{who, "loads", field});
          return;
        }
        if (Has(Bug::kReadsOldAfterStoring)) {
          field = value;
        } else {
          LogStore(n, self, field, value);
        }
        self.pc = 2;
        visit(n, Step{who, "logs for field", op.field});
        return;
      default:
        if (Has(Bug::kReadsOldAfterStoring)) {
          LogStore(n, self, field, value);
        } else {
          field = value;
        }
        finish();
        visit(n, Step{who, "stores", value});
    }
  }

  void LogStore(State& n, Mutator& self, uint8_t old_value, uint8_t new_value) const {
    if (self.logging == kNoLog) return;
    if (!Has(Bug::kTrustsTheRing) || self.ring != old_value) Log(n, self, old_value);
    if (self.logging == kOldAndNew) Log(n, self, new_value);
  }
  void Log(const State& n, Mutator& self, uint8_t value) const {
    self.log |= static_cast<uint8_t>(Bit(value) & ~n.marked);
  }

  // --- The collector ---

  template <typename Visit>
  void StepHandshake(const State& s, Visit visit) const {
    if (s.phase == kIdle) {
      State n = s;
      Begin(n, Has(Bug::kScansWithoutLoggingFirst) ? kScan : kLogAll);
      visit(n, Step{"collector", "begins", 0});
      return;
    }
    bool all = true;
    for (uint8_t m = 0; m < 2; ++m) {
      if (s.mutators[m].asked != 0) continue;
      all = false;
      if (s.mutators[m].pc != 0) continue;  // not at a safepoint
      State n = s;
      Answer(n, n.mutators[m]);
      visit(n, Step{"collector", "shakes hands with mutator", m});
    }
    if (!all) return;
    State n = s;
    if (s.phase == kLogAll) {
      Begin(n, Has(Bug::kScansAfterOneHandshake) ? kScan : kSettle);
    } else if (s.phase == kSettle) {
      Begin(n, kScan);
    } else if (s.phase == kScan) {
      n.pool |= 1;  // the root
      n.phase = kTracing;
    } else {
      n.phase = s.any != 0 || s.pool != 0 ? kTracing : kEnded;
    }
    visit(n, Step{"collector", "enters phase", n.phase});
  }

  static void Begin(State& n, Phase phase) {
    n.phase = phase;
    n.any = 0;
    for (Mutator& m : n.mutators) m.asked = 0;
  }

  void Answer(State& n, Mutator& m) const {
    m.asked = 1;
    switch (n.phase) {
      case kLogAll:
        m.logging = Has(Bug::kLogsOnlyOldWhileScanning) ? kOld : kOldAndNew;
        return;
      case kSettle:
        return;
      case kScan:
        for (const uint8_t r : m.registers) n.pool |= Bit(r);
        m.logging = kOld;
        return;
      default:
        if (m.log != 0) n.any = 1;
        n.pool |= m.log;
        m.log = 0;
    }
  }

  template <typename Visit>
  void StepTracer(const State& s, Visit visit) const {
    const auto emit = [&](const State& n, const char* what, uint8_t which) {
      visit(n, Step{"tracer", what, which});
    };
    if (s.tracing != 0) {
      State n = s;
      if (s.field < kFields) {
        n.grey |= Bit(s.fields[s.tracing - 1][s.field]);
        ++n.field;
        emit(n, "reads field", s.field);
      } else {
        n.tracing = n.field = 0;
        emit(n, "is done with", s.tracing - 1);
      }
      return;
    }
    if (s.pool != 0) {
      State n = s;
      n.grey |= s.pool;
      n.pool = 0;
      emit(n, "takes from the pool", s.pool);
    }
    for (uint8_t m = 0; m < 2; ++m) {
      if (s.mutators[m].ring == 0) continue;
      State n = s;
      const uint8_t heard = Bit(s.mutators[m].ring);
      if (Has(Bug::kMarksHeardOfWithoutTracing)) {
        n.marked |= heard;
      } else if ((s.marked & heard) == 0) {
        n.grey |= heard;
      }
      n.mutators[m].ring = 0;
      emit(n, "listens to mutator", m);
    }
    for (uint8_t o = 0; o < kObjects; ++o) {
      const uint8_t bit = Bit(1 + o);
      if ((s.grey & bit) != 0) {
        State n = s;
        n.grey &= ~bit;
        if ((s.marked & bit) == 0) {
          n.marked |= bit;
          TraceOrDefer(n, o, emit);
        } else {
          emit(n, "drops", o);
        }
      }
      if ((s.hand & bit) != 0) {
        State n = s;
        n.hand &= ~bit;
        if (Has(Bug::kDropsWhatLeftAgain) && IsFar(s, o)) {
          emit(n, "drops", o);
        } else {
          TraceOrDefer(n, o, emit);
        }
      }
    }
    if (s.groups != 0) {
      State n = s;
      if (s.page == kLocal) {
        n.groups = 0;
        n.hand |= s.groups;
        emit(n, "takes the group of objects", s.groups);
      } else if (s.page == kFar) {
        n.page = kOnItsWay;
        emit(n, "has the page read for objects", s.groups);
      }
    }
    const uint8_t left =
        s.grey | s.hand | s.pool | (Has(Bug::kEndsWithGroups) ? uint8_t{0} : s.groups);
    if (left == 0) {
      State n = s;
      Begin(n, Has(Bug::kEndsWithoutHandIn) ? kEnded : kHandIn);
      emit(n, "has nothing left", 0);
    }
  }

  // Of a marked object that is in nobody's hands.
  template <typename Emit>
  void TraceOrDefer(const State& s, uint8_t o, Emit emit) const {
    State n = s;
    if (IsFar(s, o)) {
      if (!Has(Bug::kDropsDeferred)) n.groups |= Bit(1 + o);
      emit(n, "defers", o);
      n = s;
      n.page = kLocal;  // or waits for the page
    }
    n.tracing = 1 + o;
    emit(n, "traces", o);
  }

  const Scenario scenario_;
};

// --- Scenarios ---

// Root 0 -> 1 -> 2 -> 3. The reference to 2 moves into 0, behind the tracer's back.
Scenario Move() {
  return {
      .programs =
          {{{{Do::kLoad, 2, 1}, {Do::kStore, 0, 2, 1}, {Do::kStore, 1, kNull}, {Do::kForget, 2}},
            {}}},
      .edges = {{0, 0, 1}, {1, 0, 2}, {2, 0, 3}},
      .registers = {{{1, 2, 0}, {}}}};
}

// The same chain, cut off above what is on the stacks by then.
Scenario Steal() {
  return {.programs =
              {{{{Do::kLoad, 2, 1}, {Do::kLoad, 0, 2}, {Do::kStore, 1, kNull}, {Do::kLoad, 1, 0}},
                {{Do::kStore, 0, kNull}}}},
          .edges = {{0, 0, 1}, {1, 0, 2}, {2, 0, 3}},
          .registers = {{{1, 2, 0}, {1, 0, 0}}}};
}

// A mutator has the only reference to 3, and puts it where the other loads it from, for a while.
Scenario HandOver() {
  return {.programs = {{{{Do::kStore, 0, 1, 1}, {Do::kStore, 0, kNull, 1}, {Do::kForget, 1}},
                        {{Do::kLoad, 1, 0, 1}}}},
          .edges = {{3, 0, 2}},
          .registers = {{{1, 4, 0}, {1, 0, 0}}}};
}

// It loads it again itself, while the other overwrites it.
Scenario Race() {
  return {.programs = {{{{Do::kStore, 0, 1, 1}, {Do::kForget, 1}, {Do::kLoad, 1, 0, 1}},
                        {{Do::kStore, 0, kNull, 1}}}},
          .edges = {{3, 0, 2}},
          .registers = {{{1, 4, 0}, {1, 0, 0}}}};
}

// An object is born with a reference that is taken away elsewhere, and is published.
Scenario Birth() {
  return {.programs = {{{{Do::kNew, 2, 1}, {Do::kForget, 1}, {Do::kStore, 0, 2, 1}},
                        {{Do::kLoad, 1, 0, 1}, {Do::kLoad, 2, 1}, {Do::kStore, 1, kNull}}}},
          .edges = {},
          .registers = {{{1, 4, 0}, {1, 0, 0}}}};
}

// A mutator that never stops touching: round and round 0 -> 2 -> 3 -> 0.
Scenario NeverStops() {
  return {.programs = {{{{Do::kLoad, 0, 0}}, {{Do::kStore, 0, kNull, 1}}}},
          .edges = {{0, 0, 2}, {2, 0, 3}, {3, 0, 0}, {0, 1, 1}},
          .registers = {{{1, 0, 0}, {1, 0, 0}}},
          .forever = true};
}

Exploration Explore(Scenario scenario, Bug bug = Bug::kNone) {
  scenario.bug = bug;
  return ExploreInterleavings(TracingModel(std::move(scenario)));
}

struct NamedScenario {
  const char* name;
  Scenario scenario;
};
void PrintTo(const NamedScenario& s, std::ostream* out) { *out << s.name; }

class TracingModelTest : public ::testing::TestWithParam<NamedScenario> {};

TEST_P(TracingModelTest, LosesNothingAndEnds) {
  const Exploration result = Explore(GetParam().scenario);
  EXPECT_TRUE(result.complete);
  EXPECT_EQ(result.violation, "") << result.Report();
  RecordProperty("states", static_cast<int>(result.states));
}

std::vector<NamedScenario> Scenarios() {
  std::vector<NamedScenario> scenarios = {{"Move", Move()},   {"HandOver", HandOver()},
                                          {"Race", Race()},   {"Birth", Birth()},
                                          {"Steal", Steal()}, {"NeverStops", NeverStops()}};
#ifdef TANDEM_SANITIZER
  // The last two have millions of states; one thread, so a sanitizer has little to see.
  scenarios.resize(scenarios.size() - 2);
#endif
  return scenarios;
}

INSTANTIATE_TEST_SUITE_P(Scenarios, TracingModelTest, ::testing::ValuesIn(Scenarios()),
                         [](const auto& p) { return std::string(p.param.name); });

struct BrokenRule {
  const char* name;
  Bug bug;
  Scenario scenario;
};
void PrintTo(const BrokenRule& rule, std::ostream* out) { *out << rule.name; }

class BrokenTracingRule : public ::testing::TestWithParam<BrokenRule> {};

TEST_P(BrokenTracingRule, IsFound) {
  const Exploration result = Explore(GetParam().scenario, GetParam().bug);
  EXPECT_THAT(result.violation, HasSubstr("marked")) << result.Report();
}

INSTANTIATE_TEST_SUITE_P(
    Rules, BrokenTracingRule,
    ::testing::Values(
        BrokenRule{"ScansWithoutLoggingFirst", Bug::kScansWithoutLoggingFirst, HandOver()},
        BrokenRule{"ScansAfterOneHandshake", Bug::kScansAfterOneHandshake, Race()},
        BrokenRule{"LogsOnlyOldWhileScanning", Bug::kLogsOnlyOldWhileScanning, Race()},
        BrokenRule{"BornUnmarked", Bug::kBornUnmarked, Birth()},
        BrokenRule{"ReadsOldAfterStoring", Bug::kReadsOldAfterStoring, Steal()},
        BrokenRule{"TrustsTheRing", Bug::kTrustsTheRing, Steal()},
        BrokenRule{"EndsWithoutHandIn", Bug::kEndsWithoutHandIn, Move()},
        BrokenRule{"EndsWithGroups", Bug::kEndsWithGroups, Move()},
        BrokenRule{"DropsDeferred", Bug::kDropsDeferred, Move()},
        BrokenRule{"DropsWhatLeftAgain", Bug::kDropsWhatLeftAgain, Move()},
        BrokenRule{"MarksHeardOfWithoutTracing", Bug::kMarksHeardOfWithoutTracing, Move()}),
    [](const auto& p) { return std::string(p.param.name); });

}  // namespace
}  // namespace tandem::tracer
